"""Where rules begin, end and take over from each other, to the instant, the line and the point."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from coalition.points.bonuses import active as module
from coalition.points.bonuses.active import in_force, period_name
from coalition.points.bonuses.compiled import Rule, RuleVersion, ready
from coalition.points.bonuses.evaluation import ActiveRules, evaluate
from tests.points.bonuses.world import (
    AT,
    BEGIN,
    FRUIT_AND_MORE,
    active,
    base_rates,
    basket,
    document,
    earned,
    multiplier,
    numbered,
)

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


def versions(*spans: tuple[datetime, datetime | None]) -> list[RuleVersion]:
    """Return versions of one rule, in order, each with 10 points more than the one before."""
    return [
        msgspec.structs.replace(
            one, no=no, root_no=1, version=no, valid_from=begins, valid_until=ends
        )
        for no, (begins, ends) in enumerate(spans, start=1)
        for one in numbered([document(effect={"kind": "bonus", "points": 10 * no})])
    ]


def held(*spans: tuple[datetime, datetime | None]) -> list[tuple[int, datetime, datetime | None]]:
    return [(one.no, begins, ends) for one, begins, ends in in_force(versions(*spans))]


def test_a_later_version_ends_the_one_before_where_it_begins() -> None:
    spans = (BEGIN, None), (BEGIN + DAY, None)
    assert held(*spans) == [(1, BEGIN, BEGIN + DAY), (2, BEGIN + DAY, None)]
    rules = ActiveRules(versions(*spans), base_rates())
    moments = (BEGIN + DAY - INSTANT, BEGIN + DAY)
    assert [evaluate(rules, basket(at=at), {}).points for at in moments] == [70, 80]


def test_a_version_ends_by_itself_or_by_the_next_whichever_is_first() -> None:
    early, late = BEGIN + DAY, BEGIN + 3 * DAY
    assert held((BEGIN, early), (late, None)) == [(1, BEGIN, early), (2, late, None)]
    assert held((BEGIN, late), (early, None)) == [(1, BEGIN, early), (2, early, None)]
    assert held((BEGIN, early), (early, None)) == [(1, BEGIN, early), (2, early, None)]


def test_what_holds_at_no_time_is_left_out_and_still_ends_the_ones_before() -> None:
    assert held((BEGIN, None), (BEGIN + DAY, BEGIN + DAY)) == [(1, BEGIN, BEGIN + DAY)]
    assert held((BEGIN, None), (BEGIN, None)) == [(2, BEGIN, None)]
    assert held((BEGIN + DAY, None), (BEGIN, None)) == [(2, BEGIN, None)]


def test_the_earliest_of_all_later_versions_ends_one_however_they_are_ordered() -> None:
    spans = (BEGIN, None), (BEGIN + 5 * DAY, None), (BEGIN + 2 * DAY, None)
    assert held(*spans) == [(1, BEGIN, BEGIN + 2 * DAY), (3, BEGIN + 2 * DAY, None)]
    backwards = in_force(reversed(versions(*spans)))
    assert [one.no for one, _, _ in backwards] == [1, 3]


@pytest.mark.parametrize(
    ("applies", "other"),
    [
        ({"partners": [1], "stores": ["S1"]}, {"store": "S2"}),
        ({"currency": "EUR"}, {"currency": "SEK"}),
        ({"tiers": ["gold"]}, {"tier": "silver"}),
        ({"plans": ["plus"]}, {"plan": "basic"}),
        ({"segments": ["a"]}, {"segments": frozenset({"b"})}),
        ({"flags": ["x"]}, {"flags": frozenset({"y"})}),
        ({"categories": ["fruit"]}, {"lines": ()}),
    ],
    ids=str,
)
def test_what_one_basket_meets_is_not_remembered_for_one_that_differs_in_one_thing(
    applies: dict[str, Any], other: dict[str, Any]
) -> None:
    fitting = {
        "store": "S1",
        "currency": "EUR",
        "tier": "gold",
        "plan": "plus",
        "segments": frozenset({"a"}),
        "flags": frozenset({"x"}),
        "lines": FRUIT_AND_MORE,
    }
    for first, second in ((fitting, fitting | other), (fitting | other, fitting)):
        rules = active(document(applies_to=applies))
        met = [len(rules.candidates(basket(**given))) for given in (first, second, first)]
        assert met == ([1, 0, 1] if first is fitting else [0, 1, 0])


def test_a_condition_about_measures_is_judged_anew_where_there_are_any() -> None:
    rules = active(document(condition="basket.measures['visits'] > 0"))
    without, some = basket(), basket(measures={"visits": 1})
    assert [evaluate(rules, one, {}).points for one in (without, some, without)] == [60, 70, 60]


def test_what_is_remembered_is_bounded_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_MOST", 2)
    rules = active(document(applies_to={"tiers": ["gold"]}))
    tiers = ("gold", "a", "b", "gold", "c", "gold")
    met = [len(rules.candidates(basket(tier=tier))) for tier in tiers]
    assert met == [1, 0, 0, 1, 0, 1]


def test_a_rule_of_another_partner_is_no_candidate_and_one_of_none_is_everybodys() -> None:
    rules = active(
        document("theirs", applies_to={"partners": [2]}),
        document("ours", applies_to={"partners": [1]}),
        document("all"),
    )
    assert [rule.code for rule in rules.candidates(basket())] == ["ours", "all"]
    assert [rule.code for rule in rules.candidates(basket(partner_no=2))] == ["theirs", "all"]


def test_a_members_own_bonus_takes_its_place_in_the_order_and_holds_to_the_instant() -> None:
    (given,) = numbered([document("own", stacking={"order": 50})])
    own: Rule = msgspec.structs.replace(
        ready(given), no=99, root_no=99, begins=AT, ends=AT + DAY, tiers=frozenset({"gold"})
    )
    rules = active(document("early", stacking={"order": 1}), document("late"))

    def met(at: datetime, tier: str = "gold") -> list[str]:
        bought = basket(at=at, personal=(own,), tier=tier)
        return [rule.code for rule in rules.candidates(bought)]

    assert met(AT) == ["early", "own", "late"]
    assert met(AT + DAY - INSTANT) == ["early", "own", "late"]
    assert met(AT - INSTANT) == ["early", "late"]
    assert met(AT + DAY) == ["early", "late"]
    assert met(AT, "silver") == ["early", "late"]


@pytest.mark.parametrize(
    ("hours", "points"),
    [("17:00-18:00", 70), ("16:00-17:00", 60), ("17:00-17:01", 70), ("17:01-18:00", 60)],
)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(
    hours: str, points: int
) -> None:
    found = earned({"effect": {"kind": "bonus", "points": 10}, "applies_to": {"hours": [hours]}})
    assert found.points == points


def test_lines_that_a_measure_stands_for_have_no_base_to_multiply() -> None:
    instead = {
        "effect": {"kind": "per_measure", "points": 3, "measure": "quantity"},
        "applies_to": {"categories": ["fruit"]},
        "stacking": {"combine": "replaces_base"},
    }
    found = earned(
        instead,
        multiplier("3", applies_to={"categories": ["fruit"]}),
        lines=[(2000, "fruit", 2), (4000, "fish")],
    )
    # Two pieces of fruit at 3, 40 of the base for the fish, and twice nothing.
    assert [share.points for share in found.shares] == [40, 6]


def test_a_rate_that_comes_too_late_names_who_had_its_lines_first() -> None:
    def rate(name: str, categories: list[str], order: int) -> dict[str, Any]:
        return {
            "name": name,
            "effect": {"kind": "rate", "points": 1, "per_minor": 100},
            "applies_to": {"categories": categories},
            "stacking": {"order": order},
        }

    found = earned(
        rate("Fruit", ["fruit"], 1),
        rate("Fish", ["fish"], 2),
        rate("Both", ["fruit", "fish"], 3),
        lines=[(2000, "fruit"), (4000, "fish")],
    )
    (late,) = [reason for reason in found.reasons if "stands in place" in reason.text]
    assert late.text.endswith("Fruit stands in place of the base rate already")
    assert found.points == 60


@pytest.mark.parametrize(
    ("day", "week", "month"),
    [
        ("2026-12-31", "week:2026-W53", "month:2026-12"),
        ("2027-01-03", "week:2026-W53", "month:2027-01"),
        ("2027-01-04", "week:2027-W01", "month:2027-01"),
    ],
)
def test_weeks_of_the_turn_of_the_year_keep_their_year(day: str, week: str, month: str) -> None:
    local = datetime.fromisoformat(f"{day}T12:00:00")
    assert period_name("week", local) == week
    assert period_name("month", local) == month
    assert period_name("year", local) == f"year:{day[:4]}"
    assert period_name("campaign", local) == "campaign"
