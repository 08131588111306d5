"""An evaluator of limits that is slow and plain, written from the words of the specification."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def is_counted(text: str, day: date, today: date, joined: date) -> bool:
    """Tell whether what was used on `day` counts on `today`, which is no earlier."""
    kind, *rolling = text.split(" ")
    if kind == "rolling":
        length = int(rolling[0])
        if rolling[1] == "days":
            return (today - day).days < length
        return _whole_months(day, today) < length
    same = {
        "day": day == today,
        "calendar_month": (day.year, day.month) == (today.year, today.month),
        "calendar_year": day.year == today.year,
        "membership_year": _years(joined, day) == _years(joined, today),
        "lifetime": True,
    }
    return same[kind]


def opening(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day, found by walking from the noon before it."""
    instant = datetime.combine(day - timedelta(days=1), time(0), UTC)
    while instant.astimezone(zone).date() < day:
        instant += timedelta(minutes=15)
    return instant


def first_day_with_room(
    text: str,
    uses: Sequence[tuple[date, int]],
    *,
    adds: int,
    most: int,
    today: date,
    joined: date,
) -> date | None:
    """Return the first later day on which what counts and what is added are no more than `most`."""
    for ahead in range(1, 1500):
        day = today + timedelta(days=ahead)
        counted = sum(size for used, size in uses if is_counted(text, used, day, joined))
        if counted + adds <= most:
            return day
    return None


def _whole_months(since: date, day: date) -> int:
    months = (day.year - since.year) * 12 + day.month - since.month
    return months - 1 if day.day < since.day else months


def _years(joined: date, day: date) -> int:
    """Return the number of the membership year that a day lies in."""
    anniversary = (joined.month, joined.day)
    if anniversary == (2, 29) and not _has_29_february(day.year):
        anniversary = (2, 28)
    years = day.year - joined.year
    return years - 1 if (day.month, day.day) < anniversary else years


def _has_29_february(year: int) -> bool:
    return (date(year, 3, 1) - timedelta(days=1)).day == 29
