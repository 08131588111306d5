"""Closes sealed periods by two persons: step 8 of the close protocol. What is closed never changes.

One person prepares, and so says which statements come to what; a second approves. Then, in one
transaction, each statement is locked, made from the totals once more and compared, and frozen:
lines, totals, the chain of digests, and a number without gaps. The money book gets what the drains
could not know: fees of the whole period, and what whole minor units differ from exact amounts; so
that the partner's account moves by what the statement says.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.ledger import money
from coalition.ledger.money import EXACT, MoneyAccount, MoneyEntry, MoneyKind
from coalition.oversight import approvals, audit_log
from coalition.oversight.approvals import Approval
from partners.settlement import digests, periods, statements, sums
from partners.settlement.calendars import Period
from partners.settlement.kinds import OPERATOR, StatementState
from partners.settlement.refusals import (
    EarlierPeriodOpen,
    PeriodClosed,
    PeriodNotSealed,
    StatementChanged,
)
from partners.settlement.rules import Composed, Line, major
from partners.settlement.sealing import state_event

KIND = "settlement_close"
"""The kind of approval by which periods are closed."""

_PROVISIONAL = """
SELECT partner_no, state FROM statement
WHERE (partner_no, period_no) IN (SELECT * FROM unnest($1::int4[], $2::int4[]))
"""
_LOCK = """
SELECT id, partner_no, state FROM statement
WHERE (partner_no, period_no) IN (SELECT * FROM unnest($1::int4[], $2::int4[]))
ORDER BY partner_no, period_no FOR UPDATE
"""
_EARLIER = """
SELECT period.name FROM settlement_period AS period
LEFT JOIN statement ON statement.partner_no = period.partner_no AND statement.period_no = period.no
WHERE period.partner_no = $1 AND period.no = $2 - 1 AND statement.closed_at IS NULL
"""
# In one piece: a period may have hundreds of thousands of drains.
_DIGESTS = """
SELECT string_agg(digest, ''::bytea ORDER BY drain) FROM drain_digest
WHERE partner_no = $1 AND period_no = $2
"""
_NUMBER = "UPDATE statement_counter SET last_number = last_number + 1 RETURNING last_number"
_FREEZE = """
UPDATE statement SET state = 'closed', closed_at = $2, closed_by = $3, approved_by = $4,
                     number = $5, charges = $6, digest = $7
WHERE id = $1
"""
_LINE_COLUMNS = (
    *("no", "kind", "contract_no", "currency", "vat_code", "vat_rate", "origin_no", "points"),
    *("charges", "exact", "booked", "booked_vat", "amount_minor", "vat_minor"),
)
_LINE = f"""
INSERT INTO statement_line (id, statement, partner_no, {", ".join(_LINE_COLUMNS)})
VALUES ($1, $2, $3, {", ".join(f"${no}" for no in range(4, 4 + len(_LINE_COLUMNS)))})
"""  # noqa: S608 - put together from the column names above
_TOTAL = """
INSERT INTO statement_total (statement, partner_no, currency, amount_minor, vat_minor, net_minor,
                             points_funded, points_redeemed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


class Position(msgspec.Struct, frozen=True):
    """What a statement comes to in one currency; positive is what the partner pays."""

    currency: str
    net_minor: int


class PreparedStatement(msgspec.Struct, frozen=True):
    """One statement that is to be closed, and what it comes to."""

    partner_no: int
    period_no: int
    net: tuple[Position, ...]


class PreparedClose(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    period: str
    statements: tuple[PreparedStatement, ...]


class Closed(msgspec.Struct, frozen=True):
    """One statement that was closed, and its number."""

    statement: UUID
    partner_no: int
    period: str
    number: int
    net: tuple[Position, ...]
    digest: bytes


async def prepare(
    *, period: str, prepared_by: str, at: datetime, partner_no: int | None = None
) -> UUID:
    """Prepare to close the period of this name, of one partner or of all whose is provisional.

    Returns the id of its approval. Raises `UnknownPeriod`, `PeriodNotSealed`, `PeriodClosed` when
    there is nothing to close, or `EarlierPeriodOpen`; all are judged again on approval.
    """
    async with transaction() as connection:
        if partner_no is None:
            named = await periods.all_named(connection, period)
        else:
            named = [await periods.named(connection, partner_no, period)]
        known = await catalogue.load(connection)
        wanted = []
        for held in await _provisional(connection, named):
            await _check_order(connection, held)
            composed = await _composed(connection, held, known)
            wanted.append(PreparedStatement(held.partner_no, held.no, _net(composed)))
        return await approvals.prepare(
            kind=KIND,
            subject=f"period:{period}" if partner_no is None else f"partner:{partner_no}",
            payload=PreparedClose(period, tuple(wanted)),
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> tuple[Closed, ...]:
    """Close what was prepared, as the second person; return it.

    Raises what `prepare` does, and `StatementChanged` when a statement comes to something else
    than when it was prepared. Then nothing is closed and the approval still waits.
    """
    closed = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(closed, tuple), "the applier of this kind returns what it closed"
    return closed


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> tuple[Closed, ...]:
    prepared = msgspec.json.decode(approval.payload, type=PreparedClose)
    known = await catalogue.load(connection)
    locked = await _lock(connection, prepared)
    closed = [
        await _close(connection, wanted, locked[wanted.partner_no], known, approval)
        for wanted in prepared.statements
    ]
    # The log's head is locked by each row: nothing else waits for a lock after this.
    for one in closed:
        await audit_log.record(
            connection,
            actor=approval.decided_by or "",
            action="statement.closed",
            subject=f"partner:{one.partner_no}",
            facts=_facts(one, approval),
            at=approval.decided_at or approval.prepared_at,
        )
    return tuple(closed)


def _facts(closed: Closed, approval: Approval) -> dict[str, object]:
    return {
        "period": closed.period,
        "number": closed.number,
        "net": [msgspec.structs.asdict(position) for position in closed.net],
        "digest": closed.digest.hex(),
        "prepared_by": approval.prepared_by,
    }


async def _provisional(connection: Connection, named: Sequence[Period]) -> list[Period]:
    """Return those of `named` that can be closed; refuse when there is none."""
    rows = await connection.fetch(
        _PROVISIONAL, [one.partner_no for one in named], [one.no for one in named]
    )
    states = {row["partner_no"]: row["state"] for row in rows}
    found = [one for one in named if states.get(one.partner_no) == StatementState.PROVISIONAL]
    if not found:
        raise _why_not(states.values())
    return found


def _why_not(states: Iterable[str]) -> PeriodClosed | PeriodNotSealed:
    is_closed = any(state != StatementState.CUT_OFF for state in states)
    return PeriodClosed() if is_closed else PeriodNotSealed()


async def _check_order(connection: Connection, period: Period) -> None:
    earlier = await connection.fetchval(_EARLIER, period.partner_no, period.no)
    if earlier is not None:
        raise EarlierPeriodOpen(f"Close {earlier} first", period=earlier)


async def _composed(connection: Connection, period: Period, known: Catalogue) -> Composed:
    groups = await sums.booked(connection, period.partner_no, [period.no])
    return (await statements.composed(connection, [period], known, groups))[0]


def _net(composed: Composed) -> tuple[Position, ...]:
    return tuple(Position(total.currency, total.net_minor) for total in composed.totals)


async def _lock(connection: Connection, prepared: PreparedClose) -> dict[int, UUID]:
    """Lock what was prepared, in one order, and return the statements by partner."""
    rows = await connection.fetch(
        _LOCK,
        [wanted.partner_no for wanted in prepared.statements],
        [wanted.period_no for wanted in prepared.statements],
    )
    others = [row["state"] for row in rows if row["state"] != StatementState.PROVISIONAL]
    if others:
        raise _why_not(others)
    return {row["partner_no"]: row["id"] for row in rows}


async def _close(
    connection: Connection,
    wanted: PreparedStatement,
    statement: UUID,
    known: Catalogue,
    approval: Approval,
) -> Closed:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    period = await periods.find(connection, wanted.partner_no, wanted.period_no)
    await _check_order(connection, period)
    composed = await _composed(connection, period, known)
    if _net(composed) != wanted.net:
        raise StatementChanged(partner_no=period.partner_no, period=period.name)
    digest = digests.sealed(await _chain(connection, period), composed.lines)
    await _write_lines(connection, statement, period.partner_no, composed)
    await money.post(
        connection,
        kind=MoneyKind.CLOSE,
        subject=f"statement:{statement}",
        entries=[entry for line in composed.lines for entry in entries(line, period.partner_no)],
        at=at,
    )
    event = state_event(period, StatementState.CLOSED)
    await outbox.append(connection, [event], at)
    number = await connection.fetchval(_NUMBER)
    charges = sum(line.charges for line in composed.lines)
    await connection.execute(
        _FREEZE,
        *(statement, at, approval.prepared_by, approval.decided_by, number, charges, digest),
    )
    return Closed(statement, period.partner_no, period.name, number, _net(composed), digest)


def entries(line: Line, partner_no: int) -> list[MoneyEntry]:
    """Return what the close books for a line: what is on the statement and not in the book yet.

    Fees known at the end go to the fee account, roundings to that of roundings. VAT is owed to the
    cent as it stands on the statement, so its account has no roundings. What the operator pays as a
    funder stands on an account of its own.
    """
    with localcontext(EXACT):
        amount = major(line.amount_minor, line.currency)
        vat = major(line.vat_minor, line.currency)
        own = {
            MoneyAccount.FEE: line.booked - line.exact,
            MoneyAccount.VAT: line.booked_vat - vat,
            MoneyAccount.ROUNDING: line.exact - amount,
        }
        moved = -sum(own.values(), Decimal(0))
    account = MoneyAccount.PROMOTION if partner_no == OPERATOR else MoneyAccount.PARTNER
    return [
        MoneyEntry(account, partner_no, line.currency, moved),
        *(MoneyEntry(side, OPERATOR, line.currency, owed) for side, owed in own.items()),
    ]


async def _chain(connection: Connection, period: Period) -> bytes:
    """Return the end of the chain over all drains of a period, in the order of their ids."""
    joined = await connection.fetchval(_DIGESTS, period.partner_no, period.no) or b""
    start = digests.chain_start(period.partner_no, period.no)
    # A month of drains every fifteen seconds in each shard is a second or two: tills go on.
    return await asyncio.to_thread(digests.chained_all, start, joined)


async def _write_lines(
    connection: Connection, statement: UUID, partner_no: int, composed: Composed
) -> None:
    await connection.executemany(
        _LINE,
        [
            (random_id(), statement, partner_no, *(getattr(line, name) for name in _LINE_COLUMNS))
            for line in composed.lines
        ],
    )
    await connection.executemany(
        _TOTAL,
        [(statement, partner_no, *msgspec.structs.astuple(total)) for total in composed.totals],
    )
