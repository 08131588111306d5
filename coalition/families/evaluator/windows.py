"""Days, windows of days, and ages: pure calendar arithmetic in a zone.

Windows begin and end with local days. A day number that a month does not have is the month's last
day; whoever was born on 29 February grows older on 1 March in years without one.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from coalition.families.evaluator.acts import LIFETIME
from coalition.families.rule_sets.vocabulary import WindowKind

_DAY = timedelta(days=1)


class Window(NamedTuple):
    """A window of days; `length` counts days or months of a rolling one."""

    kind: WindowKind
    length: int = 1


@lru_cache(maxsize=1024)
def parsed(text: str) -> Window:
    """Return the window that a rule set writes as `text`, which was validated."""
    if not text.startswith("rolling "):
        return Window(WindowKind(text))
    _, length, unit = text.split(" ")
    return Window(WindowKind(f"rolling_{unit}"), int(length))


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the day that it is in `zone`."""
    return instant.astimezone(zone).date()


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of `day`, in `zone`.

    Where clocks skip midnight it is the instant of the skip, where they repeat it the first of the
    two.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return midnight.astimezone(UTC).astimezone(zone)


def hours_after(instant: datetime, hours: int, zone: ZoneInfo) -> datetime:
    """Return the instant so many hours of real time later, in `zone`."""
    return (instant.astimezone(UTC) + timedelta(hours=hours)).astimezone(zone)


def months_after(day: date, months: int) -> date:
    """Return the same day number `months` later (or earlier), clipped to the month's end."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def first_day(window: Window, today: date, anchor: date) -> date:
    """Return the first of the days that end with `today` and count together.

    `anchor` is the day on which the subject joined.
    """
    return _FIRST[window.kind](window.length, today, anchor)


def falls_out(window: Window, day: date, anchor: date) -> date | None:
    """Return the first day on which what was used on `day` no longer counts; None is never."""
    return _FALLS_OUT[window.kind](window.length, day, anchor)


def age(born: date, day: date) -> int:
    """Return the age in whole years on `day`."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def birthday(born: date, years: int) -> date:
    """Return the first day on which somebody is `years` old."""
    anniversary = months_after(born, 12 * years)
    return anniversary if anniversary.day == born.day else anniversary + _DAY


def _membership_year(today: date, anchor: date, later: int) -> date:
    """Return the anniversary on or before `today`, or that many years later."""
    years = today.year - anchor.year
    if months_after(anchor, 12 * years) > today:
        years -= 1
    return months_after(anchor, 12 * (years + later))


def _end_of_rolling_months(length: int, day: date, _anchor: date) -> date:
    later = months_after(day, length)
    return later if later.day == day.day else later + _DAY


_FIRST: dict[WindowKind, Callable[[int, date, date], date]] = {
    WindowKind.DAY: lambda _length, today, _anchor: today,
    WindowKind.CALENDAR_MONTH: lambda _length, today, _anchor: today.replace(day=1),
    WindowKind.CALENDAR_YEAR: lambda _length, today, _anchor: today.replace(month=1, day=1),
    WindowKind.MEMBERSHIP_YEAR: lambda _length, today, anchor: _membership_year(today, anchor, 0),
    WindowKind.ROLLING_DAYS: lambda length, today, _anchor: today - (length - 1) * _DAY,
    WindowKind.ROLLING_MONTHS: lambda length, today, _anchor: months_after(today, -length) + _DAY,
    WindowKind.LIFETIME: lambda _length, _today, _anchor: LIFETIME,
}

_FALLS_OUT: dict[WindowKind, Callable[[int, date, date], date | None]] = {
    WindowKind.DAY: lambda _length, day, _anchor: day + _DAY,
    WindowKind.CALENDAR_MONTH: lambda _length, day, _anchor: months_after(day.replace(day=1), 1),
    WindowKind.CALENDAR_YEAR: lambda _length, day, _anchor: date(day.year + 1, 1, 1),
    WindowKind.MEMBERSHIP_YEAR: lambda _length, day, anchor: _membership_year(day, anchor, 1),
    WindowKind.ROLLING_DAYS: lambda length, day, _anchor: day + length * _DAY,
    WindowKind.ROLLING_MONTHS: _end_of_rolling_months,
    WindowKind.LIFETIME: lambda _length, _day, _anchor: None,
}
