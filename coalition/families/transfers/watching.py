"""Reports over transfers for whoever watches for fraud: rings, gatherers, and hasty senders."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.families.transfers import rings
from coalition.families.transfers.rings import Found, Sent
from coalition.kernel.database import Connection
from coalition.kernel.ids import uuid7

_SENT = """
SELECT sender, receiver, sum(points)::int8, count(*)::int4 FROM transfer
WHERE id >= $1 AND state = 'completed' AND currency_no = $2
GROUP BY sender, receiver HAVING sum(points) >= $3
ORDER BY sender, receiver
"""

_GATHERERS = """
SELECT receiver, count(DISTINCT sender)::int4 AS senders, sum(points)::int8 AS points,
       count(*)::int4 AS times
FROM transfer WHERE id >= $1 AND state = 'completed' AND currency_no = $2
GROUP BY receiver HAVING count(DISTINCT sender) >= $3
ORDER BY senders DESC, points DESC, receiver LIMIT $4
"""

_HASTY = """
SELECT sender, most.times, most.points, most.began
FROM (
    SELECT DISTINCT ON (sender) sender, count(*) OVER hour AS times,
           sum(points) OVER hour AS points, requested_at AS began
    FROM transfer WHERE id >= $1 AND currency_no = $2
    WINDOW hour AS (PARTITION BY sender ORDER BY requested_at
                    RANGE BETWEEN CURRENT ROW AND interval '1 hour' FOLLOWING)
    ORDER BY sender, times DESC, requested_at) AS most
WHERE most.times >= $3 ORDER BY most.times DESC, sender LIMIT $4
"""


class Gatherer(NamedTuple):
    """A member to whom many different members sent."""

    member: UUID
    senders: int
    points: int
    times: int


class Hasty(NamedTuple):
    """A member that asked for many transfers within one hour; the hour that had most."""

    member: UUID
    times: int
    points: int
    began: datetime


async def ring_report(
    connection: Connection,
    *,
    since: datetime,
    currency_no: int,
    least_points: int = 1,
    longest: int = 4,
) -> Found:
    """Return rings of transfers since an instant, of edges of at least so many points."""
    rows = await connection.fetch(_SENT, _id(since), currency_no, least_points)
    return rings.find((Sent(*row) for row in rows), longest=longest)


async def gatherers(
    connection: Connection,
    *,
    since: datetime,
    currency_no: int,
    least_senders: int = 5,
    limit: int = 100,
) -> list[Gatherer]:
    """Return to whom at least so many different members sent, the most first."""
    rows = await connection.fetch(_GATHERERS, _id(since), currency_no, least_senders, limit)
    return [Gatherer(*row) for row in rows]


async def hasty(
    connection: Connection,
    *,
    since: datetime,
    currency_no: int,
    least_times: int = 5,
    limit: int = 100,
) -> list[Hasty]:
    """Return who asked for at least so many transfers within an hour, the most first."""
    rows = await connection.fetch(_HASTY, _id(since), currency_no, least_times, limit)
    return [Hasty(row[0], row[1], int(row[2]), row[3]) for row in rows]


def involved(found: Iterable[rings.Ring]) -> set[UUID]:
    """Return everybody who is in one of the rings."""
    return {member for ring in found for member in ring.members}


def _id(since: datetime) -> UUID:
    """Return the least id of a transfer that was asked for since."""
    return UUID(int=uuid7(since).int >> 80 << 80)
