"""Clocks: points that live as long as their holder is active, and what counts as activity.

A clock is a rule (so many months after the last activity); `holder_clock` says for each holder,
point currency and clock through which day its points live. Only holders that have points under a
clock have a row, and a database without clocks is never asked for any.
"""

import calendar
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.accounts import Kind

_REGISTER = """
INSERT INTO expiry_clock (no, months, counts_issue, counts_redeem)
SELECT coalesce(max(no), 0) + 1, $1, $2, $3 FROM expiry_clock
ON CONFLICT (months, counts_issue, counts_redeem) DO NOTHING
"""

_ALL = "SELECT no, months, counts_issue, counts_redeem FROM expiry_clock ORDER BY no"

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_LAPSED = """
SELECT DISTINCT asked.holder
FROM unnest($1::int2[], $2::uuid[]) AS asked (bucket, holder), LATERAL (
    SELECT live_until FROM holder_clock
    WHERE holder_clock.bucket = asked.bucket AND holder_clock.holder = asked.holder
    OFFSET 0) AS kept
WHERE kept.live_until < $3
"""

_SET_BACK = """
UPDATE holder_clock SET last_activity = $6, live_until = moved.live_until
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::int2[], $5::date[])
     AS moved (bucket, holder, currency_no, clock_no, live_until)
WHERE holder_clock.bucket = moved.bucket AND holder_clock.holder = moved.holder
  AND holder_clock.currency_no = moved.currency_no AND holder_clock.clock_no = moved.clock_no
  AND holder_clock.last_activity < $6
"""

# A clock that was never started, or has run out, starts with the first points that it rules.
_START = """
INSERT INTO holder_clock AS kept
    (bucket, holder, currency_no, clock_no, last_activity, live_until)
SELECT bucket, holder, currency_no, clock_no, $6, live_until
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::int2[], $5::date[])
     AS started (bucket, holder, currency_no, clock_no, live_until)
ON CONFLICT (bucket, holder, currency_no, clock_no) DO UPDATE
SET last_activity = excluded.last_activity, live_until = excluded.live_until
WHERE kept.live_until < excluded.last_activity
"""

# A clock that runs already goes on as it is.
_HAND_ON = """
INSERT INTO holder_clock AS kept
    (bucket, holder, currency_no, clock_no, last_activity, live_until)
SELECT given.bucket, given.holder, given.currency_no, given.clock_no,
       sent.last_activity, sent.live_until
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::int2[], $5::int2[], $6::uuid[])
     AS given (bucket, holder, currency_no, clock_no, senders_bucket, sender), LATERAL (
    SELECT last_activity, live_until FROM holder_clock
    WHERE holder_clock.bucket = given.senders_bucket AND holder_clock.holder = given.sender
      AND holder_clock.currency_no = given.currency_no
      AND holder_clock.clock_no = given.clock_no
    OFFSET 0) AS sent
ON CONFLICT (bucket, holder, currency_no, clock_no) DO UPDATE
SET last_activity = excluded.last_activity, live_until = excluded.live_until
WHERE kept.live_until < $7
"""

_LATER_WINS = """
INSERT INTO holder_clock AS kept
    (bucket, holder, currency_no, clock_no, last_activity, live_until)
SELECT bucket, holder, currency_no, clock_no, last_activity, live_until
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::int2[], $5::date[], $6::date[])
     AS taken (bucket, holder, currency_no, clock_no, last_activity, live_until)
ON CONFLICT (bucket, holder, currency_no, clock_no) DO UPDATE
SET last_activity = greatest(kept.last_activity, excluded.last_activity),
    live_until = greatest(kept.live_until, excluded.live_until)
"""

_OF_HOLDER = """
SELECT currency_no, clock_no, last_activity, live_until FROM holder_clock
WHERE bucket = $1 AND holder = $2 ORDER BY currency_no, clock_no
"""


class Clock(NamedTuple):
    """How many months points live after the last activity, and what counts as such."""

    no: int
    months: int
    counts_issue: bool
    counts_redeem: bool

    def counts(self, kind: int) -> bool:
        """Tell whether a posting of `kind` sets this clock back."""
        return self.counts_issue if kind == Kind.ISSUE else self.counts_redeem


class Activity(NamedTuple):
    """That points of a currency were issued to a holder, or redeemed by it."""

    holder: UUID
    currency_no: int
    kind: int


class Started(NamedTuple):
    """That a holder has got points which a clock rules."""

    holder: UUID
    currency_no: int
    clock_no: int


class HolderClock(NamedTuple):
    """How a clock stands for one holder."""

    currency_no: int
    clock_no: int
    last_activity: date
    live_until: date


def months_later(day: date, months: int) -> date:
    """Return the same day of the month `months` later, or that month's last day if it is shorter.

    The last day of the calendar is as late as it gets.
    """
    year, month_before = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    month = month_before + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


async def register(
    connection: Connection, *, months: int, counts_issue: bool = True, counts_redeem: bool = True
) -> int:
    """Return the number of the clock with these facts, which is registered once.

    The caller holds the lock of the catalogue.
    """
    await connection.execute(_REGISTER, months, counts_issue, counts_redeem)
    facts = months, counts_issue, counts_redeem
    return next(clock.no for clock in await registered(connection) if clock[1:] == facts)


async def registered(connection: Connection) -> tuple[Clock, ...]:
    """Return every clock."""
    return tuple(Clock._make(row) for row in await connection.fetch(_ALL))


async def lapsed(connection: Connection, holders: Collection[UUID], today: date) -> set[UUID]:
    """Return which of `holders` have a clock that has run out before `today`."""
    if not holders:
        return set()
    rows = await connection.fetch(
        _LAPSED, [bucket_of(holder) for holder in holders], list(holders), today
    )
    return {row[0] for row in rows}


async def start(
    connection: Connection, clocks: Sequence[Clock], started: Collection[Started], today: date
) -> None:
    """Start those of `clocks` that rule new points; one that runs already goes on as it stands.

    Old points of a clock that had run out are booked as expired before, so they do not live again.
    """
    if started:
        await connection.execute(_START, *_columns(started, clocks, today), today)


async def set_back(
    connection: Connection, clocks: Sequence[Clock], activities: Collection[Activity], today: date
) -> None:
    """Let `clocks` run anew from `today` for holders who were active."""
    moved = {
        Started(activity.holder, activity.currency_no, clock.no)
        for activity in activities
        for clock in clocks
        if clock.counts(activity.kind)
    }
    if moved:
        await connection.execute(_SET_BACK, *_columns(moved, clocks, today), today)


async def renew(
    connection: Connection,
    clocks: Sequence[Clock],
    active: Collection[tuple[UUID, int]],
    today: date,
) -> None:
    """Let all `clocks` run anew from `today` for holders, each with a currency, that were active.

    Whatever the clocks themselves count: somebody else has decided that it was activity.
    """
    moved = {Started(*one, clock.no) for one in active for clock in clocks}
    if moved:
        await connection.execute(_SET_BACK, *_columns(moved, clocks, today), today)


async def hand_on(connection: Connection, handed_on: Mapping[Started, UUID], today: date) -> None:
    """Start clocks of who received points as they stand for the one named, who sent them.

    A clock that runs already goes on as it stands: nobody's points live longer for getting others.
    """
    if handed_on:
        rows = [
            (bucket_of(one.holder), *one, bucket_of(sender), sender)
            for one, sender in sorted(handed_on.items(), key=lambda item: _lock_order(item[0]))
        ]
        await connection.execute(_HAND_ON, *zip(*rows, strict=True), today)


def _columns(
    rows: Iterable[Started], clocks: Sequence[Clock], today: date
) -> Sequence[Sequence[object]]:
    """Return the rows as arrays, in the order of the primary key so that two wait in line."""
    months = {clock.no: clock.months for clock in clocks}
    ordered = sorted(rows, key=_lock_order)
    return list(
        zip(
            *(
                (bucket_of(row.holder), *row, months_later(today, months[row.clock_no]))
                for row in ordered
            ),
            strict=True,
        )
    )


def _lock_order(row: Started) -> tuple[int, bytes, int, int]:
    return bucket_of(row.holder), row.holder.bytes, row.currency_no, row.clock_no


async def of_holder(connection: Connection, holder: UUID) -> list[HolderClock]:
    """Return how the clocks of `holder` stand."""
    rows = await connection.fetch(_OF_HOLDER, bucket_of(holder), holder)
    return [HolderClock._make(row) for row in rows]


async def take_over(connection: Connection, *, from_holder: UUID, into_holder: UUID) -> None:
    """Let the clocks of `into_holder` stand no earlier than those of `from_holder`."""
    await advance(connection, into_holder, await of_holder(connection, from_holder))


async def advance(connection: Connection, holder: UUID, standing: Collection[HolderClock]) -> None:
    """Let the clocks of `holder` stand no earlier than `standing`; the later activity wins."""
    if standing:
        rows = [(bucket_of(holder), holder, *clock) for clock in sorted(standing)]
        await connection.execute(_LATER_WINS, *zip(*rows, strict=True))
