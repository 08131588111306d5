"""Lots: points going in, coming out and being held; and what of them can be spent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Executes, Later, write_counted
from coalition.kernel.ids import bucket_of, buckets_of, in_lock_order
from coalition.ledger.again import Again
from coalition.ledger.holders import Standing, read_states
from coalition.ledger.living import ASKED, CLOCK, ENDED, FIRST, LIVE, OPEN_HERE
from coalition.ledger.provenance import (
    Provenance,
    bounds_of,
    counterpart,
    lot_id,
    of_holder,
)
from coalition.ledger.rules import Available, End

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
  AND kept.expires_on IS NOT DISTINCT FROM excluded.expires_on RETURNING true
"""

# One lot at a time in spending order until the wanted points are covered: a shopper's first lot
# nearly always is enough, and the rest are never read.
_WALK = f"""
SELECT given.holder, found.id, found.available
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int8[])
     AS given (bucket, holder, lowest, spendable, last, points)
{ASKED}
CROSS JOIN LATERAL (
    WITH RECURSIVE walk (id, available, covered) AS (
        (SELECT lot.id, points_in - points_out - held, points_in - points_out - held
         FROM lot
         WHERE lot.bucket = given.bucket AND lot.id >= {FIRST} AND lot.id <= given.last
           AND lot.holder = given.holder AND lot.currency_no = $2 AND points_in > points_out + held
           AND {LIVE}
         ORDER BY lot.bucket, lot.id LIMIT 1)
        UNION ALL
        SELECT next.id, next.available, walk.covered + next.available
        FROM walk, LATERAL (
            SELECT lot.id, points_in - points_out - held AS available
            FROM lot
            WHERE lot.bucket = given.bucket AND lot.id > walk.id AND lot.id <= given.last
              AND lot.holder = given.holder AND lot.currency_no = $2
              AND points_in > points_out + held AND {LIVE}
            ORDER BY lot.bucket, lot.id LIMIT 1) AS next
        WHERE walk.covered < given.points
    )
    SELECT id, available FROM walk
) AS found
"""  # noqa: S608 - our own conditions

# Where there are clocks: all that a holder can spend, with what decides when it ends. Its order is
# not that of the ids, so nothing can stop half-way.
_LIVE_LOTS = f"""
SELECT given.holder, kept.id, kept.available, kept.expires_on, kept.clock_no, kept.live_until,
       kept.earned_month
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[])
     AS given (bucket, holder, lowest, spendable, last)
{ASKED}
CROSS JOIN LATERAL (
    SELECT lot.id, points_in - points_out - held AS available, lot.expires_on, lot.clock_no,
           CASE WHEN lot.clock_no <> 0 THEN {CLOCK} END AS live_until, lot.earned_month,
           CASE WHEN holder.keeps_shares THEN {ENDED} END AS has_ended
    FROM lot
    WHERE lot.bucket = given.bucket AND lot.id >= {FIRST} AND lot.id <= given.last
      AND lot.holder = given.holder AND lot.currency_no = $2 AND points_in > points_out + held
    OFFSET 0) AS kept
WHERE CASE WHEN holder.keeps_shares THEN NOT kept.has_ended
    ELSE kept.live_until < $1 IS NOT TRUE OR holder.expiry_suspended_until >= $1 END
"""  # noqa: S608 - our own conditions

_TAKE_OUT = """
UPDATE lot SET points_out = lot.points_out + taken.points, held = lot.held + taken.held
FROM unnest($1::int2[], $2::uuid[], $3::int8[], $4::int8[]) AS taken (bucket, id, points, held)
WHERE lot.bucket = taken.bucket AND lot.id = taken.id RETURNING true
"""

# How the holders stand is known: a look-up of each would cost a quarter of the whole.
_BALANCES = f"""
SELECT given.holder, (
    SELECT coalesce(sum(points_in - points_out - held), 0)::int8 FROM lot
    WHERE lot.bucket = given.bucket AND lot.id >= given.first AND lot.id <= given.last
      AND lot.holder = given.holder AND lot.currency_no = $2
      AND (lot.clock_no = 0 OR given.is_kept OR {CLOCK} < $1 IS NOT TRUE))
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bool[])
     AS given (bucket, holder, first, last, is_kept)
"""  # noqa: S608 - our own conditions

# The same where a holder keeps shares of others, which may live on when all else has ended.
_BALANCES_OF_SHARES = _BALANCES.replace(
    f"(lot.clock_no = 0 OR given.is_kept OR {CLOCK} < $1 IS NOT TRUE)", f"NOT {ENDED}"
)

# While points of some funders are suspended, what can be spent is read by further statements, the
# same but for one condition: with nobody suspended nothing is asked.
_IN_CURRENCY = "lot.currency_no = $2"
_OTHERS_WALK, _OTHERS_LIVE_LOTS, _OTHERS_BALANCES, _OTHERS_BALANCES_OF_SHARES = (
    statement.replace(_IN_CURRENCY, f"{_IN_CURRENCY} AND lot.funder_no <> ALL (${number}::int4[])")
    for statement, number in (
        (_WALK, 9),
        (_LIVE_LOTS, 8),
        (_BALANCES, 8),
        (_BALANCES_OF_SHARES, 8),
    )
)

# The same where there are points that can be spent at some partners only.
_HERE_WALK, _HERE_LIVE_LOTS = (
    statement.replace(_IN_CURRENCY, f"{_IN_CURRENCY} AND {OPEN_HERE}")
    .replace("AS given (bucket, holder,", "AS given (bucket, partner_no, holder,")
    .replace("unnest($3::int2[],", f"unnest($3::int2[], ${number}::int4[],")
    for statement, number in ((_OTHERS_WALK, 10), (_OTHERS_LIVE_LOTS, 9))
)

_READ = f"""
SELECT lot.id, lot.currency_no, lot.issuer_no, lot.contract_no, lot.funder_no,
       lot.earned_month, lot.expires_on, lot.issue_price, lot.prefunded_share, lot.clock_no,
       lot.class_no, nullif(lot.contributor, lot.holder), lot.available, NOT {ENDED}
FROM unnest($2::int2[], $3::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT lot.*, points_in - points_out - held AS available
    FROM lot WHERE lot.bucket = wanted.bucket AND lot.id = wanted.id
    UNION ALL
    SELECT lot_history.*, 0
    FROM lot_history WHERE lot_history.bucket = wanted.bucket AND lot_history.id = wanted.id
    LIMIT 1) AS lot
"""  # noqa: S608 - our own conditions

# A lot of a holder who was merged, with what its survivor has of that provenance: whether it has
# ended is told by the survivor's clocks.
_READ_OF_MERGED = f"""
SELECT lot.id, lot.currency_no, lot.issuer_no, lot.contract_no, lot.funder_no,
       lot.earned_month, lot.expires_on, lot.issue_price, lot.prefunded_share, lot.clock_no,
       lot.class_no, lot.contributor, lot.available, NOT {ENDED}
FROM unnest($5::uuid[], $6::uuid[]) AS wanted (id, counterpart), LATERAL (
    SELECT kept.id, kept.currency_no, kept.issuer_no, kept.contract_no, kept.funder_no,
           kept.earned_month, kept.expires_on, kept.issue_price, kept.prefunded_share,
           kept.clock_no, kept.class_no, nullif(kept.contributor, kept.holder) AS contributor,
           $3::int2 AS bucket, $4::uuid AS holder,
           coalesce((SELECT points_in - points_out - held FROM lot AS there
                     WHERE there.bucket = $3 AND there.id = wanted.counterpart), 0) AS available
    FROM (SELECT * FROM lot WHERE lot.bucket = $2 AND lot.id = wanted.id
          UNION ALL
          SELECT * FROM lot_history
          WHERE lot_history.bucket = $2 AND lot_history.id = wanted.id
          LIMIT 1) AS kept) AS lot
"""  # noqa: S608 - our own conditions

_COLLISION = "a derived lot id stands for two provenances"


class LotCollisionError(Exception):
    """Two provenances met in one derived lot id; the batch is rolled back, nothing is mixed up."""


class KeptLot(NamedTuple):
    """A lot as it was issued, and the points of it that can be taken."""

    provenance: Provenance
    available: int
    """What of it is neither spent nor held, whether or not it has ended."""
    live: bool
    """Whether the lot can be spent: its last day and its clock have not passed."""


class LotChanges:
    """Changes to lots of one stage, added up so that each row is updated once."""

    def __init__(self) -> None:
        """Start without changes."""
        self._given: dict[UUID, tuple[UUID, Provenance, int]] = {}
        self._taken: dict[UUID, tuple[UUID, int, int]] = {}
        self._again = Again()

    def put_in(
        self, holder: UUID, provenance: Provenance, points: int, *, comes_again: bool = False
    ) -> UUID:
        """Add `points` to the lot of `holder` with this provenance; return the lot's id."""
        if provenance.contributor is not None:
            provenance = of_holder(holder, provenance)
        lot = lot_id(holder, provenance)
        if comes_again and provenance.contributor is None:
            self._again.count(holder, lot, points)
        given = self._given.get(lot)
        if given is None:
            self._given[lot] = (holder, provenance, points)
        elif given[1] is provenance or given[1] == provenance:
            self._given[lot] = (holder, provenance, given[2] + points)
        else:
            raise LotCollisionError(_COLLISION)
        return lot

    def take_out(self, lot: UUID, holder: UUID, *, points: int = 0, held: int = 0) -> None:
        """Take `points` out of a lot of `holder`, and hold (or, when negative, release) `held`."""
        row = self._taken.get(lot)
        if row is None:
            self._taken[lot] = (holder, points, held)
        else:
            self._taken[lot] = (holder, row[1] + points, row[2] + held)

    def take_back(self, lot: UUID, holder: UUID, points: int) -> None:
        """Count issued points of a lot as never earned; whether they are there or owed."""
        self._again.count(holder, lot, points)

    def once(self) -> list[tuple[UUID, UUID, int | None, int]] | None:
        """Return holder, lot, currency if given to, and growth of each; None if one has both."""
        if not self._given.keys().isdisjoint(self._taken):
            return None
        given = [(to, lot, of.currency_no, more) for lot, (to, of, more) in self._given.items()]
        return given + [
            (by, lot, None, -out - held) for lot, (by, out, held) in self._taken.items()
        ]

    async def write(self, by: Connection | Later, again: Executes | None = None) -> None:
        """Write the changes, those of each kind in (bucket, id) order; what came `again` by that.

        Two stages of one kind wait in line. A batch that both issues and redeems locks lots stage
        by stage, so it may meet another in a circle: the database ends one, which is tried again.
        """
        if self._given:
            await self._write_given(by)
        if self._taken:
            taken = self._taken.items()
            rows = sorted((bucket_of(row[0]), lot.bytes, row[1], row[2]) for lot, row in taken)
            gone = AssertionError("a lot that was locked by its holder has gone")
            await write_counted(by, len(rows), gone, _TAKE_OUT, *zip(*rows, strict=True))
        await self._again.write(by if again is None else again)

    async def _write_given(self, by: Connection | Later) -> None:
        sources: dict[Provenance, int] = {}
        latest, source = None, 0
        rows = []
        for lot, (holder, provenance, points) in self._given.items():
            if provenance is not latest:  # of lines in a row it nearly always is
                latest, source = provenance, sources.setdefault(provenance, len(sources) + 1)
            rows.append((bucket_of(holder), lot.bytes, holder, source, points))
        rows.sort()
        given = *zip(*rows, strict=True), *zip(*sources, strict=True)
        # Rows and not the command's tag, which on Citus counts too much.
        await write_counted(by, len(rows), LotCollisionError(_COLLISION), _PUT_IN, *given)


def _ranges(
    holders: Iterable[UUID], today: date
) -> tuple[list[int], list[UUID], list[bytes], list[bytes], list[bytes]]:
    buckets, ordered = in_lock_order(holders)
    return buckets, ordered, *bounds_of(ordered, today)


async def walk(
    connection: Connection,
    wanted: dict[UUID, int],
    currency_no: int,
    today: date,
    suspended: Collection[int] = (),
    *,
    partners: Mapping[UUID, int] | None = None,
) -> dict[UUID, list[Available]]:
    """Return, per holder, the lots in the order of their ids that cover the `wanted` points.

    Without clocks that is spending order. They are all its lots where even those do not, without
    those of `suspended` funders, and those that are not open at the partner of `partners`, if they
    are given. The holders are locked by the caller, so nobody else takes from these lots meanwhile.
    """
    buckets, holders, *ends = _ranges(wanted, today)
    points = [wanted[holder] for holder in holders]
    found: dict[UUID, list[Available]] = {holder: [] for holder in holders}
    statement, further = _read_by(_WALK, _OTHERS_WALK, suspended)
    if partners is not None:
        statement, further = _HERE_WALK, _further(holders, suspended, partners)
    given = (today, currency_no, buckets, holders, *ends, points, *further)
    for row in await connection.fetch(statement, *given):
        found[row[0]].append(Available(row[1], row[2]))
    return found


async def live(
    connection: Connection,
    holders: Iterable[UUID],
    currency_no: int,
    today: date,
    suspended: Collection[int] = (),
    *,
    partners: Mapping[UUID, int] | None = None,
) -> dict[UUID, list[Available]]:
    """Return, per holder, all lots that can be spent, each with its end, in no order.

    `suspended` and `partners` are as for `walk`. A clock that has not been started yet is not told.
    The holders are locked by the caller.
    """
    ranges = _ranges(holders, today)
    found: dict[UUID, list[Available]] = {holder: [] for holder in ranges[1]}
    statement, further = _read_by(_LIVE_LOTS, _OTHERS_LIVE_LOTS, suspended)
    if partners is not None:
        statement, further = _HERE_LIVE_LOTS, _further(ranges[1], suspended, partners)
    for row in await connection.fetch(statement, today, currency_no, *ranges, *further):
        found[row[0]].append(Available(row[1], row[2], End(*row[3:])))
    return found


async def balances(
    connection: Connection,
    holders: Iterable[UUID],
    currency_no: int,
    today: date,
    suspended: Collection[int] = (),
    *,
    standings: Mapping[UUID, Standing] | None = None,
) -> dict[UUID, int]:
    """Return what each holder can spend on `today`: in − out − held over lots that live.

    Without what `suspended` funders have promised. `standings` tells how holders stand, as far as
    the caller has just read it.
    """
    wanted = set(holders)
    known = dict(standings or ())
    if unread := wanted - known.keys():
        known |= await read_states(connection, unread)
    kept = {
        holder
        for holder in wanted
        if holder in known
        and (until := known[holder].suspended_until) is not None
        and until >= today
    }
    shares = {holder for holder in wanted if holder in known and known[holder].keeps_shares}
    of_shares = (_BALANCES_OF_SHARES, _OTHERS_BALANCES_OF_SHARES)
    by = of_shares if shares else (_BALANCES, _OTHERS_BALANCES)
    statement, further = _read_by(*by, suspended)
    buckets, ordered, lowest, spendable, last = _ranges(wanted, today)
    are_kept = [holder in kept for holder in ordered]
    first = [
        low if is_kept or holder in shares else live
        for holder, low, live, is_kept in zip(ordered, lowest, spendable, are_kept, strict=True)
    ]
    rows = await connection.fetch(
        statement, today, currency_no, buckets, ordered, first, last, are_kept, *further
    )
    return {row[0]: row[1] for row in rows}


def _read_by(
    plain: str, others: str, suspended: Collection[int]
) -> tuple[str, tuple[list[int], ...]]:
    """Return the statement to read with, and its further arguments."""
    return (others, (sorted(suspended),)) if suspended else (plain, ())


def _further(
    holders: Iterable[UUID], suspended: Collection[int], partners: Mapping[UUID, int]
) -> tuple[list[int], ...]:
    """Return the further arguments of the statements that ask for partners."""
    return sorted(suspended), [partners[holder] for holder in holders]


async def read(
    connection: Connection, lots: Sequence[UUID], holders: Sequence[UUID], today: date
) -> dict[UUID, KeptLot]:
    """Return provenance and available points of `lots`, also of those swept into history."""
    buckets = buckets_of(holders)
    return {
        row[0]: KeptLot(Provenance(*row[1:12]), row[12], row[13])
        for row in await connection.fetch(_READ, today, buckets, list(lots))
    }


async def read_of_merged(
    connection: Connection, lots: Sequence[UUID], holder: UUID, survivor: UUID, today: date
) -> dict[UUID, KeptLot]:
    """Return `lots` of a merged `holder`, with what its survivor has of the same provenance."""
    ends = bucket_of(holder), bucket_of(survivor), survivor
    there = [counterpart(lot, survivor) for lot in lots]
    return {
        row[0]: KeptLot(Provenance(*row[1:12]), row[12], row[13])
        for row in await connection.fetch(_READ_OF_MERGED, today, *ends, list(lots), there)
    }
