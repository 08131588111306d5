"""Expiry: books what has stopped being spendable; whether it can be spent is judged without it.

A run goes through the buckets range by range and some hundred lots at a time, each in a transaction
of its own, so that no till waits long and a run that is killed goes on where it was when it is
started again. Between two sets it may rest, so that tills have the database to themselves again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from uuid import UUID

from coalition.kernel.database import retrying, transaction
from coalition.kernel.ids import BUCKETS
from coalition.ledger import ended, holders
from coalition.ledger.journal import Journal
from coalition.ledger.living import ENDED
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED, POSTER_ROLE

BUCKETS_AT_ONCE = 32
LOTS_AT_ONCE = 200
PACE_S = 0.0095
"""How soon a run beside tills begins the next set: at 21,000 lots a second a million take 48 s,
and what sets take beyond their pace besides: 8 s of 61 at 10.5 ms."""
LEAST_REST = 0.25
"""How long it rests at least, as a share of the time that the set took."""

_UNHURRIED = PINNED | {"synchronous_commit": "off"}
"""Sets do not wait for the disk, so that commits of tills do not wait for theirs.

Nobody is promised anything by a set: a crash of the server undoes the last of them whole, and the
next run books them again. What others build on one, such as a drain, is written after it, so it is
never on disk without it.
"""

Rest = Callable[[float], Awaitable[None]]
"""What happens between two sets; it gets the seconds that the one before took."""

_Lot = tuple[int, UUID]

# Held points do not expire while their hold stands: they are left in the lot until it resolves.
_DUE = f"""
SELECT lot.bucket, lot.id, lot.holder
FROM lot
WHERE (lot.bucket, lot.id) > ($2, $3) AND lot.bucket <= $4
  AND points_in > points_out + held AND {ENDED}
ORDER BY lot.bucket, lot.id LIMIT $5
"""  # noqa: S608 - our own condition


async def without_rest(seconds: float) -> None:
    """Go on at once."""
    del seconds


async def beside_tills(seconds: float) -> None:
    """Rest until the next set may begin, or longer where the last one took longer."""
    await asyncio.sleep(max(PACE_S - seconds, seconds * LEAST_REST))


async def expire(at: datetime, today: date, *, rest: Rest = without_rest) -> int:
    """Book every lot that has ended before `today`; return the points that were booked.

    `today` is the day of `at` in the coalition's zone. One posting per lot, at the issuer, against
    the account `expired`. Running it again books nothing twice. After each set it does `rest`.
    """
    await ensure_partition(at)
    points = 0
    for first in range(0, BUCKETS, BUCKETS_AT_ONCE):
        after: _Lot | None = (first, UUID(int=0))
        while after is not None:

            async def book_some(first: int = first, after: _Lot = after) -> tuple[int, _Lot | None]:
                return await _book_some(after, first + BUCKETS_AT_ONCE - 1, at, today)

            begun = time.perf_counter()
            booked, after = await retrying(book_some)
            points += booked
            if after is not None:
                await rest(time.perf_counter() - begun)
    return points


async def _book_some(after: _Lot, last: int, at: datetime, today: date) -> tuple[int, _Lot | None]:
    """Book what is due after a lot; return the points and the last lot looked at, None: no more."""
    async with transaction(_UNHURRIED, role=POSTER_ROLE) as connection:
        due = await connection.fetch(_DUE, today, *after, last, LOTS_AT_ONCE)
        if not due:
            return 0, None
        journal = Journal(at, today)
        owners = {row[2] for row in due}
        await holders.lock(connection, owners)
        await ended.lock_clocks(connection, owners)
        # Read again in a new statement: what was spent or held before the lock came is seen now.
        points = await ended.book(connection, journal, [(row[1], row[2]) for row in due])
        await journal.write(connection)
    return points, (due[-1][0], due[-1][1])
