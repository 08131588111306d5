"""Shares of a period, exact to the second and to the minor unit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.sandbox.calendar import DAY_S, Period
from billing.sandbox.dunning import Timetable
from billing.sandbox.proration import percent_of, share, spread, tax_upon, tax_within

JUNE = Period(0, 30 * DAY_S)


def test_half_a_period_is_half_the_amount() -> None:
    assert share(990, JUNE, 15 * DAY_S) == 495


def test_halves_are_rounded_away_from_zero_for_charge_and_credit_alike() -> None:
    assert share(99, JUNE, 15 * DAY_S) == 50
    assert share(-99, JUNE, 15 * DAY_S) == -50


def test_a_second_counts() -> None:
    assert share(30 * DAY_S, JUNE, 1) == 30 * DAY_S - 1


def test_before_the_period_it_is_whole_and_after_it_nothing() -> None:
    assert share(990, JUNE, -5) == 990
    assert share(990, JUNE, 31 * DAY_S) == 0
    assert share(990, Period(5, 5), 5) == 0


@settings(max_examples=50)
@given(
    amount=st.integers(-(10**9), 10**9),
    weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
)
def test_the_parts_of_an_amount_sum_to_it(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == (amount if sum(weights) else 0)


@pytest.mark.parametrize(
    ("amount", "percentage", "tax"), [(12500, "25", 2500), (990, "25.0", 198), (1000, "7.7", 71)]
)
def test_tax_within_a_price_is_part_of_it(amount: int, percentage: str, tax: int) -> None:
    assert tax_within(amount, percentage) == tax


def test_tax_upon_a_price_comes_on_top() -> None:
    assert tax_upon(1000, "8.875") == 89


def test_a_discount_of_a_part_of_a_per_cent() -> None:
    assert percent_of(9900, 12.5) == 1238


def test_a_failed_payment_is_tried_again_on_each_day_of_the_timetable_and_then_no_more() -> None:
    timetable = Timetable((1, 3, 7))
    assert [timetable.next_attempt(100, attempts) for attempts in range(5)] == [
        None,
        100 + DAY_S,
        100 + 3 * DAY_S,
        100 + 7 * DAY_S,
        None,
    ]
