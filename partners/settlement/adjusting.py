"""Adjusts what a partner owes by hand: money, by two persons, in its first period not sealed.

An adjustment is a fact of its own beside the charges. It stands on the statement's line of
adjustments and in the money book at once, with the VAT that the contract names for those; what puts
a line right has the contract version and the VAT of that line.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
import msgspec

from coalition.federation import catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.federation.terms import Contract
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.money import CURRENCIES
from coalition.kernel.outbox import Event
from coalition.ledger import money
from coalition.ledger.money import MoneyAccount, MoneyEntry, MoneyKind
from coalition.oversight import approvals, audit_log
from coalition.oversight.approvals import Approval
from coalition.oversight.reasons import valid_reason
from partners.settlement import periods
from partners.settlement.kinds import OPERATOR, ChargeKind
from partners.settlement.pricing import exact
from partners.settlement.refusals import InvalidAdjustment, UnknownLine
from partners.settlement.rules import major, vat_of

KIND = "settlement_adjustment"
"""The kind of approval by which money is adjusted."""

AMOUNT_MINOR_MOST = 10**12

_OF_LINE = """
SELECT line.id, statement.period_no, line.contract_no, line.currency, line.vat_code, line.vat_rate
FROM statement_line AS line
JOIN statement ON statement.id = line.statement
WHERE line.statement = $1 AND line.no = $2 AND line.partner_no = $3
"""
_OPEN = """
SELECT period.no, period.name FROM settlement_period AS period
WHERE period.partner_no = $1 AND NOT EXISTS (
    SELECT FROM statement
    WHERE statement.partner_no = period.partner_no AND statement.period_no = period.no)
ORDER BY period.no LIMIT 1
"""
_LOCK = "SELECT FROM settlement_period WHERE partner_no = $1 AND no = $2 FOR NO KEY UPDATE"
_INSERT = """
INSERT INTO settlement_adjustment
    (id, partner_no, period_no, origin_no, contract_no, currency, vat_code, vat_rate, amount_minor,
     reason, statement_line, made_at, prepared_by, approved_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


class OfLine(msgspec.Struct, frozen=True):
    """A line of a closed statement, by its number there."""

    statement: UUID
    no: int


class PreparedAdjustment(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval.

    `amount_minor` is positive where the partner pays; `line` is what it puts right.
    """

    partner_no: int
    amount_minor: int
    currency: str
    reason: str
    line: OfLine | None


class Adjusted(msgspec.Struct, frozen=True, kw_only=True):
    """An adjustment as it was booked; VAT is added on the statement."""

    id: UUID
    partner_no: int
    period: str
    period_no: int
    origin_no: int
    contract_no: int
    currency: str
    amount_minor: int
    vat_code: str
    vat_rate: Decimal


async def prepare(
    *,
    partner_no: int,
    amount_minor: int,
    currency: str,
    reason: str,
    prepared_by: str,
    at: datetime,
    line: OfLine | None = None,
) -> UUID:
    """Prepare that a partner pays `amount_minor` (positive) or receives it, before VAT.

    `line` is the line of a closed statement that it puts right: then it belongs to that period,
    has the VAT of that line, and is in its currency.
    Returns the id of its approval. Raises `InvalidAdjustment`, `ReasonNeeded`, `UnknownPartner` or
    `UnknownLine`.
    """
    if currency not in CURRENCIES or not 0 < abs(amount_minor) <= AMOUNT_MINOR_MOST:
        raise InvalidAdjustment
    wanted = PreparedAdjustment(partner_no, amount_minor, currency, valid_reason(reason), line)
    async with transaction() as connection:
        await _contract(connection, partner_no, at)
        await _corrected(connection, wanted)
        return await approvals.prepare(
            kind=KIND,
            subject=f"partner:{partner_no}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Adjusted:
    """Book a prepared adjustment as the second person; return it."""
    await periods.ensure(at)
    adjusted = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(adjusted, Adjusted), "the applier of this kind returns the adjustment"
    return adjusted


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> Adjusted:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedAdjustment)
    contract = await _contract(connection, wanted.partner_no, at)
    period = await _lock_open_period(connection, wanted.partner_no)
    line = await _corrected(connection, wanted)
    if line is None:
        contract_no, origin_no = contract.no, period["no"]
        vat_code, vat_rate = vat_of(contract, ChargeKind.ADJUSTMENT)
    else:
        contract_no, origin_no = line["contract_no"], line["period_no"]
        vat_code, vat_rate = line["vat_code"], line["vat_rate"]
    adjusted = Adjusted(
        id=approval.id,
        partner_no=wanted.partner_no,
        period=period["name"],
        period_no=period["no"],
        origin_no=origin_no,
        contract_no=contract_no,
        currency=wanted.currency,
        amount_minor=wanted.amount_minor,
        vat_code=vat_code,
        vat_rate=vat_rate,
    )
    await connection.execute(
        _INSERT,
        *(adjusted.id, adjusted.partner_no, adjusted.period_no, adjusted.origin_no),
        *(adjusted.contract_no, adjusted.currency, adjusted.vat_code, adjusted.vat_rate),
        *(adjusted.amount_minor, wanted.reason, line and line["id"], at),
        *(approval.prepared_by, approval.decided_by),
    )
    await _book(connection, adjusted, at)
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="settlement.adjusted",
        subject=f"partner:{adjusted.partner_no}",
        facts=msgspec.structs.asdict(adjusted) | {"prepared_by": approval.prepared_by},
        at=at,
    )
    return adjusted


async def _book(connection: Connection, adjusted: Adjusted, at: datetime) -> None:
    amount = major(adjusted.amount_minor, adjusted.currency)
    vat = exact(amount * adjusted.vat_rate)
    currency = adjusted.currency
    await money.post(
        connection,
        kind=MoneyKind.ADJUSTMENT,
        subject=f"adjustment:{adjusted.id}",
        entries=[
            MoneyEntry(MoneyAccount.PARTNER, adjusted.partner_no, currency, amount + vat),
            MoneyEntry(MoneyAccount.ADJUSTMENT, OPERATOR, currency, -amount),
            MoneyEntry(MoneyAccount.VAT, OPERATOR, currency, -vat),
        ],
        at=at,
    )
    facts = {
        "partner_no": adjusted.partner_no,
        "period_no": adjusted.period_no,
        "period": adjusted.period,
        "adjustment_id": adjusted.id,
    }
    await outbox.append(connection, [Event("statement.adjusted", facts)], at)


async def _contract(connection: Connection, partner_no: int, at: datetime) -> Contract:
    """Return the version in force at `at`; the operator has none and is adjusted by nobody."""
    known = await catalogue.load(connection)
    if partner_no == OPERATOR:
        raise UnknownPartner(partner_no=partner_no)
    known.partner(partner_no)
    return known.contract_at(partner_no, at)


async def _lock_open_period(connection: Connection, partner_no: int) -> asyncpg.Record:
    """Return a partner's first period that is not sealed, and keep it so until the commit.

    Sealing takes the same lock before it says `cut_off`.
    """
    while True:
        period = await connection.fetchrow(_OPEN, partner_no)
        assert period is not None, "periods reach beyond the present"
        await connection.execute(_LOCK, partner_no, period["no"])
        if await connection.fetchrow(_OPEN, partner_no) == period:
            return period


async def _corrected(connection: Connection, wanted: PreparedAdjustment) -> asyncpg.Record | None:
    """Return the line that is put right, with the number of its period; None when none is named."""
    if wanted.line is None:
        return None
    found = await connection.fetchrow(
        _OF_LINE, wanted.line.statement, wanted.line.no, wanted.partner_no
    )
    if found is None:
        raise UnknownLine
    if found["currency"] != wanted.currency:
        raise InvalidAdjustment(f"The line is in {found['currency']}; so is what puts it right")
    return found
