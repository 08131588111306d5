"""What a plan gives by the month: which months are due, what each still lacks, what goes back.

Pure. A month of a membership counts from when it was first paid for (or given), so a change of plan
or interval begins no other month. In one month the plan with the most points counts, less what was
given in it before: whoever goes up has the difference, and whoever goes down and up again nothing.
Nothing is given for a trial or in grace, since it could not be taken away again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from billing.benefits.entitlements import Entitlement, Ground
from billing.plans.documents import MonthlyPoints
from coalition.ledger.clocks import months_later

GIVING = frozenset({Ground.PAID, Ground.GIFT, Ground.COMPED, Ground.SPONSORED})
"""What has to stand behind a month in which points are given."""

Monthly = Mapping[int, Sequence[MonthlyPoints]]
"""By plan version: what it gives by the month."""


class Given(NamedTuple):
    """Points that were given in a month of a membership, and not taken back."""

    month: int
    no: int
    plan_no: int
    benefit: str
    points: int


class Owing(NamedTuple):
    """Points that a month lacks, by a benefit of a plan."""

    month: int
    plan_no: int
    benefit: MonthlyPoints
    points: int


class Outlook(NamedTuple):
    """What is to be done of a membership now, and when to look again; None is not at all."""

    months_from: datetime | None
    owing: tuple[Owing, ...]
    taken_back: tuple[Given, ...]
    next_at: datetime | None


def look(
    entitlements: Sequence[Entitlement],
    given: Sequence[Given],
    monthly: Monthly,
    *,
    months_from: datetime | None,
    at: datetime,
) -> Outlook:
    """Return what months that have begun lack or have too much, by all that is known at `at`."""
    giving = [one for one in entitlements if one.ground in GIVING]
    # What was taken back in the second in which it came was for no time, and counts no months.
    start = months_from or min(
        (one.begins for one in giving if one.begins < one.ends), default=None
    )
    if start is None:
        return Outlook(None, (), (), None)
    owing: list[Owing] = []
    back: list[Given] = []
    month = 0
    while (begins := beginning(start, month)) <= at:
        within = _within(giving, begins, beginning(start, month + 1), at)
        had = [one for one in given if one.month == month]
        best = _best((one for one in within if not one.taken_back), monthly)
        most = _sum_of(best, monthly)
        if best is not None:
            owing += _lacking(month, best, monthly[best], sum(one.points for one in had))
        if any(one.taken_back for one in within):
            back += _surplus(had, most)
        month += 1
    return Outlook(start, tuple(owing), tuple(back), _next(giving, begins, at))


def beginning(start: datetime, month: int) -> datetime:
    """Return when a month begins: on the same day, or the last one of a month that is shorter."""
    local = start.astimezone(UTC)
    return datetime.combine(months_later(local.date(), month), local.timetz())


def _within(
    giving: Iterable[Entitlement], begins: datetime, ends: datetime, at: datetime
) -> list[Entitlement]:
    """Return the entitlements that have begun by `at` and hold in a month."""
    return [
        one
        for one in giving
        if one.begins < ends
        and (one.ends > begins or one.begins == one.ends >= begins)
        and one.begins <= at
    ]


def _best(entitlements: Iterable[Entitlement], monthly: Monthly) -> int | None:
    """Return the plan that gives the most points, the first of them; None where none gives any."""
    plans = [one.plan_no for one in entitlements if monthly.get(one.plan_no)]
    return max(plans, key=lambda no: _sum_of(no, monthly), default=None)


def _sum_of(plan_no: int | None, monthly: Monthly) -> int:
    return 0 if plan_no is None else sum(one.points for one in monthly[plan_no])


def _lacking(
    month: int, plan_no: int, benefits: Sequence[MonthlyPoints], had: int
) -> Iterable[Owing]:
    """Yield what the benefits give, in their order, beyond what was had."""
    for benefit in benefits:
        covered = min(had, benefit.points)
        had -= covered
        if benefit.points > covered:
            yield Owing(month, plan_no, benefit, benefit.points - covered)


def _surplus(had: Sequence[Given], most: int) -> list[Given]:
    """Return what was given beyond `most`, the last first, whole grants only."""
    left = sum(one.points for one in had)
    back = []
    for one in sorted(had, key=lambda given: -given.no):
        if left - one.points >= most:
            back.append(one)
            left -= one.points
    return back


def _next(giving: Iterable[Entitlement], month_begins: datetime, at: datetime) -> datetime | None:
    """Return the next instant at which a month may lack something."""
    coming = [one.begins for one in giving if one.begins > at]
    coming += [month_begins for one in giving if one.begins <= at and one.ends > month_begins]
    return min(coming, default=None)
