"""Points that can be spent, but not where somebody asks: they are bound to other partners."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.living import ENDED, OPEN_HERE
from coalition.ledger.provenance import last_lot, lowest_lot

_READ = f"""
SELECT given.holder, given.partner_no, (
    SELECT coalesce(sum(points_in - points_out - held), 0)::int8 FROM lot
    WHERE lot.bucket = given.bucket AND lot.id BETWEEN given.first AND given.last
      AND lot.holder = given.holder AND lot.currency_no = $2 AND points_in > points_out + held
      AND lot.funder_no <> ALL ($3::int4[]) AND NOT {OPEN_HERE} AND NOT {ENDED})
FROM unnest($4::int2[], $5::uuid[], $6::int4[], $7::uuid[], $8::uuid[])
     AS given (bucket, holder, partner_no, first, last)
"""  # noqa: S608 - our own conditions

At = tuple[UUID, int]
"""A holder, and the partner at whose till it stands."""


async def read(
    connection: Connection,
    wanted: Collection[At],
    *,
    currency_no: int,
    today: date,
    suspended: Collection[int] = (),
) -> dict[At, int]:
    """Return how many points each holder can spend on `today` at other partners only."""
    ordered = sorted(set(wanted), key=lambda one: (bucket_of(one[0]), one[0].bytes, one[1]))
    rows = await connection.fetch(
        _READ,
        today,
        currency_no,
        sorted(suspended),
        [bucket_of(holder) for holder, _ in ordered],
        [holder for holder, _ in ordered],
        [partner_no for _, partner_no in ordered],
        [lowest_lot(holder) for holder, _ in ordered],
        [last_lot(holder) for holder, _ in ordered],
    )
    return {(row[0], row[1]): row[2] for row in rows}
