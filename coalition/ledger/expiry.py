"""Expiry: books what has stopped being spendable; whether it can be spent is judged without it.

A run goes through the buckets range by range and some hundred lots at a time, each in a transaction
of its own, so that no till waits long and a run that is killed goes on where it was when it is
started again. Between two sets it may rest, so that tills have the database to themselves again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import retrying, transaction
from coalition.kernel.database.later import Later
from coalition.kernel.ids import BUCKETS
from coalition.ledger import ended, holders
from coalition.ledger.journal import Journal
from coalition.ledger.living import CLOCK, ENDED
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED, POSTER_ROLE
from coalition.ledger.provenance import bounds_of

BUCKETS_AT_ONCE = 8
"""In how many buckets what is due is looked for at first."""
LOTS_AT_ONCE = 200
PACE_S = 0.009
"""How soon a run beside tills begins the next set: a million lots take 46 s."""
LEAST_REST = 0.25
"""How long it rests at least, as a share of the time that the set took."""
_ARREARS_S = 1.0
"""How far a run may fall behind its pace and still make up for it."""

UNHURRIED = PINNED | {"synchronous_commit": "off"}
"""Sets do not wait for the disk, so that commits of tills do not wait for theirs.

Nobody is promised anything by a set: a crash of the server undoes the last of them whole, and the
next run books them again. What others build on one, such as a drain, is written after it, so it is
never on disk without it.
"""

Rest = Callable[[float], Awaitable[None]]
"""What happens after a set; it gets the seconds that the set took."""

_NOBODY = UUID(int=0)

# Ids of lots begin with half of their holder's and the day they end, so what lives is not read, but
# for holders of whom a clock has run out. Held points do not expire while their hold stands: they
# are left in the lot until it resolves. The last column: whether the date alone has ended it.
_DUE = f"""
SELECT lot.id, kept.id, lot.issuer_no, lot.currency_no, points_in - points_out - held, kept.bucket,
       points_out, held, coalesce(expires_on < $1, false)
FROM holder AS kept, LATERAL (
    SELECT * FROM lot
    WHERE lot.bucket = kept.bucket AND lot.holder = kept.id AND points_in > points_out + held
      AND lot.id >= (substr(kept.id::text, 1, 18) || $6::text)::uuid
      AND lot.id <= (substr(kept.id::text, 1, 18) || CASE WHEN EXISTS (
              SELECT FROM holder_clock WHERE holder_clock.bucket = kept.bucket
                  AND holder_clock.holder = kept.id AND live_until < $1)
          THEN $8::text ELSE $7::text END)::uuid
      AND CASE WHEN kept.keeps_shares THEN {ENDED}
          ELSE expires_on < $1 OR (clock_no <> 0 AND {CLOCK} < $1) END
    OFFSET 0) AS lot
WHERE (kept.bucket, kept.id) >= ($2, $3) AND kept.bucket <= $4
  AND kept.expiry_suspended_until >= $1 IS NOT TRUE
ORDER BY kept.bucket, kept.id LIMIT $5
"""  # noqa: S608 - our own conditions


class _Place(NamedTuple):
    """From which holder on, and to which bucket, it is looked for what is due."""

    bucket: int
    holder: UUID
    last_bucket: int


class _Set(NamedTuple):
    """What a set has booked, and where to go on; None where nothing more is due."""

    points: int
    next: _Place | None
    was_empty: bool = False


async def without_rest(seconds: float) -> None:
    """Go on at once."""
    del seconds


class BesideTills:
    """Rests of one run: until the next set is due at the pace, so that tills get in between."""

    def __init__(self) -> None:
        """Begin the run."""
        self._due = time.perf_counter()

    async def __call__(self, seconds: float) -> None:
        """Rest until the next set is due, and at least for a share of what the last one took.

        A run that has fallen behind makes up for it by shorter rests.
        """
        now = time.perf_counter()
        self._due = max(self._due + PACE_S, now - _ARREARS_S)
        await asyncio.sleep(max(self._due - now, seconds * LEAST_REST))


async def expire(at: datetime, today: date, *, rest: Rest = without_rest) -> int:
    """Book every lot that has ended before `today`; return the points that were booked.

    `today` is the day of `at` in the coalition's zone. One posting per lot, at the issuer, against
    the account `expired`. Running it again books nothing twice. After each set it does `rest`.
    """
    await ensure_partition(at)
    points, first, buckets = 0, 0, BUCKETS_AT_ONCE
    while first < BUCKETS:
        place: _Place | None = _Place(first, _NOBODY, min(first + buckets, BUCKETS) - 1)
        first += buckets
        spent_s = 0.0
        while place is not None:
            begun = time.perf_counter()
            done = await _book_some(place, at, today)
            points += done.points
            place = done.next
            took_s = time.perf_counter() - begun
            spent_s += took_s
            if not done.was_empty:
                await rest(took_s)
        # Where there are few holders, more buckets are asked at once: mostly nothing is due.
        buckets = buckets * 2 if spent_s < PACE_S else BUCKETS_AT_ONCE
    return points


async def _book_some(place: _Place, at: datetime, today: date) -> _Set:
    """Book a set of what is due; if some of it changed meanwhile, read all of it under lock."""

    async def as_read() -> _Set:
        return await _book(place, at, today, trusts=True)

    async def under_lock() -> _Set:
        return await _book(place, at, today, trusts=False)

    try:
        return await retrying(as_read)
    except ended.LotChangedError:
        return await retrying(under_lock)


async def _book(place: _Place, at: datetime, today: date, *, trusts: bool) -> _Set:
    ends = [str(UUID(bytes=one))[18:] for (one,) in bounds_of([_NOBODY], today)]
    async with transaction(UNHURRIED, role=POSTER_ROLE) as connection:
        due = await connection.fetch(_DUE, today, *place, LOTS_AT_ONCE, *ends)
        if not due:
            return _Set(0, None, was_empty=True)
        states = await holders.lock(connection, {row[1] for row in due})
        # What a date has ended stays so, unless the holder was given a suspension meanwhile. The
        # rest is read again in a new statement, which sees what was done before the locks came.
        doubtful = {
            holder
            for holder, kept in states.items()
            if kept.suspended_until is not None or kept.keeps_shares
        }
        certain = [row for row in due if trusts and row[8] and row[1] not in doubtful]
        journal, later = Journal(at, today), Later()
        points = 0
        if len(certain) < len(due):
            others = set(due).difference(certain)
            await ended.lock_clocks(connection, {row[1] for row in others})
            points = await ended.book(connection, journal, [(row[0], row[1]) for row in others])
        points += ended.book_as_read(later, journal, certain)
        await journal.write(connection, later=later, all_waits=True)
        await later.write(connection)
    is_last = len(due) < LOTS_AT_ONCE
    # The last holder once more: it may have more than fitted into the set.
    following = place._replace(bucket=due[-1][5], holder=due[-1][1])
    return _Set(points, None if is_last else following)
