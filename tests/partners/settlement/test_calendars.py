"""Periods of all calendars and zones: gapless, named once, DST-correct."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coalition.federation.terms import Calendar
from partners.settlement.calendars import Period, beginning_of_day, next_period, period_at

OSLO = "Europe/Oslo"
ZONES = (
    *(OSLO, "America/Havana", "Asia/Beirut", "America/St_Johns", "Pacific/Kiritimati", "UTC"),
    *("Etc/GMT+12", "Pacific/Apia", "Australia/Lord_Howe", "America/Asuncion", "Africa/Cairo"),
)


def first(
    starts_at: datetime, calendar: Calendar, zone: str = OSLO, grace_hours: int = 0
) -> Period:
    return next_period(
        partner_no=7,
        previous=None,
        starts_at=starts_at,
        calendar=calendar,
        timezone=zone,
        grace_hours=grace_hours,
    )


def following(
    previous: Period, calendar: Calendar | None = None, zone: str | None = None
) -> Period:
    return next_period(
        partner_no=7,
        previous=previous,
        starts_at=previous.ends_at,
        calendar=calendar or previous.calendar,
        timezone=zone or previous.timezone,
        grace_hours=0,
    )


def local(period: Period) -> tuple[str, str, str]:
    zone = ZoneInfo(period.timezone)
    begin, end = (
        f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
        for instant in (period.starts_at, period.ends_at)
    )
    return period.name, begin, end


def midnight(day: str, zone: str = OSLO) -> datetime:
    return beginning_of_day(date.fromisoformat(day), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("calendar", "names"),
    [
        (Calendar.MONTHLY, ["2026-12", "2027-01", "2027-02"]),
        (Calendar.HALF_MONTHLY, ["2026-12-H2", "2027-01-H1", "2027-01-H2"]),
        (Calendar.WEEKLY, ["2026-W53", "2027-W01", "2027-W02"]),
        (Calendar.DAILY, ["2026-12-31", "2027-01-01", "2027-01-02"]),
    ],
)
def test_a_slot_is_named_by_its_calendar_also_over_new_year(
    calendar: Calendar, names: list[str]
) -> None:
    begun = first(midnight("2026-12-31"), calendar)
    second = following(begun)
    assert [begun.name, second.name, following(second).name] == names


def test_a_month_with_a_change_of_clocks_runs_from_midnight_to_midnight() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY)
    assert october.starts_at == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert october.ends_at == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_the_cut_off_comes_hours_of_grace_after_the_end() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY, grace_hours=36)
    assert october.cut_off_at == datetime(2026, 11, 2, 11, tzinfo=UTC)


def test_a_half_month_is_cut_after_the_fifteenth() -> None:
    half = first(midnight("2028-02-03"), Calendar.HALF_MONTHLY)
    assert local(half) == ("2028-02-H1", "2028-02-03 00:00", "2028-02-16 00:00")
    assert local(following(half)) == ("2028-02-H2", "2028-02-16 00:00", "2028-03-01 00:00")


def test_a_half_month_that_begins_on_its_last_day_has_that_day() -> None:
    half = first(midnight("2026-10-15"), Calendar.HALF_MONTHLY)
    assert local(half) == ("2026-10-H1", "2026-10-15 00:00", "2026-10-16 00:00")


def test_an_instant_told_in_another_zone_is_kept_in_utc() -> None:
    start = midnight("2026-10-01")
    period = first(start.astimezone(ZoneInfo(OSLO)), Calendar.MONTHLY)
    assert (period.starts_at, period.starts_at.tzinfo) == (start, UTC)


def test_a_period_begins_when_the_one_before_it_ends() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY)
    with pytest.raises(AssertionError, match="without a gap"):
        next_period(
            partner_no=7,
            previous=october,
            starts_at=october.ends_at + timedelta(hours=1),
            calendar=Calendar.MONTHLY,
            timezone=OSLO,
            grace_hours=0,
        )


def test_a_change_to_weeks_leaves_a_short_week_first() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY)
    short = following(october, Calendar.WEEKLY)
    assert local(short) == ("2026-W44", "2026-11-01 00:00", "2026-11-02 00:00")


def test_a_change_to_months_leaves_a_short_month_first() -> None:
    week = first(midnight("2026-10-26"), Calendar.WEEKLY)
    short = following(week, Calendar.MONTHLY)
    assert local(short) == ("2026-11", "2026-11-02 00:00", "2026-12-01 00:00")


def test_hours_that_a_zone_further_west_leaves_of_a_named_month_go_with_the_next() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY)
    joined = following(october, zone="America/New_York")
    assert local(joined) == ("2026-11", "2026-10-31 19:00", "2026-12-01 00:00")


def test_days_that_a_zone_far_east_has_left_behind_have_no_period() -> None:
    day = first(midnight("2026-10-01", "Etc/GMT+12"), Calendar.DAILY, "Etc/GMT+12")
    assert local(following(day, zone="Pacific/Kiritimati"))[0] == "2026-10-03"


def test_a_month_that_was_named_two_periods_ago_is_not_named_again() -> None:
    october = first(midnight("2026-10-01", "Pacific/Kiritimati"), Calendar.MONTHLY, ZONES[4])
    day = following(october, Calendar.DAILY)
    assert following(day, Calendar.MONTHLY, "Etc/GMT+12").name == "2026-11"


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("America/Havana", "2026-03-08", "2026-03-08T05:00"),  # 00:00 is 01:00
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),  # 00:00 comes twice
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30"),  # from 23:30 to 00:30
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # the day is left out
    ],
)
def test_a_day_begins_with_its_first_instant_however_clocks_change(
    zone: str, day: str, begins: str
) -> None:
    assert midnight(day, zone) == datetime.fromisoformat(begins).replace(tzinfo=UTC)


calendars = st.sampled_from(list(Calendar))
zones = st.sampled_from(ZONES)
days = st.dates(date(2000, 1, 1), date(2090, 12, 31))


@given(days, st.lists(st.tuples(calendars, zones), min_size=1, max_size=40), st.data())
@example(date(2011, 12, 28), [(Calendar.DAILY, "Pacific/Apia")] * 4, None)
def test_periods_are_gapless_named_once_and_hold_each_instant_once(
    day: date, changes: list[tuple[Calendar, str]], data: st.DataObject | None
) -> None:
    calendar, zone = changes[0]
    periods = [first(midnight(str(day), zone), calendar, zone)]
    for calendar, zone in changes[1:]:
        periods.append(following(periods[-1], calendar, zone))
    assert [period.no for period in periods] == list(range(1, len(periods) + 1))
    assert len({period.name for period in periods}) == len(periods)
    for period in periods:
        assert period.starts_at < period.ends_at <= period.cut_off_at
        assert period.ends_at - period.starts_at < timedelta(days=33)
        before_end = (period.ends_at - timedelta(seconds=1)).astimezone(ZoneInfo(period.timezone))
        assert before_end.date() < period.ends_at.astimezone(ZoneInfo(period.timezone)).date()
    if data is not None:
        span_s = int((periods[-1].ends_at - periods[0].starts_at).total_seconds())
        instant = periods[0].starts_at + timedelta(seconds=data.draw(st.integers(0, span_s - 1)))
        held = [one for one in periods if one.starts_at <= instant < one.ends_at]
        assert held == [period_at(periods, instant)]


def test_what_is_older_than_the_first_period_counts_as_in_it() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY)
    periods = [october, following(october)]
    assert period_at(periods, datetime(2026, 1, 1, tzinfo=UTC)) == october


def test_no_period_is_told_of_an_instant_that_none_reaches() -> None:
    october = first(midnight("2026-10-01"), Calendar.MONTHLY)
    assert period_at([october], october.ends_at - timedelta(seconds=1)) == october
    with pytest.raises(AssertionError, match="of partner 7 end before"):
        period_at([october], october.ends_at)
