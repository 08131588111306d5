"""The evaluator against one that was written without it: any rules give any basket the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.evaluation import ActiveRules, Basket, Line, RuleVersion, evaluate
from tests.points.bonuses import naive
from tests.points.bonuses.naive import Bought, Purchase, Version
from tests.points.bonuses.world import BEGIN, ZONE, base_rates

DAY = timedelta(days=1)
TURNS = [BEGIN, *(BEGIN + timedelta(days=90 * number) for number in range(1, 4))]
"""When versions begin and end."""

INSTANTS = [turn + change for turn in TURNS for change in (timedelta(0), -timedelta(seconds=1))] + [
    datetime(2026, 10, 3, 21, 59, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
    datetime(2027, 1, 2, 8, 0, tzinfo=UTC),
]

MEANINGS: naive.Meanings = {
    "basket.amount_minor > 3000": lambda bought: bought.amount > 3000,
    "basket.measures['visits'] > 0": lambda bought: bought.measures.get("visits", 0) > 0,
    "member.tier == 'gold' || 'vip' in member.flags": (
        lambda bought: bought.tier == "gold" or "vip" in bought.flags
    ),
    "basket.lines.exists(line, line.quantity >= 3)": (
        lambda bought: any(line.quantity >= 3 for line in bought.lines)
    ),
    "basket.amount_of['fruit'] >= 1000": (
        lambda bought: sum(line.amount for line in bought.lines if line.category == "fruit") >= 1000
    ),
    "time.weekday == 'sat' || time.month == 12": (
        lambda bought: bought.local.weekday() == 5 or bought.local.month == 12
    ),
}


def some(*values: object) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


def fixed(optional: dict[str, Any], **always: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(always, optional=optional)


POINTS = st.integers(1, 500)
EFFECTS = st.one_of(
    fixed({}, kind=st.just("rate"), points=POINTS, per_minor=st.integers(1, 1000)),
    fixed(
        {"of": st.sampled_from(["base", "so_far"])},
        kind=st.just("multiplier"),
        factor=st.sampled_from(["1.1", "1.5", "2", "3.333333"]),
    ),
    fixed(
        {"per": st.sampled_from(["basket", "line", "item"])}, kind=st.just("bonus"), points=POINTS
    ),
    fixed(
        {"per": st.integers(1, 3)},
        kind=st.just("per_measure"),
        points=POINTS,
        measure=st.sampled_from(["visits", "quantity"]),
    ),
)
APPLIES = fixed(
    {
        "partners": some(1, 2),
        "categories": some("fruit", "dairy", "fish"),
        "tiers": some("gold", "silver"),
        "plans": some("plus"),
        "segments": some("parents", "students"),
        "flags": some("vip", "staff"),
        "weekdays": some(*naive.WEEKDAYS),
        "hours": some("00:00-24:00", "08:00-17:30", "22:00-02:00", "23:00-24:00"),
        "least": fixed(
            {"of": st.sampled_from(["basket", "lines"])}, amount_minor=st.integers(1, 6000)
        ),
    },
    currency=st.just("EUR"),
)
FUNDINGS: list[list[dict[str, Any]]] = [
    [{"funder": "operator", "share": "1"}],
    [{"funder": "operator", "weight": 1}, {"funder": "issuer", "weight": 2}],
    [{"funder": 1, "weight": 1}, {"funder": "issuer", "weight": 1}, {"funder": 2, "weight": 1}],
    [
        {"funder": 2, "share": "0.3"},
        {"funder": 1, "share": "0.3"},
        {"funder": "operator", "share": "0.4"},
    ],
]
CAPS = fixed(
    {
        period: st.integers(1, 300)
        for period in ("basket", "day", "week", "month", "year", "campaign")
    }
)


@st.composite
def documents(draw: st.DrawFn, code: str) -> dict[str, Any]:
    """Return a document that would be taken, as staff write it."""
    document: dict[str, Any] = {"code": code, "name": code, "effect": draw(EFFECTS)}
    document |= draw(
        fixed(
            {
                "rounding": st.sampled_from(["down", "up", "half_even", "half_away_from_zero"]),
                "caps": CAPS,
                "funding": st.sampled_from(FUNDINGS),
                "condition": st.sampled_from(list(MEANINGS)),
            }
        )
    )
    # Most rules ask for little, so that many of them apply to a basket at once.
    applies = draw(APPLIES)
    kept = draw(st.sets(st.sampled_from(sorted(applies)), max_size=2)) | {"currency"}
    applies = {key: value for key, value in applies.items() if key in kept}
    if "categories" not in applies and applies.get("least", {}).get("of") == "lines":
        del applies["least"]
    if applies.get("partners") == [1] and draw(st.booleans()):
        applies["stores"] = draw(some("S1", "S2"))
    if document["effect"].get("of") == "so_far":
        applies.pop("categories", None)
        applies.pop("least", None)
    document["applies_to"] = applies
    is_multiplier = document["effect"]["kind"] == "multiplier"
    ways = ["add", "best_of", "stop"] + ([] if is_multiplier else ["replaces_base"])
    stacking = draw(fixed({"order": st.integers(98, 102), "combine": st.sampled_from(ways)}))
    if stacking.get("combine") == "best_of":
        stacking["group"] = draw(st.sampled_from(["a", "b"]))
    return document | {"stacking": stacking}


@st.composite
def rule_versions(draw: st.DrawFn) -> list[Version]:
    """Return rules with one to three versions each, which take each other's place."""
    found: list[Version] = []
    for _ in range(draw(st.integers(0, 7))):
        root = len(found) + 1
        for version in range(1, draw(st.sampled_from([1, 1, 1, 2, 3])) + 1):
            begin = draw(st.sampled_from(TURNS)) if version > 1 else BEGIN
            until = draw(st.sampled_from([None, None, *TURNS[1:]]))
            one = draw(documents(f"rule-{root}"))
            found.append(Version(len(found) + 1, root, version, one, begin, until))
    return found


@st.composite
def purchases(draw: st.DrawFn) -> Purchase:
    kinds = st.sampled_from(["fruit", "dairy", "fish", "other", None])
    lines = draw(st.lists(st.tuples(st.integers(0, 3000), kinds, st.integers(1, 5)), max_size=5))
    at = draw(st.sampled_from(INSTANTS))
    more = draw(st.sampled_from([0, 0, 1, 99, 5000, -500]))
    return Purchase(
        partner=draw(st.sampled_from([1, 1, 2])),
        store=draw(st.sampled_from(["S1", "S2", None])),
        currency=draw(st.sampled_from(["EUR", "EUR", "EUR", "SEK"])),
        at=at,
        local=at.astimezone(ZONE),
        amount=max(sum(line[0] for line in lines) + more, 0),
        lines=[Bought(number, *line) for number, line in enumerate(lines, start=1)],
        measures=draw(st.sampled_from([{}, {"visits": 3}, {"visits": 0}])),
        tier=draw(st.sampled_from([None, "gold", "silver"])),
        plan=draw(st.sampled_from([None, "plus"])),
        segments=draw(st.frozensets(st.sampled_from(["parents", "students"]))),
        flags=draw(st.frozensets(st.sampled_from(["vip", "staff"]))),
    )


USED = st.dictionaries(
    st.tuples(
        st.integers(1, 7),
        st.sampled_from(
            ["day:2026-10-03", "week:2026-W53", "month:2026-10", "year:2026", "campaign"]
        ),
    ),
    st.integers(0, 400),
)


@settings(max_examples=400)
@given(rule_versions(), purchases(), USED)
def test_any_rules_give_any_basket_what_the_naive_evaluator_gives(
    versions: list[Version], purchase: Purchase, used: dict[tuple[int, str], int]
) -> None:
    rate = (1, 100) if purchase.currency == "EUR" and purchase.at >= BEGIN else (0, 1)
    known = naive.judge(versions, purchase, used, base_rate=rate, meanings=MEANINGS)
    rules = ActiveRules([as_kept(version) for version in versions], base_rates())
    found = evaluate(rules, as_basket(purchase), used)
    assert found.points == known.points
    shares = {(share.rule_no, share.funder_no): share.points for share in found.shares}
    assert shares == known.shares
    usage = {(counter.rule_no, counter.period): counter.points for counter in found.usage}
    assert usage == known.usage
    assert sum(reason.points for reason in found.reasons) == known.points


def as_kept(version: Version) -> RuleVersion:
    return RuleVersion(
        no=version.no,
        root_no=version.root_no,
        code=version.document["code"],
        version=version.version,
        document=msgspec.convert(version.document, RuleDocument),
        valid_from=version.valid_from,
        valid_until=version.valid_until,
    )


def as_basket(purchase: Purchase) -> Basket:
    return Basket(
        partner_no=purchase.partner,
        occurred_at=purchase.at,
        local=purchase.local,
        currency=purchase.currency,
        amount_minor=purchase.amount,
        store=purchase.store,
        lines=tuple(
            Line(line.no, line.amount, line.category, quantity=line.quantity)
            for line in purchase.lines
        ),
        measures=purchase.measures,
        tier=purchase.tier,
        plan=purchase.plan,
        segments=purchase.segments,
        flags=purchase.flags,
    )
