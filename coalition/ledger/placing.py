"""Placing: lots of one holder lie together, so that what it can spend is read from few pages.

Lots come into the table as they are earned, those of a year on as many pages. A run writes the lots
of holders whose own lie scattered once more, next to each other. Nothing else about them changes.
"""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from uuid import UUID

from coalition.kernel.database import bound_engine, retrying, transaction
from coalition.kernel.ids import BUCKETS, bucket_of
from coalition.ledger import holders
from coalition.ledger.expiry import UNHURRIED, Rest, without_rest
from coalition.ledger.provenance import last_lot, lowest_lot

BUCKETS_AT_ONCE = 8
LOTS_AT_ONCE = 200

PAGES_TOO_MANY = 3
"""How many pages more than they need lots of a holder lie on, so that they are scattered."""
LOTS_A_PAGE = 20

# The first number of a row's place is its page.
_SCATTERED = """
SELECT holder, count(*) FROM lot WHERE bucket BETWEEN $1 AND $2
GROUP BY bucket, holder HAVING count(DISTINCT (ctid::text::point)[0]) > $3 + count(*) / $4
ORDER BY bucket, holder
"""

# Who takes points looks its lots up under the lock of their holder, so after this. Who gives needs
# no lock: an upsert that meets a row on its way waits, and then finds the new one.
_MOVE = """
WITH moved AS (
    DELETE FROM lot
    USING unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[])
          AS wanted (bucket, holder, first, last)
    WHERE lot.bucket = wanted.bucket AND lot.id >= wanted.first AND lot.id <= wanted.last
      AND lot.holder = wanted.holder
    RETURNING lot.*
)
INSERT INTO lot SELECT * FROM moved ORDER BY bucket, id
"""


async def place_together(*, rest: Rest = without_rest) -> int:
    """Place the lots of every holder together whose lots lie scattered; return how many moved.

    Rows go where their table has room, so some may lie scattered again: running it again moves few.
    After each set it does `rest`. On a server that spreads its
    tables a row's place is not told, and nothing is moved.
    """
    if bound_engine().spreads:
        return 0
    moved = 0
    for first in range(0, BUCKETS, BUCKETS_AT_ONCE):
        async with transaction() as connection:
            ends = first, first + BUCKETS_AT_ONCE - 1
            found = await connection.fetch(_SCATTERED, *ends, PAGES_TOO_MANY, LOTS_A_PAGE)
        for some in _sets(found):
            begun = time.perf_counter()
            moved += await retrying(partial(_move, some))
            await rest(time.perf_counter() - begun)
    return moved


def _sets(scattered: Iterable[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Yield the holders in sets of at most `LOTS_AT_ONCE` lots, or of one holder."""
    some: list[UUID] = []
    lots = 0
    for holder, count in scattered:
        if some and lots + count > LOTS_AT_ONCE:
            yield some
            some, lots = [], 0
        some.append(holder)
        lots += count
    if some:
        yield some


async def _move(some: list[UUID]) -> int:
    # As whoever owns the tables: those who post may not delete.
    async with transaction(UNHURRIED) as connection:
        await holders.lock(connection, some)
        buckets = [bucket_of(holder) for holder in some]
        firsts = [lowest_lot(holder) for holder in some]
        lasts = [last_lot(holder) for holder in some]
        done = await connection.execute(_MOVE, buckets, some, firsts, lasts)
    return int(done.split()[-1])
