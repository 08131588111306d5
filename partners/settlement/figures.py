"""How far settlement has come as a whole: what waits for a drain, a seal or a person."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from partners.settlement.kinds import StatementState

# The greatest id is the newest: ids of drains rise with time.
_PROGRESS = """
SELECT (SELECT coalesce(sum(postings), 0)::int8 FROM settlement_queue) AS queued_postings,
       (SELECT made_at FROM drain ORDER BY id DESC LIMIT 1) AS last_drain_at,
       (SELECT count(*) FROM settlement_period AS period
        LEFT JOIN statement ON statement.partner_no = period.partner_no
                           AND statement.period_no = period.no
        WHERE period.cut_off_at <= $1 AND (statement.id IS NULL OR statement.state = $2)
       ) AS unsealed_periods,
       (SELECT count(*) FROM statement WHERE state = $3) AS provisional_statements
"""

_OUT_OF_BALANCE = """
SELECT coalesce(sum(abs(total)), 0)::float8
FROM (SELECT sum(amount) AS total FROM money_entry WHERE posting >= $1 GROUP BY currency)
     AS by_currency
"""

# One step into the index of each shard.
_OLDEST_OF_SHARDS = """
SELECT shard.no, oldest.batch
FROM settlement_shard AS shard
CROSS JOIN LATERAL (
    SELECT batch FROM settlement_queue WHERE settlement_queue.shard = shard.no
    ORDER BY batch LIMIT 1
) AS oldest
ORDER BY shard.no
"""


# Counting ends where it is enough to be worth a drain.
_RIPE = """
SELECT shard.no
FROM settlement_shard AS shard
CROSS JOIN LATERAL (
    SELECT batch FROM settlement_queue WHERE settlement_queue.shard = shard.no
    ORDER BY batch LIMIT 1
) AS oldest
WHERE oldest.batch <= $1 OR $2 <= (
    SELECT sum(postings) FROM (
        SELECT postings FROM settlement_queue WHERE settlement_queue.shard = shard.no LIMIT $2
    ) AS counted)
ORDER BY shard.no
"""


class Progress(NamedTuple):
    """What settlement has still to do; counts of the whole coalition."""

    queued_postings: int
    """Postings whose money is not booked yet."""
    last_drain_at: datetime | None
    """When a drain last booked something; None before the first."""
    unsealed_periods: int
    """Periods whose cut-off is over and that are still open, in one shard at least."""
    provisional_statements: int
    """Sealed statements that two persons have still to close."""


async def progress(connection: Connection, at: datetime) -> Progress:
    """Return how far settlement has come at `at`."""
    row = await connection.fetchrow(
        _PROGRESS, at, StatementState.CUT_OFF.value, StatementState.PROVISIONAL.value
    )
    return Progress(*row)


async def out_of_balance(connection: Connection, *, since: datetime | None = None) -> float:
    """Return by how much the money book misses zero, all currencies added up: always 0.

    Of what was posted `since` then (ids tell it), or of the whole book, which grows for years.
    """
    first = 0 if since is None else int(since.timestamp() * 1000) << 80
    difference: float = await connection.fetchval(_OUT_OF_BALANCE, UUID(int=first))
    return difference


async def oldest_waiting(connection: Connection) -> dict[int, UUID]:
    """Return the oldest queued batch of each shard that has one; ids tell their time."""
    return {row[0]: row[1] for row in await connection.fetch(_OLDEST_OF_SHARDS)}


async def ripe(connection: Connection, *, before: datetime, postings: int) -> list[int]:
    """Return the shards in which something was queued by `before`, or as many `postings` are."""
    latest = UUID(int=(int(before.timestamp() * 1000) + 1 << 80) - 1)
    return [row[0] for row in await connection.fetch(_RIPE, latest, postings)]
