"""The point passport: from a posting to what it cost and earned whom, leg by leg, and back.

A compensation, money that a partner let a member have and another pays for, has one as well: a
minor unit stands where a posting has a point. What was settled is found in the blocks of its drain,
which its batch and shard name. What is not drained yet is priced as the drain will price it;
sealing alone may still move it to a later period.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import asyncpg

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, shard_of
from coalition.ledger.accounts import Kind
from partners.settlement import draining, feed, packed
from partners.settlement.feed import Queued
from partners.settlement.kinds import ChargeKind, StatementState
from partners.settlement.pricing import Act, Charge, Move, PriceBook, Priced, price

_POSTED = """
SELECT posting.id, posting.batch, posting.kind, posting.partner_no, posting.store_no,
       posting.receipt, posting.occurred_at, posting.points, posting.direction, posting.reverses,
       drained.drain, drain.made_at, NULL::int4 AS amount_minor, NULL::text AS reason
FROM posting
LEFT JOIN drained ON drained.shard = $3 AND drained.batch = posting.batch
LEFT JOIN drain ON drain.id = drained.drain
WHERE posting.bucket = $1 AND posting.id = $2
"""

_COMPENSATED = """
SELECT owed.id, owed.batch, $4::int4 AS kind, owed.partner_no, owed.store_no, owed.receipt,
       owed.occurred_at, 0 AS points, sign(owed.amount_minor)::int4 AS direction, owed.reverses,
       drained.drain, drain.made_at, owed.amount_minor, owed.reason
FROM compensation AS owed
LEFT JOIN drained ON drained.shard = $3 AND drained.batch = owed.batch
LEFT JOIN drain ON drain.id = drained.drain
WHERE owed.bucket = $1 AND owed.id = $2
"""

# What the bytes only seem to hold is sorted out afterwards.
_BLOCKS = """
SELECT no, moves FROM block WHERE drain = $1 AND position($2::bytea IN moves) > 0 ORDER BY no
"""

_CHARGED = """
SELECT block_tariff.no, tariff.partner_no, tariff.period_no, tariff.origin_no, tariff.kind,
       tariff.contract_no, tariff.currency, tariff.vat_code, tariff.vat_rate, tariff.unit_price,
       tariff.counts_points, period.name, origin.name, coalesce(statement.state, 'open'),
       statement.id, statement.number, line.no
FROM block_tariff
JOIN tariff ON tariff.id = block_tariff.tariff
JOIN settlement_period AS period
    ON period.partner_no = tariff.partner_no AND period.no = tariff.period_no
JOIN settlement_period AS origin
    ON origin.partner_no = tariff.partner_no AND origin.no = tariff.origin_no
LEFT JOIN statement
    ON statement.partner_no = tariff.partner_no AND statement.period_no = tariff.period_no
LEFT JOIN statement_line AS line
    ON line.statement = statement.id AND line.kind = tariff.kind
    AND line.contract_no = tariff.contract_no AND line.currency = tariff.currency
    AND line.vat_code = tariff.vat_code AND line.vat_rate = tariff.vat_rate
    AND line.origin_no = tariff.origin_no
WHERE block_tariff.drain = $1 AND block_tariff.no = ANY($2::int4[])
ORDER BY block_tariff.no, tariff.partner_no, tariff.kind, tariff.id
"""

_FIRST_OPEN = "SELECT partner_no, period_no FROM first_open WHERE shard = $1"


COMPENSATION = int(Act.COMPENSATE)
"""The kind of a compensation, beside those of postings."""


class Posted(NamedTuple):
    """A posting or a compensation, and the drain that settled it; None while it waits.

    A compensation moves no points: `amount_minor` of money, in the currency of its partner's
    contract, for the benefit named by `reason`. Both are None of a posting.
    """

    id: UUID
    batch: UUID
    kind: int
    partner_no: int
    store_no: int | None
    receipt: str | None
    occurred_at: datetime
    points: int
    direction: int
    reverses: UUID | None
    drain: UUID | None
    drained_at: datetime | None
    amount_minor: int | None = None
    reason: str | None = None

    @property
    def kind_name(self) -> str:
        """What it is called where people read it."""
        return "compensation" if self.kind == COMPENSATION else Kind(self.kind).name.lower()


class Booking(NamedTuple):
    """The period, statement and line that a charge stands on; a line has a number once frozen."""

    period: str
    origin_period: str
    state: str
    statement: UUID | None = None
    number: int | None = None
    line: int | None = None


class Charged(NamedTuple):
    """What a posting costs (positive) or earns a partner by one tariff."""

    charge: Charge
    points: int
    booking: Booking

    @property
    def amount(self) -> Decimal:
        """Money in major units, exactly."""
        return self.points * self.charge.unit_price


class Leg(NamedTuple):
    """Points of a posting that share a provenance, and what moves for them; units per point."""

    move: Move
    priced: Priced


async def find(connection: Connection, posting: UUID) -> Posted | None:
    """Return a posting or a compensation of any partner; None when there is none."""
    bucket = bucket_of(posting)
    place = bucket, posting, shard_of(bucket)
    row = await connection.fetchrow(_POSTED, *place)
    if row is None:
        row = await connection.fetchrow(_COMPENSATED, *place, COMPENSATION)
    return None if row is None else Posted._make(row)


async def settled(connection: Connection, posting: UUID, drain: UUID) -> list[Charged]:
    """Return the charges of a posting that `drain` booked, as far as the connection sees them."""
    blocks = {
        row["no"]: [move.points for move in packed.find(row["moves"], posting)]
        for row in await connection.fetch(_BLOCKS, drain, posting.bytes)
    }
    rows = await connection.fetch(_CHARGED, drain, list(blocks))
    return [
        Charged(_charge(row), points, Booking(*row[11:]))
        for row in rows
        for points in blocks[row[0]]
    ]


async def legs(connection: Connection, posted: Posted, book: PriceBook) -> list[Leg]:
    """Return what each leg of a posting moves in points and money, by its provenance."""
    shard = shard_of(bucket_of(posted.id))
    alone = Queued(shard, posted.batch, posted.id, posted.id, 1)
    moves = await feed.moves_of(connection, [alone], book)
    return [Leg(move, price(move, book)) for move in moves]


async def awaited(connection: Connection, posted: Posted, book: PriceBook) -> list[Charged]:
    """Return what a posting that waits for its drain will be charged, as things stand."""
    shard = shard_of(bucket_of(posted.id))
    first_open = dict(await connection.fetch(_FIRST_OPEN, shard))
    return [
        charged
        for leg in await legs(connection, posted, book)
        for charged in _awaited(leg, book, first_open)
    ]


async def read_book(connection: Connection) -> PriceBook:
    """Return what prices depend on as of now."""
    return await draining.read_book(connection)


def _charge(row: asyncpg.Record) -> Charge:
    charge = Charge(*row[1:11])
    return charge._replace(kind=ChargeKind(charge.kind))


def _awaited(leg: Leg, book: PriceBook, first_open: dict[int, int]) -> Iterator[Charged]:
    for own in leg.priced.charges:
        charge = draining.booked(own, first_open)
        periods = book.periods[charge.partner_no]
        booking = Booking(
            period=periods[charge.period_no - 1].name,
            origin_period=periods[charge.origin_no - 1].name,
            state=StatementState.OPEN,
        )
        yield Charged(charge, leg.move.points, booking)
