"""Which rows of usage add up to what was used between days: whole months, and few single days.

Where a window begins within a month, the shorter side of that month is read by days: what comes
after the beginning is added, or what lies before it is taken away. So a window costs a row for
each of its months and at most fifteen days, whatever was used before it. Pure.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

_DAY = timedelta(days=1)
_MONTHS_BACK = 1000
"""Years by which the day of a whole month lies before it."""

_Days = tuple[date, date]


class Span(NamedTuple):
    """Rows to sum, by the first and the last of their days, and the windows that they count for."""

    first: date
    last: date
    counts: tuple[tuple[date, int], ...]
    """The day on which a window begins, and whether they are added to it (1) or taken away (-1)."""


def month_of(day: date) -> date:
    """Return the day under which all of the month of `day` is counted together."""
    return date(day.year - _MONTHS_BACK, day.month, 1)


def single_days(firsts: Sequence[date], last: date) -> list[Span]:
    """Return the days from each of `firsts` until the next, the latest until `last`."""
    ends = [*(first - _DAY for first in firsts[1:]), last]
    return [Span(first, end, ((first, 1),)) for first, end in zip(firsts, ends, strict=True)]


def days_and_months(firsts: Sequence[date], last: date) -> list[Span]:
    """Return the same, added up of months and few days.

    There is nothing after `last`: its month counts as a whole one.
    """
    counts: dict[_Days, list[tuple[date, int]]] = {}
    edges = [(first, *_edge(first, last)) for first in firsts]
    end = _next_month(last)
    for (first, begin, before), (_, until, inside) in pairwise((*edges, (end, end, {}))):
        signs = inside | {days: -sign for days, sign in before.items()}
        if begin != until:
            lower, upper = sorted((begin, until))
            signs[month_of(lower), month_of(upper - _DAY)] = 1 if begin < until else -1
        for days, sign in signs.items():
            counts.setdefault(days, []).append((first, sign))
    return [Span(*days, tuple(of)) for days, of in counts.items()]


def _edge(day: date, last: date) -> tuple[date, dict[_Days, int]]:
    """Return a first of a month, and the days that lie between it and `day` with their sign."""
    begins, after = day.replace(day=1), _next_month(day)
    if day == begins:
        return begins, {}
    if (min(after, last + _DAY) - day) <= (day - begins):
        return after, {(day, after - _DAY): -1}
    return begins, {(begins, day - _DAY): 1}


def _next_month(day: date) -> date:
    return (day.replace(day=28) + 4 * _DAY).replace(day=1)
