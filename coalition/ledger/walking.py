"""The walk of acts whose lots wait: what covers them, and beside it all that there is to spend.

Only for holders who are locked and whose standing is known, where there are no clocks, bound
classes, shares of others or suspended funders.
"""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import in_lock_order
from coalition.ledger.holders import Standing
from coalition.ledger.provenance import bounds_of
from coalition.ledger.rules import Available

_OF_HOLDER = """lot.bucket = given.bucket AND lot.id <= given.last
    AND lot.holder = given.holder AND lot.currency_no = $1"""

# The walk is that of `lots`, one lot at a time. What there is in all comes with the first of them,
# as whoever acts is told what is left: a statement of its own would cost as much again.
_WALK_TELLING = f"""
SELECT given.holder, found.id, found.available, CASE WHEN found.covered = found.available THEN (
    SELECT sum(points_in - points_out - held)::int8 FROM lot
    WHERE {_OF_HOLDER} AND lot.id >= given.first) END
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int8[])
     AS given (bucket, holder, first, last, points)
CROSS JOIN LATERAL (
    WITH RECURSIVE walk (id, available, covered) AS (
        (SELECT lot.id, points_in - points_out - held, points_in - points_out - held
         FROM lot
         WHERE {_OF_HOLDER} AND lot.id >= given.first AND points_in > points_out + held
         ORDER BY lot.bucket, lot.id LIMIT 1)
        UNION ALL
        SELECT next.id, next.available, walk.covered + next.available
        FROM walk, LATERAL (
            SELECT lot.id, points_in - points_out - held AS available
            FROM lot
            WHERE {_OF_HOLDER} AND lot.id > walk.id AND points_in > points_out + held
            ORDER BY lot.bucket, lot.id LIMIT 1) AS next
        WHERE walk.covered < given.points
    )
    SELECT * FROM walk
) AS found
"""  # noqa: S608 - our own conditions


class Walked(NamedTuple):
    """Per holder, lots in spending order that cover what is wanted, and what it can spend."""

    available: dict[UUID, list[Available]]
    """All its lots where even those do not cover it."""
    spendable: dict[UUID, int]
    """Without those who have nothing."""


async def walk_telling(
    connection: Connection,
    wanted: Mapping[UUID, int],
    currency_no: int,
    today: date,
    standings: Mapping[UUID, Standing],
) -> Walked:
    """Return the lots that cover the `wanted` points, and what each holder can spend in all.

    The holders are locked by the caller, who knows how they stand; nobody else takes from these
    lots meanwhile.
    """
    buckets, holders = in_lock_order(wanted)
    lowest, spendable, last = bounds_of(holders, today)
    first = [
        low if (until := standings[holder].suspended_until) is not None and until >= today else live
        for holder, low, live in zip(holders, lowest, spendable, strict=True)
    ]
    points = [wanted[holder] for holder in holders]
    walked = Walked({holder: [] for holder in holders}, {})
    for holder, lot, available, in_all in await connection.fetch(
        _WALK_TELLING, currency_no, buckets, holders, first, last, points
    ):
        walked.available[holder].append(Available(lot, available))
        if in_all is not None:
            walked.spendable[holder] = in_all
    return walked
