"""What holders have who pay together: all their lots that can be spent, with where they came from.

All of them are read, since what each gives depends on what all can give, and whatever is taken
needs its provenance where it goes.
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.journal import Journal
from coalition.ledger.living import ENDED
from coalition.ledger.provenance import Provenance, last_lot, lowest_lot
from coalition.ledger.rules import Available, End
from coalition.ledger.spending import in_order

# OFFSET 0 keeps the planner from turning the look-ups round while the tables are small.
_READ = f"""
SELECT lot.holder, lot.id, lot.points_in - lot.points_out - lot.held,
       CASE WHEN lot.clock_no <> 0 THEN (
           SELECT live_until FROM holder_clock
           WHERE holder_clock.bucket = lot.bucket AND holder_clock.holder = lot.holder
             AND holder_clock.currency_no = lot.currency_no
             AND holder_clock.clock_no = lot.clock_no) END,
       lot.currency_no, lot.issuer_no, lot.contract_no, lot.funder_no, lot.earned_month,
       lot.expires_on, lot.issue_price, lot.prefunded_share, lot.clock_no, lot.class_no,
       nullif(lot.contributor, lot.holder)
FROM unnest($4::int2[], $5::uuid[], $6::uuid[], $7::uuid[])
     AS wanted (bucket, holder, first, last), LATERAL (
    SELECT * FROM lot
    WHERE lot.bucket = wanted.bucket AND lot.id BETWEEN wanted.first AND wanted.last
      AND lot.holder = wanted.holder AND lot.currency_no = $2 AND points_in > points_out + held
      AND lot.funder_no <> ALL ($3::int4[])
    OFFSET 0) AS lot
WHERE NOT {ENDED}
"""  # noqa: S608 - our own condition


class PoolLots(NamedTuple):
    """What holders can spend, each in spending order, and the provenance of every lot."""

    available: dict[UUID, list[Available]]
    kept: dict[UUID, Provenance]


async def read(
    connection: Connection, journal: Journal, holders: Collection[UUID], currency_no: int
) -> PoolLots:
    """Return what `holders`, who are locked, can spend of a point currency."""
    ordered = sorted(holders, key=lambda holder: (bucket_of(holder), holder.bytes))
    rows = await connection.fetch(
        _READ,
        journal.today,
        currency_no,
        sorted(journal.suspended),
        [bucket_of(holder) for holder in ordered],
        ordered,
        [lowest_lot(holder) for holder in ordered],
        [last_lot(holder) for holder in ordered],
    )
    found: dict[UUID, list[Available]] = {holder: [] for holder in ordered}
    kept: dict[UUID, Provenance] = {}
    for row in rows:
        of = kept[row[1]] = Provenance._make(row[4:])
        end = End(of.expires_on, of.clock_no, row[3], of.earned_month)
        found[row[0]].append(Available(row[1], row[2], end))
    return PoolLots({holder: in_order(journal, of) for holder, of in found.items()}, kept)
