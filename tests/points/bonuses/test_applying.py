"""Which rules a basket meets: place, lines, amount, member, hours, and the time they hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coalition.points.bonuses.evaluation import ActiveRules, evaluate
from coalition.points.rules import EarningRules
from tests.points.bonuses.world import (
    AT,
    BEGIN,
    FRUIT_AND_MORE,
    active,
    base_rates,
    basket,
    bonus,
    document,
    earned,
    numbered,
    texts,
)

BASE_TEXT = (60, "1 point per 1.00 EUR of 60.00 EUR, rounded down")


@pytest.mark.parametrize(
    ("applies", "of_basket"),
    [
        ({"partners": [2]}, {}),
        ({"partners": [1], "stores": ["S2"]}, {}),
        ({"currency": "SEK"}, {}),
        ({"currency": "EUR", "least": {"amount_minor": 6001}}, {}),
        (
            {"categories": ["fruit"], "currency": "EUR",
             "least": {"amount_minor": 2701, "of": "lines"}},
            {"lines": FRUIT_AND_MORE},
        ),
        ({"categories": ["fish"]}, {"lines": FRUIT_AND_MORE}),
        ({"categories": ["fruit"]}, {}),
        ({"tiers": ["gold"]}, {"tier": "silver"}),
        ({"plans": ["plus"]}, {}),
        ({"segments": ["student"]}, {"segments": ("senior",)}),
        ({"flags": ["tester"]}, {}),
        ({"weekdays": ["mon", "sun"]}, {}),
        ({"hours": ["08:00-17:00"]}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_is_about_something_else_gives_nothing(
    applies: dict[str, Any], of_basket: dict[str, Any]
) -> None:
    found = earned(bonus(10, applies_to=applies), **of_basket)
    assert (found.points, texts(found)) == (60, [BASE_TEXT])


@pytest.mark.parametrize(
    ("applies", "of_basket"),
    [
        ({"partners": [1, 2], "stores": ["S1"]}, {}),
        ({"currency": "EUR", "least": {"amount_minor": 6000}}, {}),
        (
            {"categories": ["fruit"], "currency": "EUR",
             "least": {"amount_minor": 2700, "of": "lines"}},
            {"lines": FRUIT_AND_MORE},
        ),
        ({"tiers": ["gold", "silver"], "plans": ["plus"]}, {"tier": "silver", "plan": "plus"}),
        ({"segments": ["student", "a"]}, {"segments": ("senior", "student")}),
        ({"flags": ["tester"]}, {"flags": ("tester",)}),
        ({"weekdays": ["sat"], "hours": ["08:00-12:00", "17:00-17:01"]}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_is_about_this_basket_gives_its_points(
    applies: dict[str, Any], of_basket: dict[str, Any]
) -> None:
    assert earned(bonus(10, applies_to=applies), **of_basket).points == 70


@pytest.mark.parametrize(("hour", "points"), [(21, 60), (22, 70), (23, 70), (1, 70), (2, 60)])
def test_hours_may_go_over_midnight(hour: int, points: int) -> None:
    at = datetime(2026, 1, 15, hour, 0, tzinfo=UTC) - timedelta(hours=1)  # winter in Oslo
    found = earned(bonus(10, applies_to={"hours": ["22:00-02:00"]}), at=at)
    assert found.points == points


def test_a_rule_holds_from_its_beginning_to_its_end() -> None:
    ends = BEGIN + timedelta(days=2)
    rules = ActiveRules(numbered([document()], valid_until=ends), base_rates())
    second = timedelta(seconds=1)
    points = [
        evaluate(rules, basket(at=at), {}).points
        for at in (BEGIN, ends - second, ends, ends + second)
    ]
    assert points == [70, 70, 60, 60]
    before = evaluate(rules, basket(at=BEGIN - second), {})
    assert not before.is_ruled


def test_a_rule_is_found_by_time_in_whatever_zone() -> None:
    rules = active(document())
    local = AT.astimezone(basket().local.tzinfo)
    assert evaluate(rules, basket(at=local), {}).points == 70
    assert evaluate(ActiveRules((), EarningRules(())), basket(), {}).points == 0


def test_a_version_is_known_by_its_number() -> None:
    rules = active(document("one"), document("two"))
    assert (rules.numbered(2).code, rules.needs_standings) == ("two", False)
    assert active(document(applies_to={"tiers": ["gold"]})).needs_standings


def test_many_kinds_of_members_are_told_apart_and_then_forgotten() -> None:
    rules = active(document(applies_to={"segments": ["s3"]}))
    for number in range(1100):
        found = evaluate(rules, basket(segments=frozenset({f"s{number}"})), {})
        assert found.points == (70 if number == 3 else 60)
