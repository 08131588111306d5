"""What holds of every set of rules and every basket."""

import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from coalition.points.bonuses.active import period_name
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.evaluation import ActiveRules, Basket, evaluate
from coalition.points.rules import earn
from tests.points.bonuses.world import base_rates, basket, document, numbered

CATEGORIES = ["fruit", "dairy", "fish"]


def effects() -> st.SearchStrategy[dict[str, Any]]:
    points = st.integers(1, 500)
    return st.one_of(
        st.fixed_dictionaries(
            {
                "kind": st.just("rate"),
                "points": points,
                "per_minor": st.integers(1, 1000),
            }
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("multiplier"),
                "factor": st.sampled_from(["1.1", "1.5", "2", "3.333333"]),
                "of": st.sampled_from(["base", "so_far"]),
            }
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("bonus"),
                "points": points,
                "per": st.sampled_from(["basket", "line", "item"]),
            }
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("per_measure"),
                "points": points,
                "measure": st.sampled_from(["visits", "quantity"]),
                "per": st.integers(1, 3),
            }
        ),
    )


FUNDINGS: list[list[dict[str, Any]]] = [
    [],
    [{"funder": "operator", "share": "1"}],
    [{"funder": "operator", "weight": 1}, {"funder": "issuer", "weight": 2}],
    [
        {"funder": 2, "share": "0.3"},
        {"funder": 1, "share": "0.3"},
        {"funder": "operator", "share": "0.4"},
    ],
]


@st.composite
def documents(draw: st.DrawFn, number: int) -> RuleDocument:
    effect = draw(effects())
    combine = draw(st.sampled_from([None, "add", "best_of", "stop", "replaces_base"]))
    if combine == "replaces_base" and effect["kind"] == "multiplier":
        combine = "add"
    stacking: dict[str, Any] = {"order": draw(st.integers(0, 3)) * 1000 + number}
    if combine is not None:
        stacking["combine"] = combine
    if combine == "best_of":
        stacking["group"] = draw(st.sampled_from(["a", "b"]))
    applies: dict[str, Any] = {"currency": "EUR"}
    if effect.get("of") != "so_far" and draw(st.booleans()):
        applies["categories"] = draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, unique=True))
    caps = draw(
        st.fixed_dictionaries(
            {}, optional={name: st.integers(1, 300) for name in ("basket", "day", "month")}
        )
    )
    return document(
        f"rule-{number}",
        effect=effect,
        stacking=stacking,
        applies_to=applies,
        caps=caps,
        rounding=draw(st.sampled_from(["down", "up", "half_even", "half_away_from_zero"])),
        funding=draw(st.sampled_from(FUNDINGS)),
        condition=draw(
            st.sampled_from([None, "basket.amount_minor > 3000", "basket.measures['visits'] > 0"])
        ),
    )


@st.composite
def rule_sets(draw: st.DrawFn) -> list[RuleDocument]:
    return [draw(documents(number)) for number in range(draw(st.integers(0, 7)))]


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    lines = draw(
        st.lists(
            st.tuples(
                st.integers(0, 3000), st.sampled_from([*CATEGORIES, "other"]), st.integers(1, 5)
            ),
            max_size=5,
        )
    )
    more = draw(st.integers(0, 9000))
    measures = draw(st.sampled_from([{}, {"visits": 3}]))
    return basket(sum(line[0] for line in lines) + more, lines=lines, measures=measures)


USED = st.dictionaries(
    st.tuples(st.integers(1, 7), st.sampled_from(["day:2026-10-03", "month:2026-10"])),
    st.integers(0, 400),
)


@given(rule_sets(), baskets(), USED)
def test_shares_and_reasons_add_up_to_the_points_and_none_is_negative(
    rules: list[RuleDocument], bought: Basket, used: dict[tuple[int, str], int]
) -> None:
    found = evaluate(ActiveRules(numbered(rules), base_rates()), bought, used)
    assert found.points >= 0
    assert sum(share.points for share in found.shares) == found.points
    assert all(share.points > 0 for share in found.shares)
    assert len({(share.rule_no, share.funder_no) for share in found.shares}) == len(found.shares)
    assert sum(reason.points for reason in found.reasons) == found.points


@given(rule_sets(), baskets(), USED)
def test_caps_are_never_exceeded(
    rules: list[RuleDocument], bought: Basket, used: dict[tuple[int, str], int]
) -> None:
    active = ActiveRules(numbered(rules), base_rates())
    found = evaluate(active, bought, used)
    by_rule: dict[int, int] = {}
    for share in found.shares:
        by_rule[share.rule_no] = by_rule.get(share.rule_no, 0) + share.points
    for number, one in enumerate(rules, start=1):
        given_points = by_rule.get(number, 0)
        assert one.caps.basket is None or given_points <= one.caps.basket
        for period in ("day", "month"):
            most = getattr(one.caps, period)
            if most is not None:
                before = used.get((number, period_name(period, bought.local)), 0)
                assert given_points <= max(most - before, 0)
    asked = set(active.caps_for(bought))
    assert {(usage.rule_no, usage.period) for usage in found.usage} <= asked
    assert all(usage.points == by_rule[usage.rule_no] for usage in found.usage)


@given(rule_sets(), baskets(), USED, st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(
    rules: list[RuleDocument],
    bought: Basket,
    used: dict[tuple[int, str], int],
    dice: random.Random,
) -> None:
    versions = numbered(rules)
    shuffled = dice.sample(versions, len(versions))
    first = evaluate(ActiveRules(versions, base_rates()), bought, used)
    second = evaluate(ActiveRules(shuffled, base_rates()), bought, used)
    assert first.points == second.points
    assert first.shares == second.shares
    assert first.usage == second.usage
    assert first.reasons == second.reasons


@given(rule_sets(), baskets())
def test_the_same_basket_earns_the_same_again(rules: list[RuleDocument], bought: Basket) -> None:
    active = ActiveRules(numbered(rules), base_rates())
    assert evaluate(active, bought, {}) == evaluate(active, bought, {})


@given(rule_sets(), baskets())
def test_where_no_rule_applies_the_base_rate_is_all(
    rules: list[RuleDocument], bought: Basket
) -> None:
    elsewhere = [
        msgspec.structs.replace(
            one, applies_to=msgspec.structs.replace(one.applies_to, partners=(2,))
        )
        for one in rules
    ]
    found = evaluate(ActiveRules(numbered(elsewhere), base_rates()), bought, {})
    rate = base_rates().at(1, "EUR", bought.occurred_at)
    assert rate is not None
    assert found.points == earn(bought.amount_minor, rate)


@given(rule_sets(), baskets())
def test_a_document_says_the_same_after_it_was_kept(
    rules: list[RuleDocument], bought: Basket
) -> None:
    kept = [msgspec.json.decode(msgspec.json.encode(one), type=RuleDocument) for one in rules]
    assert kept == rules
    first = evaluate(ActiveRules(numbered(rules), base_rates()), bought, {})
    assert evaluate(ActiveRules(numbered(kept), base_rates()), bought, {}).shares == first.shares
