"""Writes the file of a closed statement, drain by drain, whatever its size.

What is closed never changes, so no snapshot is held: each drain is read in a transaction of its
own, under the role that sees the rows of this partner only.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from partners.settlement import packed, statement_file, statements, sums
from partners.settlement.calendars import Period
from partners.settlement.kinds import OPERATOR, ChargeKind
from partners.settlement.refusals import StatementNotClosed, UnknownStatement
from partners.settlement.rules import FeeOf
from partners.settlement.statement_file import (
    FORMAT,
    AdjustedByHand,
    DrainEnd,
    EarlierFee,
    End,
    Head,
    Part,
    Told,
    frozen_line,
)
from partners.settlement.statements import Statement

_ADJUSTMENTS = """
SELECT id, contract_no, currency, vat_code, vat_rate, origin_no, amount_minor, reason
FROM settlement_adjustment WHERE partner_no = $1 AND period_no = $2 ORDER BY id
"""

_DRAINS = """
SELECT drain, digest FROM drain_digest
WHERE partner_no = $1 AND period_no = $2 AND drain > $3 ORDER BY drain LIMIT 100
"""

_PARTS = """
SELECT tariff.kind, tariff.contract_no, tariff.currency, tariff.unit_price, tariff.counts_points,
       tariff.vat_code, tariff.vat_rate, tariff.origin_no, block.moves
FROM block_tariff
JOIN tariff ON tariff.id = block_tariff.tariff
JOIN block ON block.drain = block_tariff.drain AND block.no = block_tariff.no
WHERE block_tariff.drain = $1 AND tariff.partner_no = $2 AND tariff.period_no = $3
"""


async def find(statement: UUID, *, partner_no: int) -> Statement:
    """Return a closed statement of the partner.

    Raises `UnknownStatement`, and `StatementNotClosed` for one that may still change.
    """
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        head = await statements.head_of(connection, statement, names_staff=False)
        if head is None:
            raise UnknownStatement
        if not head.is_frozen:
            raise StatementNotClosed("Only closed statements are downloaded: it may still change")
        return await statements.frozen(connection, head)


async def lines(closed: Statement, catalogue: Catalogue) -> AsyncIterator[bytes]:
    """Yield the file of a closed statement, one or more of its lines at a time."""
    whole = hashlib.sha256()
    async for told in _objects(closed, catalogue):
        for one in told:
            # A part may have tens of thousands of charges: tills get their turn in between.
            written = await asyncio.to_thread(statement_file.written, one)
            whole.update(written)
            yield written
    yield statement_file.written(End(whole.hexdigest()))


async def _objects(closed: Statement, catalogue: Catalogue) -> AsyncIterator[Sequence[Told]]:
    # Nothing is yielded within a transaction: whoever reads may take long, or go away.
    period = closed.head.period
    async with transaction(role=TENANT_ROLE, partner_no=period.partner_no) as connection:
        head = await _head(connection, closed, catalogue)
    yield [head]
    last = UUID(int=0)
    while True:
        async with transaction(role=TENANT_ROLE, partner_no=period.partner_no) as connection:
            drains = await connection.fetch(_DRAINS, period.partner_no, period.no, last)
        if not drains:
            return
        for drain, digest in drains:
            async with transaction(role=TENANT_ROLE, partner_no=period.partner_no) as connection:
                parts = await _parts(connection, period, drain)
            yield [*parts, DrainEnd(drain, digest.hex())]
            last = drain


async def _head(connection: Connection, closed: Statement, catalogue: Catalogue) -> Head:
    head, period = closed.head, closed.head.period
    assert head.id is not None, "what is closed has an id"
    assert head.number is not None, "what is closed has a number"
    assert head.closed_at is not None, "what is closed was closed at a time"
    assert head.digest is not None, "what is closed has a digest"
    partner_no = period.partner_no
    standing = statements.standing(catalogue, period)
    named = {line.contract_no for line in closed.lines}
    if standing is not None:
        named.add(standing.no)
    return Head(
        format=FORMAT,
        partner_no=partner_no,
        partner_id=None if partner_no == OPERATOR else catalogue.partner(partner_no).id,
        period_no=period.no,
        period=period.name,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        statement_id=head.id,
        number=head.number,
        closed_at=head.closed_at,
        digest=head.digest.hex(),
        charges=head.charges,
        standing=None if standing is None else standing.no,
        versions=[
            # Who signed for the operator is nobody's business outside.
            msgspec.structs.replace(contract, prepared_by="", approved_by="")
            for contract in catalogue.contracts
            if contract.no in named
        ],
        earlier_fees=await _earlier_fees(connection, closed),
        adjustments=[
            AdjustedByHand(*row)
            for row in await connection.fetch(_ADJUSTMENTS, partner_no, period.no)
        ],
        lines=[*map(frozen_line, closed.lines)],
        totals=[*closed.totals],
    )


async def _earlier_fees(connection: Connection, closed: Statement) -> list[EarlierFee]:
    """Return by which fees those of prior periods in the statement were priced."""
    wanted = {
        FeeOf(line.contract_no, line.origin_no, line.currency)
        for line in closed.lines
        if line.prior_period and line.kind == ChargeKind.SERVICE_FEE
    }
    origins = sorted({of.period_no for of in wanted})
    fees = await sums.frozen_fees(connection, closed.head.period.partner_no, origins)
    return [
        EarlierFee(of.contract_no, of.period_no, of.currency, fee.points, fee.exact)
        for of, fee in fees.items()
        if of in wanted
    ]


async def _parts(connection: Connection, period: Period, drain: UUID) -> list[Part]:
    """Return the parts of a drain in the order in which its digest takes them in."""
    rows = await connection.fetch(_PARTS, drain, period.partner_no, period.no)
    return await asyncio.to_thread(_in_order, drain, rows)


def _in_order(drain: UUID, rows: Sequence[asyncpg.Record]) -> list[Part]:
    # A list: of one redemption two legs may be the same in all but whose points they were.
    parts: list[tuple[bytes, Part]] = []
    for row in rows:
        told = {name: value for name, value in row.items() if name not in {"kind", "moves"}}
        part = Part(
            drain=drain,
            kind=ChargeKind(row["kind"]).name.lower(),
            **told,
            charges=packed.pairs(row["moves"]),
        )
        parts.append((statement_file.canonical(part, row["moves"]), part))
    return [part for _, part in sorted(parts, key=lambda told: told[0])]
