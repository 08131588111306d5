"""Upkeep of the ledger: exhausted lots move into history, partner deltas are added up."""

from coalition.kernel.database import retrying, transaction
from coalition.kernel.ids import BUCKETS

BUCKETS_AT_ONCE = 32

# Exhausted lots lie first in spending order, so every redemption would walk past them. A lot that
# grows again after it was moved is simply a row again; history adds up what was moved of it. No
# till can lose by it: an upsert that meets the row on its way out waits and then inserts.
_SWEEP = """
WITH exhausted AS (
    DELETE FROM lot
    WHERE bucket BETWEEN $1 AND $2 AND points_in = points_out AND held = 0
    RETURNING *
)
INSERT INTO lot_history AS kept SELECT * FROM exhausted
ON CONFLICT (bucket, id) DO UPDATE
SET points_in = kept.points_in + excluded.points_in,
    points_out = kept.points_out + excluded.points_out
"""

_ROLL_UP = """
WITH rolled AS (
    DELETE FROM partner_delta
    RETURNING partner_no, kind, direction, currency_no, points, postings
)
INSERT INTO partner_total AS kept (partner_no, kind, direction, currency_no, points, postings)
SELECT partner_no, kind, direction, currency_no, sum(points), sum(postings)
FROM rolled GROUP BY partner_no, kind, direction, currency_no
ON CONFLICT (partner_no, kind, direction, currency_no) DO UPDATE
SET points = kept.points + excluded.points, postings = kept.postings + excluded.postings
"""


async def sweep() -> int:
    """Move lots that are spent whole into history; return how many were moved."""
    moved = 0
    for first in range(0, BUCKETS, BUCKETS_AT_ONCE):

        async def move(first: int = first) -> int:
            async with transaction() as connection:
                done = await connection.execute(_SWEEP, first, first + BUCKETS_AT_ONCE - 1)
                return int(done.split()[-1])

        moved += await retrying(move)
    return moved


async def roll_up_totals() -> int:
    """Add the deltas of partners to their totals; return how many totals changed."""

    async def roll_up() -> int:
        async with transaction() as connection:
            return int((await connection.execute(_ROLL_UP)).split()[-1])

    return await retrying(roll_up)
