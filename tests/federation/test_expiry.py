"""The last day on which points can be spent, held against the calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.expiry import earned_month, last_spendable_day
from coalition.federation.terms import ExpiryRule

ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Stockholm", "America/Sao_Paulo", "Pacific/Kiritimati", "Etc/GMT+12")
]

instants = st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
zones = st.sampled_from(ZONES)
months = st.integers(0, 600)


@given(earned_at=instants, expiry_months=months, zone=zones)
def test_points_end_with_the_month_that_is_n_months_after_the_earned_one(
    earned_at: datetime, expiry_months: int, zone: ZoneInfo
) -> None:
    last = last_spendable_day(earned_at, expiry_months=expiry_months, zone=zone)
    assert last is not None
    assert (last + timedelta(days=1)).day == 1
    local = earned_at.astimezone(zone)
    assert (last.year - local.year) * 12 + last.month - local.month == expiry_months
    assert last >= local.date()


@given(earned_at=instants, zone=zones)
def test_points_without_expiry_never_end(earned_at: datetime, zone: ZoneInfo) -> None:
    assert last_spendable_day(earned_at, expiry_months=None, zone=zone) is None


@given(earlier=instants, later=instants, expiry_months=months, zone=zones)
def test_points_end_in_the_order_in_which_they_were_earned(
    earlier: datetime, later: datetime, expiry_months: int, zone: ZoneInfo
) -> None:
    earlier, later = sorted((earlier, later))
    first = last_spendable_day(earlier, expiry_months=expiry_months, zone=zone)
    second = last_spendable_day(later, expiry_months=expiry_months, zone=zone)
    assert first is not None
    assert second is not None
    assert first <= second
    if earned_month(earlier, zone) == earned_month(later, zone):
        assert first == second


@pytest.mark.parametrize(
    ("earned_at", "expiry_months", "zone", "last"),
    [
        ("2026-11-21T12:00Z", 24, "Europe/Stockholm", date(2028, 11, 30)),
        ("2027-02-28T12:00Z", 12, "Europe/Stockholm", date(2028, 2, 29)),
        ("2028-02-29T12:00Z", 12, "Europe/Stockholm", date(2029, 2, 28)),
        ("2026-01-31T12:00Z", 1, "Europe/Stockholm", date(2026, 2, 28)),
        ("2026-12-31T22:59Z", 1, "Europe/Stockholm", date(2027, 1, 31)),
        ("2026-12-31T23:00Z", 1, "Europe/Stockholm", date(2027, 2, 28)),
        ("2026-01-01T02:59Z", 1, "America/Sao_Paulo", date(2026, 1, 31)),
        ("2099-12-15T12:00Z", 600, "UTC", date(2149, 12, 31)),
    ],
    ids=[
        "two years",
        "into a leap year",
        "out of a leap day",
        "a short month",
        "just before new year in the zone",
        "just after new year in the zone",
        "still last year in the west",
        "the furthest",
    ],
)
def test_expiry_by_example(earned_at: str, expiry_months: int, zone: str, last: date) -> None:
    instant = datetime.fromisoformat(earned_at)
    assert last_spendable_day(instant, expiry_months=expiry_months, zone=ZoneInfo(zone)) == last


def test_the_earned_month_is_that_of_the_coalitions_zone() -> None:
    instant = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert earned_month(instant, ZoneInfo("UTC")) == 202612
    assert earned_month(instant, ZoneInfo("Europe/Stockholm")) == 202701


@given(earned_at=instants, zone=zones)
def test_the_earned_month_is_the_month_on_the_wall_calendar(
    earned_at: datetime, zone: ZoneInfo
) -> None:
    local = earned_at.astimezone(zone)
    assert earned_month(earned_at, zone) == local.year * 100 + local.month
    assert earned_month(local, zone) == local.year * 100 + local.month


@given(earned_at=instants, expiry_months=months, zone=zones)
def test_points_end_on_the_same_day_n_months_later_or_on_the_last_of_a_shorter_month(
    earned_at: datetime, expiry_months: int, zone: ZoneInfo
) -> None:
    last = last_spendable_day(
        earned_at, expiry_months=expiry_months, zone=zone, rule=ExpiryRule.MONTHS
    )
    assert last is not None
    earned = earned_at.astimezone(zone).date()
    assert (last.year - earned.year) * 12 + last.month - earned.month == expiry_months
    assert last.day == earned.day or (last.day < earned.day and (last + timedelta(days=1)).day == 1)


@given(earned_at=instants, expiry_months=months, zone=zones)
def test_points_end_with_the_year_in_which_that_day_lies(
    earned_at: datetime, expiry_months: int, zone: ZoneInfo
) -> None:
    that_day, last = (
        last_spendable_day(earned_at, rule=rule, expiry_months=expiry_months, zone=zone)
        for rule in (ExpiryRule.MONTHS, ExpiryRule.END_OF_YEAR)
    )
    assert that_day is not None
    assert last == date(that_day.year, 12, 31)


@given(earned_at=instants, zone=zones)
def test_points_that_never_expire_have_no_last_day(earned_at: datetime, zone: ZoneInfo) -> None:
    rule = ExpiryRule.NEVER
    assert last_spendable_day(earned_at, expiry_months=None, zone=zone, rule=rule) is None
