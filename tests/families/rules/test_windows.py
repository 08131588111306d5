"""Windows of days, first instants of days, and ages, also where calendars and clocks are odd."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.families.evaluator import windows
from coalition.families.evaluator.acts import LIFETIME
from tests.families.rules.slow import is_counted, opening

JOINED = date(2020, 3, 10)
DAYS = st.dates(date(2019, 1, 1), date(2033, 12, 31))
TEXTS = st.one_of(
    st.sampled_from(["day", "calendar_month", "calendar_year", "membership_year"]),
    st.integers(1, 400).map(lambda n: f"rolling {n} days"),
    st.integers(1, 30).map(lambda n: f"rolling {n} months"),
)
ZONES = [
    "Europe/Oslo",
    "Asia/Beirut",  # clocks skip midnight, and repeat the hour before
    "America/Havana",  # clocks skip midnight, and repeat the hour after
    "America/Santiago",
    "Atlantic/Azores",
    "Australia/Lord_Howe",  # half an hour
    "America/Nuuk",
    "Pacific/Apia",
]


@pytest.mark.parametrize(
    ("text", "today", "first"),
    [
        ("day", "2026-11-22", "2026-11-22"),
        ("calendar_month", "2026-02-28", "2026-02-01"),
        ("calendar_year", "2026-12-31", "2026-01-01"),
        ("membership_year", "2026-03-09", "2025-03-10"),
        ("membership_year", "2026-03-10", "2026-03-10"),
        ("rolling 1 days", "2026-03-01", "2026-03-01"),
        ("rolling 30 days", "2026-03-01", "2026-01-31"),
        ("rolling 6 months", "2026-07-15", "2026-01-16"),
        ("rolling 1 months", "2026-03-31", "2026-03-01"),
        ("rolling 1 months", "2028-03-31", "2028-03-01"),
        ("rolling 6 months", "2027-02-28", "2026-08-29"),
        ("rolling 12 months", "2028-02-29", "2027-03-01"),
    ],
)
def test_a_window_begins_with_a_local_day(text: str, today: str, first: str) -> None:
    found = windows.first_day(windows.parsed(text), date.fromisoformat(today), JOINED)
    assert found == date.fromisoformat(first)


@pytest.mark.parametrize(
    ("text", "day", "end"),
    [
        ("day", "2026-12-31", "2027-01-01"),
        ("calendar_month", "2026-12-15", "2027-01-01"),
        ("calendar_year", "2026-01-01", "2027-01-01"),
        ("membership_year", "2026-03-09", "2026-03-10"),
        ("membership_year", "2026-03-10", "2027-03-10"),
        ("rolling 30 days", "2026-01-30", "2026-03-01"),
        ("rolling 6 months", "2026-01-15", "2026-07-15"),
        ("rolling 6 months", "2026-08-31", "2027-03-01"),
        ("rolling 12 months", "2024-02-29", "2025-03-01"),
    ],
)
def test_what_was_used_falls_out_on_a_day(text: str, day: str, end: str) -> None:
    found = windows.falls_out(windows.parsed(text), date.fromisoformat(day), JOINED)
    assert found == date.fromisoformat(end)


def test_a_life_is_one_window_that_nothing_falls_out_of() -> None:
    lifetime = windows.parsed("lifetime")
    assert windows.first_day(lifetime, date(2026, 1, 1), JOINED) == LIFETIME
    assert windows.falls_out(lifetime, LIFETIME, JOINED) is None


def test_who_joined_on_29_february_begins_its_years_on_the_28th_where_there_is_no_29th() -> None:
    yearly, joined = windows.parsed("membership_year"), date(2024, 2, 29)
    assert windows.first_day(yearly, date(2025, 2, 27), joined) == date(2024, 2, 29)
    assert windows.first_day(yearly, date(2025, 2, 28), joined) == date(2025, 2, 28)
    assert windows.first_day(yearly, date(2028, 2, 28), joined) == date(2027, 2, 28)
    assert windows.falls_out(yearly, date(2027, 12, 1), joined) == date(2028, 2, 29)


@given(text=TEXTS, today=DAYS, back=st.integers(0, 1200), joined=DAYS)
def test_a_window_counts_the_days_that_a_slow_count_counts(
    text: str, today: date, back: int, joined: date
) -> None:
    window, day = windows.parsed(text), today - timedelta(days=back)
    counts = windows.first_day(window, today, joined) <= day
    assert counts == is_counted(text, day, today, joined)
    end = windows.falls_out(window, day, joined)
    assert end is not None
    assert not is_counted(text, day, end, joined)
    assert is_counted(text, day, end - timedelta(days=1), joined)


@given(day=st.dates(date(2026, 1, 1), date(2033, 12, 31)), name=st.sampled_from(ZONES))
def test_a_day_begins_where_a_slow_walk_finds_it(day: date, name: str) -> None:
    zone = ZoneInfo(name)
    begins = windows.start_of(day, zone)
    assert begins.astimezone(UTC) == opening(day, zone)
    assert begins.tzinfo is zone
    before = begins.astimezone(UTC) - timedelta(seconds=1)
    assert windows.local_day(begins, zone) == day > windows.local_day(before, zone)


def test_a_skipped_midnight_is_the_instant_of_the_skip() -> None:
    begins = windows.start_of(date(2027, 3, 28), ZoneInfo("Asia/Beirut"))
    assert begins.isoformat() == "2027-03-28T01:00:00+03:00"


def test_hours_are_of_real_time_over_a_change_of_clocks() -> None:
    began = datetime(2026, 10, 24, 10, tzinfo=UTC)
    zone = ZoneInfo("Europe/Oslo")
    assert windows.hours_after(began, 24, zone).isoformat() == "2026-10-25T11:00:00+01:00"


def test_an_age_is_reached_on_the_birthday_and_of_29_february_on_1_march() -> None:
    born = date(2008, 2, 29)
    assert windows.age(born, date(2026, 2, 28)) == 17
    assert windows.age(born, date(2026, 3, 1)) == 18
    assert windows.birthday(born, 18) == date(2026, 3, 1)
    assert windows.birthday(born, 20) == date(2028, 2, 29)


@given(born=DAYS, years=st.integers(0, 30))
def test_the_birthday_is_the_first_day_of_that_age(born: date, years: int) -> None:
    day = windows.birthday(born, years)
    assert windows.age(born, day) == years
    assert windows.age(born, day - timedelta(days=1)) == years - 1
