"""What holders have and have had, by where it came from: for rules that ask about points."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.living import ENDED
from coalition.ledger.provenance import last_lot, lowest_lot

# OFFSET 0 keeps the planner from turning the look-ups round while the tables are small.
_SPENDABLE = f"""
SELECT wanted.holder, lot.issuer_no, lot.class_no, lot.earned_month,
       sum(lot.points_in - lot.points_out - lot.held)::int8
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::uuid[])
     AS wanted (bucket, holder, first, last), LATERAL (
    SELECT * FROM lot
    WHERE lot.bucket = wanted.bucket AND lot.id BETWEEN wanted.first AND wanted.last
      AND lot.holder = wanted.holder AND lot.currency_no = $2 AND points_in > points_out + held
    OFFSET 0) AS lot
WHERE NOT {ENDED}
GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - our own condition

_EARNED = """
WITH own AS (
    SELECT wanted.bucket, wanted.holder, lot.id, lot.earned_month, sum(lot.points_in) AS points
    FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::uuid[])
         AS wanted (bucket, holder, first, last), LATERAL (
        SELECT id, earned_month, points_in, contributor, class_no FROM lot
        WHERE lot.bucket = wanted.bucket AND lot.id BETWEEN wanted.first AND wanted.last
          AND lot.holder = wanted.holder AND lot.currency_no = $1
        UNION ALL
        SELECT id, earned_month, points_in, contributor, class_no FROM lot_history
        WHERE lot_history.bucket = wanted.bucket
          AND lot_history.id BETWEEN wanted.first AND wanted.last
          AND lot_history.holder = wanted.holder AND lot_history.currency_no = $1
        OFFSET 0) AS lot
    WHERE lot.contributor = wanted.holder AND lot.class_no <> ALL ($2::int2[])
    GROUP BY 1, 2, 3, 4)
SELECT holder, earned_month, sum(points - coalesce((
    SELECT lot_again.points FROM lot_again
    WHERE lot_again.bucket = own.bucket AND lot_again.lot = own.id), 0))::int8 AS net
FROM own GROUP BY 1, 2
"""


class Holding(NamedTuple):
    """Spendable points of one kind: issued by whom, of which class, earned in which month."""

    issuer_no: int
    class_no: int
    earned_month: int
    points: int


async def spendable(
    connection: Connection, holders: Collection[UUID], *, currency_no: int, today: date
) -> dict[UUID, list[Holding]]:
    """Return what each of `holders` can spend on `today`, whoever funds it, by kind."""
    found: dict[UUID, list[Holding]] = defaultdict(list)
    for row in await connection.fetch(_SPENDABLE, today, currency_no, *_ranges(holders)):
        found[row[0]].append(Holding(*row[1:]))
    return found


async def earned(
    connection: Connection,
    holders: Collection[UUID],
    *,
    currency_no: int,
    received: Collection[int],
) -> dict[UUID, dict[int, int]]:
    """Return the points that each of `holders` itself brought in, by month of earning (yyyymm).

    What was sent to it by others, of a class that is `received`, does not count; what was spent, or
    brought into a pool, and has come back counts once; what of an issue was reversed does not.
    Months of which nothing is left are left out.
    """
    found: dict[UUID, dict[int, int]] = defaultdict(dict)
    for row in await connection.fetch(_EARNED, currency_no, sorted(received), *_ranges(holders)):
        if row[2] > 0:
            found[row[0]][row[1]] = row[2]
    return found


def _ranges(
    holders: Collection[UUID],
) -> tuple[list[int], list[UUID], list[UUID], list[UUID]]:
    ordered = list(holders)
    return (
        [bucket_of(holder) for holder in ordered],
        ordered,
        [lowest_lot(holder) for holder in ordered],
        [last_lot(holder) for holder in ordered],
    )
