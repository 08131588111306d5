"""What the ledger comes to as a whole, read cheaply: what is unspent, owed and unsettled."""

from uuid import UUID

from coalition.kernel.database import Connection

_UNSPENT = """
SELECT currency_no, sum(points * direction)
FROM (
    SELECT currency_no, points, direction FROM partner_total
    UNION ALL
    SELECT currency_no, points, direction FROM partner_delta
) AS kept
GROUP BY currency_no
"""

# The condition is that of an index in which only open debts stand.
_OWED = """
SELECT coalesce(sum(booked - recovered - written_off - moved), 0)::int8
FROM debt WHERE recovered + written_off + moved < booked
"""

# One step into the index of each shard.
_OLDEST_UNSETTLED = """
SELECT oldest.batch
FROM generate_series(0, 15) AS shard
CROSS JOIN LATERAL (
    SELECT batch FROM settlement_queue WHERE settlement_queue.shard = shard.shard
    ORDER BY batch LIMIT 1
) AS oldest
ORDER BY oldest.batch LIMIT 1
"""


async def unspent(connection: Connection) -> dict[int, int]:
    """Return the points that members have, by the number of their currency.

    Held points are among them, and points past their last day until that is booked.
    """
    return {row[0]: int(row[1]) for row in await connection.fetch(_UNSPENT)}


async def owed(connection: Connection) -> int:
    """Return the points of all currencies that members owe."""
    points: int = await connection.fetchval(_OWED)
    return points


async def oldest_unsettled(connection: Connection) -> UUID | None:
    """Return the oldest batch of postings that no settlement has taken; its id tells its time."""
    batch: UUID | None = await connection.fetchval(_OLDEST_UNSETTLED)
    return batch
