"""Slots, windows and subjects of guards, against what a reader would count by hand."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.points.guards import rules
from coalition.points.guards.documents import GuardRule, Measure, Window, parse, schema
from coalition.points.guards.refusals import InvalidGuard
from coalition.points.guards.rules import Act, ActiveGuards, ActKind, Count

STOCKHOLM = ZoneInfo("Europe/Stockholm")
ANNA = UUID(int=5)
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)

windows_of_time = st.one_of(
    st.integers(1, 120).map(lambda n: Window(minutes=n)),
    st.integers(1, 168).map(lambda n: Window(hours=n)),
)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
slots = st.dictionaries(st.integers(0, 40), st.builds(Count, st.integers(1, 9), st.integers(0, 9)))


def act(**given: object) -> Act:
    kept = {
        "kind": ActKind.REDEMPTION,
        "partner_no": 1,
        "member": ANNA,
        "occurred_at": AT,
        "points": 100,
        "store_no": 7,
        "client_no": 3,
        "cashier": "kim",
        "card": "00ff",
    }
    return msgspec.convert(kept | given, Act)


def rule(**given: object) -> GuardRule:
    kept = {
        "name": "test",
        "measure": "redemptions",
        "subject": ["member"],
        "window": {"hours": 1},
        "most": 2,
    } | given
    text = msgspec.json.encode({name: value for name, value in kept.items() if value is not None})
    return GuardRule(1, 1, parse(text), AT, None, "a", "b")


@given(slots, st.sets(st.integers(0, 40)), st.integers(1, 12))
def test_the_fullest_window_is_found_whatever_the_order_of_acts(
    held: dict[int, Count], extra: set[int], size: int
) -> None:
    touched = {slot for slot in extra if slot in held}
    found = {one.end: one.sum for one in rules.windows(held, touched, size)}

    def inside(end: int) -> list[Count]:
        return [count for slot, count in held.items() if end - size < slot <= end]

    every = {
        end: Count(sum(one.total for one in inside(end)), sum(one.part for one in inside(end)))
        for end in range(-1, 60)
        if any(end - size < slot <= end for slot in touched)
    }
    assert {end: every[end] for end in found} == found
    assert max((one.total for one in every.values()), default=0) == max(
        (one.total for one in found.values()), default=0
    )


@given(windows_of_time, st.lists(instants, min_size=1, max_size=30))
def test_no_true_window_holds_more_than_what_is_counted(
    window: Window, times: list[datetime]
) -> None:
    held: dict[int, Count] = {}
    for instant in times:
        slot = rules.slot_of(window, instant, STOCKHOLM)
        held[slot] = rules.plus(held.get(slot, rules.NOTHING), Count(1))
    span = timedelta(minutes=window.minutes or 0, hours=window.hours or 0)
    truly = max(sum(end - span < one <= end for one in times) for end in times)
    most = max(one.sum.total for one in rules.windows(held, held.keys(), rules.length(window)))
    widened = span + timedelta(minutes=rules.slot_minutes(window))
    wider = max(sum(end - widened < one <= end for one in times) for end in times)
    assert truly <= most <= wider


@given(
    st.dictionaries(st.integers(0, 30), st.integers(1, 5)),
    st.integers(1, 10),
    st.integers(0, 12),
    st.integers(1, 12),
    st.integers(0, 30),
)
def test_the_time_that_a_refusal_names_is_the_first_at_which_it_works(
    held: dict[int, int], size: int, most: int, adding: int, since: int
) -> None:
    def works(slot: int) -> bool:
        raised = {**held, slot: held.get(slot, 0) + adding}
        sums = [
            sum(number for at, number in raised.items() if end - size < at <= end)
            for end in range(slot, slot + size)
        ]
        return max(sums) <= most

    found = rules.first_possible(held, size, most, adding, since)
    if adding > most:
        assert found is None
    else:
        assert found is not None
        assert found == next(slot for slot in range(since, since + 60) if works(slot))


@given(windows_of_time, instants)
def test_an_instant_lies_in_its_slot(window: Window, instant: datetime) -> None:
    slot = rules.slot_of(window, instant, STOCKHOLM)
    start = rules.slot_start(window, slot, STOCKHOLM)
    assert start <= instant < rules.slot_start(window, slot + 1, STOCKHOLM)


def test_days_are_those_of_the_coalition() -> None:
    window = Window(days=1)
    evening, midnight = datetime(2026, 11, 21, 22, 59, tzinfo=UTC), AT.replace(hour=23)
    slot = rules.slot_of(window, evening, STOCKHOLM)
    assert rules.slot_of(window, midnight, STOCKHOLM) == slot + 1
    assert rules.slot_start(window, slot + 1, STOCKHOLM) == midnight
    # A day on which clocks are set back is one day, too.
    long = datetime(2026, 10, 25, tzinfo=STOCKHOLM)
    assert rules.slot_start(window, rules.slot_of(window, long, STOCKHOLM) + 1, STOCKHOLM) - (
        long
    ) == timedelta(hours=25)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (["member"], f"member:{ANNA}"),
        (["card"], "card:00ff"),
        (["cashier"], "cashier:1/kim"),
        (["store"], "store:7"),
        (["partner"], "partner:1"),
        (["client"], "client:3"),
        (["cashier", "member"], f"cashier:1/kim member:{ANNA}"),
    ],
    ids=str,
)
def test_a_subject_is_named_by_what_the_act_says(subject: list[str], text: str) -> None:
    assert rules.subject_text(rule(subject=subject).document, act()) == text


@pytest.mark.parametrize("missing", ["card", "cashier", "store_no", "client_no"])
def test_an_act_that_does_not_name_the_subject_counts_for_nobody(missing: str) -> None:
    subject = missing.removesuffix("_no")
    found = rules.subject_text(rule(subject=["member", subject]).document, act(**{missing: None}))
    assert found is None


def test_two_cashiers_of_one_name_at_two_partners_are_two() -> None:
    document = rule(subject=["cashier"]).document
    one, other = (rules.subject_text(document, act(partner_no=no)) for no in (1, 2))
    assert one != other
    assert rules.key_of(1, one or "") != rules.key_of(1, other or "")


@pytest.mark.parametrize(
    ("measure", "kind", "given_", "count"),
    [
        ("issues", "issue", {}, Count(1)),
        ("issues", "redemption", {}, None),
        ("issued_points", "issue", {}, Count(100)),
        ("manual_points", "issue", {"is_manual": True}, Count(100)),
        ("manual_points", "issue", {}, None),
        ("redemptions", "redemption", {}, Count(1)),
        ("redeemed_points", "redemption", {}, Count(100)),
        ("reversals", "reversal", {}, Count(1)),
        ("reversal_percent", "reversal", {}, Count(0, 1)),
        ("reversal_percent", "issue", {}, Count(1)),
        ("distinct_members", "issue", {}, Count(1)),
        ("distinct_stores", "reversal", {}, None),
        ("duplicate_receipts", "duplicate_receipt", {}, Count(1)),
        ("duplicate_receipts", "issue", {}, None),
    ],
    ids=str,
)
def test_a_measure_counts_its_own_kind_of_acts(
    measure: str, kind: str, given_: dict[str, object], count: Count | None
) -> None:
    more: dict[str, object] = {"at_least": 5} if measure == "reversal_percent" else {}
    if measure.startswith("distinct"):
        more["window"] = {"days": 1}
    document = rule(measure=measure, **more).document
    assert rules.counts(document, act(kind=kind, **given_)) == count


@pytest.mark.parametrize(
    ("points", "is_counted"), [(89, False), (90, True), (99, True), (100, False)]
)
def test_acts_just_under_a_limit_are_told_apart(points: int, *, is_counted: bool) -> None:
    document = rule(points_from=90, points_to=99).document
    assert (rules.counts(document, act(points=points)) is not None) == is_counted


@pytest.mark.parametrize(
    ("total", "part", "is_passed"), [(9, 9, False), (10, 2, False), (10, 3, True), (0, 50, False)]
)
def test_a_percentage_is_judged_once_there_is_enough(
    total: int, part: int, *, is_passed: bool
) -> None:
    document = rule(measure="reversal_percent", most=20, at_least=10).document
    assert rules.is_passed(document, Count(total, part)) == is_passed
    assert rules.reached(document, Count(10, 3)) == 30


def test_only_rules_of_the_partner_and_the_kind_judge() -> None:
    all_, one = rule(mode="refuse"), rule(mode="confirm", partner=2)
    guards = ActiveGuards([all_, msgspec.structs.replace(one, no=2), rule(name="seen")])
    assert guards.judging(1, ActKind.REDEMPTION) == (all_,)
    assert [found.no for found in guards.judging(2, ActKind.REDEMPTION)] == [1, 2]
    assert guards.judging(1, ActKind.ISSUE) == ()
    assert len(guards.watched) == 1


@given(st.dictionaries(st.uuids(), st.binary(min_size=16, max_size=16), max_size=9))
def test_cards_come_back_by_the_end_of_their_posting(cards: dict[UUID, bytes]) -> None:
    packed = rules.pack_cards(cards.items())
    assert rules.unpack_cards(packed) == {
        posting.bytes[8:]: digest[:8].hex() for posting, digest in cards.items()
    }


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"measure": "kisses"}, "measure"),
        ({"surprise": 1}, "surprise"),
        ({"name": "Not A Name"}, "name"),
        ({"most": -1}, "most"),
        ({"subject": []}, "subject"),
        ({"subject": ["member", "member"]}, "named twice"),
        ({"window": None}, "redemptions needs a window"),
        ({"window": {}}, "exactly one of minutes, hours and days"),
        ({"window": {"days": 1, "hours": 1}}, "exactly one of minutes, hours and days"),
        ({"measure": "points_of_one_redemption"}, "needs no window"),
        ({"measure": "distinct_members"}, '{"days": 1}'),
        ({"measure": "reversal_percent"}, "at_least"),
        ({"at_least": 3}, "at_least"),
        ({"measure": "issues", "mode": "confirm"}, "only redemptions can be confirmed"),
        ({"measure": "reversals", "mode": "refuse"}, "can be refused"),
        ({"subject": ["store"], "mode": "freeze"}, "names the member or the card"),
        ({"points_from": 9, "points_to": 8}, "points_from is at most points_to"),
        ({"measure": "duplicate_receipts", "points_from": 9}, "whatever their points"),
    ],
    ids=str,
)
def test_a_document_that_does_not_fit_together_is_refused_with_what_would(
    wrong: dict[str, object], why: str
) -> None:
    with pytest.raises(InvalidGuard) as refused:
        rule(**wrong)
    assert why in refused.value.detail


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b'{"name": 1}'], ids=repr)
def test_what_is_no_document_at_all_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidGuard):
        parse(text)


def test_the_schema_knows_every_measure() -> None:
    shown = str(schema())
    assert all(measure in shown for measure in Measure)


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (Window(minutes=10), "10 minutes"),
        (Window(hours=1), "1 hour"),
        (Window(days=7), "7 days"),
    ],
    ids=str,
)
def test_a_window_has_words(window: Window, text: str) -> None:
    assert window.text == text
