"""Lots: points going in, coming out and being held; and what of them can be spent."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.provenance import Provenance, last_lot, lot_id, spendable_from
from coalition.ledger.rules import Available

# The WHERE compares the whole provenance: should two ever meet in one id, the row is not updated,
# the count is short, and the batch stops with an error instead of mixing points up.
_PUT_IN = """
INSERT INTO lot AS kept (
    bucket, id, holder, contributor, currency_no, issuer_no, contract_no, funder_no, earned_month,
    expires_on, issue_price, prefunded_share, clock_no, class_no, points_in, points_out, held)
SELECT given.bucket, given.id, given.holder, coalesce(($16::uuid[])[given.source], given.holder),
       ($6::int2[])[given.source], ($7::int4[])[given.source], ($8::int4[])[given.source],
       ($9::int4[])[given.source], ($10::int4[])[given.source], ($11::date[])[given.source],
       ($12::numeric[])[given.source], ($13::numeric[])[given.source],
       ($14::int2[])[given.source], ($15::int2[])[given.source], given.points, 0, 0
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int8[])
     AS given (bucket, id, holder, source, points)
ON CONFLICT (bucket, id) DO UPDATE SET points_in = kept.points_in + excluded.points_in
WHERE (kept.holder, kept.contributor, kept.currency_no, kept.issuer_no,
       kept.contract_no, kept.funder_no, kept.earned_month, kept.issue_price,
       kept.prefunded_share, kept.clock_no, kept.class_no)
    = (excluded.holder, excluded.contributor, excluded.currency_no, excluded.issuer_no,
       excluded.contract_no, excluded.funder_no, excluded.earned_month, excluded.issue_price,
       excluded.prefunded_share, excluded.clock_no, excluded.class_no)
  AND kept.expires_on IS NOT DISTINCT FROM excluded.expires_on
"""

# One lot at a time in spending order until the wanted points are covered: a shopper's first lot
# nearly always is enough, and the rest are never read.
_WALK = """
SELECT asked.holder, found.id, found.available
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int8[])
     AS asked (bucket, holder, first, last, points),
LATERAL (
    WITH RECURSIVE walk (id, available, covered) AS (
        (SELECT lot.id, points_in - points_out - held, points_in - points_out - held
         FROM lot
         WHERE lot.bucket = asked.bucket AND lot.id >= asked.first AND lot.id <= asked.last
           AND lot.holder = asked.holder AND lot.currency_no = $6 AND points_in > points_out + held
         ORDER BY lot.bucket, lot.id LIMIT 1)
        UNION ALL
        SELECT next.id, next.available, walk.covered + next.available
        FROM walk, LATERAL (
            SELECT lot.id, points_in - points_out - held AS available
            FROM lot
            WHERE lot.bucket = asked.bucket AND lot.id > walk.id AND lot.id <= asked.last
              AND lot.holder = asked.holder AND lot.currency_no = $6
              AND points_in > points_out + held
            ORDER BY lot.bucket, lot.id LIMIT 1) AS next
        WHERE walk.covered < asked.points
    )
    SELECT id, available FROM walk
) AS found
"""

_TAKE_OUT = """
UPDATE lot SET points_out = lot.points_out + taken.points, held = lot.held + taken.held
FROM unnest($1::int2[], $2::uuid[], $3::int8[], $4::int8[]) AS taken (bucket, id, points, held)
WHERE lot.bucket = taken.bucket AND lot.id = taken.id
"""

_BALANCES = """
SELECT asked.holder, (
    SELECT coalesce(sum(points_in - points_out - held), 0)::int8 FROM lot
    WHERE lot.bucket = asked.bucket AND lot.id >= asked.first AND lot.id <= asked.last
      AND lot.holder = asked.holder AND lot.currency_no = $5)
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[]) AS asked (bucket, holder, first, last)
"""

_READ = """
SELECT wanted.id, kept.currency_no, kept.issuer_no, kept.contract_no, kept.funder_no,
       kept.earned_month, kept.expires_on, kept.issue_price, kept.prefunded_share, kept.clock_no,
       kept.class_no, nullif(kept.contributor, kept.holder), kept.available
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT lot.*, points_in - points_out - held AS available
    FROM lot WHERE lot.bucket = wanted.bucket AND lot.id = wanted.id
    UNION ALL
    SELECT lot_history.*, 0
    FROM lot_history WHERE lot_history.bucket = wanted.bucket AND lot_history.id = wanted.id
    LIMIT 1) AS kept
"""


_COLLISION = "a derived lot id stands for two provenances"


class LotCollisionError(Exception):
    """Two provenances met in one derived lot id; the batch is rolled back, nothing is mixed up."""


class KeptLot(NamedTuple):
    """A lot as it was issued, and the points of it that can be taken."""

    provenance: Provenance
    available: int


class _Given:
    """Points on their way into a lot."""

    __slots__ = ("holder", "points", "provenance")

    def __init__(self, holder: UUID, provenance: Provenance, points: int) -> None:
        self.holder = holder
        self.provenance = provenance
        self.points = points


class LotChanges:
    """Changes to lots of one stage, added up so that each row is updated once."""

    def __init__(self) -> None:
        """Start without changes."""
        self._given: dict[UUID, _Given] = {}
        self._taken: dict[UUID, list[int]] = {}

    def put_in(self, holder: UUID, provenance: Provenance, points: int) -> UUID:
        """Add `points` to the lot of `holder` with this provenance; return the lot's id."""
        lot = lot_id(holder, provenance)
        given = self._given.get(lot)
        if given is None:
            self._given[lot] = _Given(holder, provenance, points)
        elif given.provenance is provenance or given.provenance == provenance:
            given.points += points
        else:
            raise LotCollisionError(_COLLISION)
        return lot

    def take_out(self, lot: UUID, holder: UUID, *, points: int = 0, held: int = 0) -> None:
        """Take `points` out of a lot of `holder`, and hold (or, when negative, release) `held`."""
        row = self._taken.get(lot)
        if row is None:
            self._taken[lot] = [bucket_of(holder), points, held]
        else:
            row[1] += points
            row[2] += held

    async def write(self, connection: Connection) -> None:
        """Write the changes, those of each kind in (bucket, id) order.

        Two stages of one kind wait in line. A batch that both issues and redeems locks lots stage
        by stage, so it may meet another in a circle: the database ends one, which is tried again.
        """
        if self._given:
            await self._write_given(connection)
        if self._taken:
            rows = sorted(
                (row[0], lot.bytes, lot, row[1], row[2]) for lot, row in self._taken.items()
            )
            arrays = list(zip(*rows, strict=True))
            done = await connection.execute(_TAKE_OUT, arrays[0], arrays[2], arrays[3], arrays[4])
            assert done == f"UPDATE {len(rows)}", "a lot that was locked by its holder has gone"

    async def _write_given(self, connection: Connection) -> None:
        sources: dict[Provenance, int] = {}
        rows = []
        for lot, given in sorted(self._given.items(), key=_in_lock_order):
            source = sources.setdefault(given.provenance, len(sources) + 1)
            rows.append((bucket_of(given.holder), lot, given.holder, source, given.points))
        done = await connection.execute(
            _PUT_IN, *zip(*rows, strict=True), *zip(*sources, strict=True)
        )
        if done != f"INSERT 0 {len(rows)}":
            raise LotCollisionError(_COLLISION)


def _in_lock_order(given: "tuple[UUID, _Given]") -> tuple[int, bytes]:
    return bucket_of(given[1].holder), given[0].bytes


def _ranges(
    holders: Iterable[UUID], today: date
) -> tuple[list[int], list[UUID], list[UUID], list[UUID]]:
    ordered = sorted(holders, key=lambda holder: (bucket_of(holder), holder.bytes))
    return (
        [bucket_of(holder) for holder in ordered],
        ordered,
        [spendable_from(holder, today) for holder in ordered],
        [last_lot(holder) for holder in ordered],
    )


async def walk(
    connection: Connection, wanted: dict[UUID, int], currency_no: int, today: date
) -> dict[UUID, list[Available]]:
    """Return, per holder, the lots in spending order that cover the `wanted` points.

    They are all its lots where even those do not. The holders are locked by the caller, so nobody
    else takes from these lots meanwhile.
    """
    buckets, holders, first, last = _ranges(wanted, today)
    points = [wanted[holder] for holder in holders]
    found: dict[UUID, list[Available]] = {holder: [] for holder in holders}
    for row in await connection.fetch(_WALK, buckets, holders, first, last, points, currency_no):
        found[row[0]].append(Available(row[1], row[2]))
    return found


async def balances(
    connection: Connection, holders: Iterable[UUID], currency_no: int, today: date
) -> dict[UUID, int]:
    """Return what each holder can spend on `today`: in − out − held over unexpired lots."""
    rows = await connection.fetch(_BALANCES, *_ranges(set(holders), today), currency_no)
    return {row[0]: row[1] for row in rows}


async def read(
    connection: Connection, lots: Sequence[UUID], holders: Sequence[UUID]
) -> dict[UUID, KeptLot]:
    """Return provenance and available points of `lots`, also of those swept into history."""
    buckets = [bucket_of(holder) for holder in holders]
    return {
        row[0]: KeptLot(Provenance(*row[1:12]), row[12])
        for row in await connection.fetch(_READ, buckets, list(lots))
    }
