"""Cuts time into the settlement periods of a partner: pure calendar arithmetic in the zone.

A period runs from one local midnight to another and is named by its slot of the calendar:
`2026-10`, `2026-10-H1` (1st to 15th) and `-H2`, `2026-W41` (ISO 8601: Monday to Monday, the ISO
year), or the day. Periods follow each other without a gap, so what is left of a slot after a change
of calendar is a short period of its own. The hours by which a change of zone moves midnight go with
the slot that follows: a name is used once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from coalition.federation.terms import Calendar

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_FIRST_HALF_DAYS = 15


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """One partner's slot: from `starts_at`, up to but not including `ends_at`; both UTC.

    From `cut_off_at` on it may be sealed. `no` counts from 1 per partner.
    """

    partner_no: int
    no: int
    name: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    calendar: Calendar
    timezone: str


def next_period(
    *,
    partner_no: int,
    previous: Period | None,
    starts_at: datetime,
    calendar: Calendar,
    timezone: str,
    grace_hours: int,
) -> Period:
    """Return the period that begins at `starts_at`, which is when `previous` ends.

    It ends with the slot of `calendar` in `timezone` that its first day lies in, or the next one
    where that slot has had its period. The cut-off is `grace_hours` of time after the end.
    """
    assert previous is None or previous.ends_at == starts_at, "periods follow without a gap"
    zone = ZoneInfo(timezone)
    first_day = starts_at.astimezone(zone).date()
    if previous is not None:
        # A clock further west still shows a day that the previous period was named by.
        first_day = max(first_day, _day_after(previous))
    name, day_after = _slot(calendar, first_day)
    ends_at = beginning_of_day(day_after, zone)
    return Period(
        partner_no=partner_no,
        no=1 if previous is None else previous.no + 1,
        name=name,
        starts_at=starts_at.astimezone(UTC),
        ends_at=ends_at,
        cut_off_at=ends_at + timedelta(hours=grace_hours),
        calendar=calendar,
        timezone=timezone,
    )


def period_at(periods: Sequence[Period], instant: datetime) -> Period:
    """Return the one of a partner's `periods`, ascending, that `instant` lies in.

    What is older than the first counts as in the first. `periods` reach beyond `instant`.
    """
    position = bisect_right(periods, instant, key=lambda period: period.starts_at)
    found = periods[max(position - 1, 0)]
    assert instant < found.ends_at, f"periods of partner {found.partner_no} end before {instant}"
    return found


def beginning_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of `day` in `zone`, in UTC.

    Where clocks skip midnight it is the instant of the skip; where they repeat it, the first of the
    two; where a whole day is skipped, the beginning of the next.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    earliest = midnight.replace(fold=1).astimezone(UTC)  # skipped: the later offset, so before it
    skipped_s = range(int((instant - earliest).total_seconds()))
    return earliest + _SECOND * bisect_left(
        skipped_s, day, key=lambda s: (earliest + _SECOND * s).astimezone(zone).date()
    )


def _day_after(period: Period) -> date:
    """Return the day, in the period's own zone, with which the next one begins."""
    return period.ends_at.astimezone(ZoneInfo(period.timezone)).date()


def _slot(calendar: Calendar, day: date) -> tuple[str, date]:
    """Return the name of the slot that `day` lies in and the day after it."""
    match calendar:
        case Calendar.DAILY:
            return day.isoformat(), day + _DAY
        case Calendar.WEEKLY:
            year, week, weekday = day.isocalendar()
            return f"{year}-W{week:02}", day + _DAY * (8 - weekday)
        case Calendar.HALF_MONTHLY if day.day <= _FIRST_HALF_DAYS:
            return f"{day:%Y-%m}-H1", day.replace(day=_FIRST_HALF_DAYS + 1)
        case Calendar.HALF_MONTHLY:
            return f"{day:%Y-%m}-H2", _month_after(day)
    assert calendar == Calendar.MONTHLY, "every other calendar has had its case"
    return f"{day:%Y-%m}", _month_after(day)


def _month_after(day: date) -> date:
    """Return the first day of the next month."""
    return (day.replace(day=28) + 4 * _DAY).replace(day=1)
