"""Billing periods: month ends, leap years, every interval, from the anchor alone."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.sandbox.calendar import Period, Recurrence, boundary, period_around, trial_end

MONTHLY = Recurrence("month")
YEARLY = Recurrence("year")


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def days_of(anchor: str, recurrence: Recurrence, turns: int) -> list[str]:
    return [
        f"{datetime.fromtimestamp(boundary(instant(anchor), recurrence, turn), UTC):%Y-%m-%d}"
        for turn in range(turns)
    ]


def test_a_month_that_is_too_short_ends_on_its_last_day_and_the_next_has_the_day_again() -> None:
    assert days_of("2027-01-31T09:30:15", MONTHLY, 6) == [
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
        "2027-05-31",
        "2027-06-30",
    ]


def test_a_leap_day_comes_again_each_leap_year_and_is_the_28th_between() -> None:
    assert days_of("2028-02-29T23:59:59", YEARLY, 5) == [
        "2028-02-29",
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
    ]


def test_a_quarter_and_a_fortnight_are_counts_of_a_month_and_a_week() -> None:
    assert days_of("2026-11-30T00:00:00", Recurrence("month", 3), 3) == [
        "2026-11-30",
        "2027-02-28",
        "2027-05-30",
    ]
    assert days_of("2026-11-30T00:00:00", Recurrence("week", 2), 3) == [
        "2026-11-30",
        "2026-12-14",
        "2026-12-28",
    ]


def test_the_time_of_day_of_the_anchor_is_kept() -> None:
    assert boundary(instant("2027-01-31T09:30:15"), MONTHLY, 1) == instant("2027-02-28T09:30:15")


def test_a_trial_has_whole_days() -> None:
    assert trial_end(instant("2027-02-20T10:00:00"), 14) == instant("2027-03-06T10:00:00")


def test_an_instant_on_a_boundary_is_in_the_period_that_begins() -> None:
    anchor = instant("2027-01-31T12:00:00")
    end = instant("2027-02-28T12:00:00")
    assert period_around(anchor, MONTHLY, end - 1) == Period(anchor, end)
    assert period_around(anchor, MONTHLY, end) == Period(end, instant("2027-03-31T12:00:00"))


@pytest.mark.parametrize("interval", ["day", "week", "month", "year"])
@settings(max_examples=25)
@given(
    anchor=st.integers(0, 4_000_000_000), at=st.integers(0, 4_000_000_000), count=st.integers(1, 6)
)
def test_every_instant_is_in_one_period_of_the_grid(
    interval: str, anchor: int, at: int, count: int
) -> None:
    recurrence = Recurrence(interval, count)
    period = period_around(anchor, recurrence, at)
    assert period.start <= at < period.end
    assert period_around(anchor, recurrence, period.end).start == period.end


@settings(max_examples=25)
@given(anchor=st.integers(0, 4_000_000_000))
def test_monthly_periods_follow_one_another_within_28_to_31_days(anchor: int) -> None:
    ends = [boundary(anchor, MONTHLY, turn) for turn in range(25)]
    assert all(28 <= (later - earlier) / 86_400 <= 31 for earlier, later in pairwise(ends))
