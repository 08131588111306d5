"""When billing periods and trials begin and end, reckoned from an anchor, in Unix seconds (UTC).

A period ends where the anchor's day comes round again, at the anchor's time of day. In a month
that is too short for that day it is the month's last day, and the next month has the day again:
31 January, 28 February, 31 March (docs.stripe.com/billing/subscriptions/billing-cycle).
"""

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

DAY_S = 86_400
HOUR_S = 3_600

_FIXED_S = {"day": DAY_S, "week": 7 * DAY_S}
_MONTHS = {"month": 1, "year": 12}


class Recurrence(NamedTuple):
    """How often a price is charged: each `every` days, weeks, months or years."""

    interval: str
    every: int = 1

    @classmethod
    def of(cls, price: Mapping[str, object]) -> "Recurrence":
        """Read it from a recurring price as Stripe shows it."""
        recurring = price["recurring"]
        assert isinstance(recurring, Mapping)
        return cls(str(recurring["interval"]), int(recurring["interval_count"]))


class Period(NamedTuple):
    """From `start` to just before `end`."""

    start: int
    end: int


def boundary(anchor: int, recurrence: Recurrence, turns: int) -> int:
    """Return the instant `turns` periods after the anchor; a negative number goes back."""
    if recurrence.interval in _FIXED_S:
        return anchor + turns * recurrence.every * _FIXED_S[recurrence.interval]
    return _months_later(anchor, turns * recurrence.every * _MONTHS[recurrence.interval])


def period_around(anchor: int, recurrence: Recurrence, at: int) -> Period:
    """Return the period of the anchor's grid that holds `at`."""
    turns = _turns_before(anchor, recurrence, at)
    while boundary(anchor, recurrence, turns + 1) <= at:
        turns += 1
    while boundary(anchor, recurrence, turns) > at:
        turns -= 1
    return Period(boundary(anchor, recurrence, turns), boundary(anchor, recurrence, turns + 1))


def trial_end(start: int, days: int) -> int:
    """Return when a trial of so many whole days ends."""
    return start + days * DAY_S


def _turns_before(anchor: int, recurrence: Recurrence, at: int) -> int:
    """Guess from the mean length of a period; whoever asks mends it by a step or two."""
    mean_s = _FIXED_S.get(recurrence.interval) or 30.436875 * DAY_S * _MONTHS[recurrence.interval]
    return int((at - anchor) / (mean_s * recurrence.every))


def _months_later(instant: int, months: int) -> int:
    moment = datetime.fromtimestamp(instant, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp())
