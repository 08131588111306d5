"""Clears closed statements: nets what partners pay and receive in one currency, by two persons.

One person prepares a cycle, a second approves it. What the approval says is then written whole:
which statements are in it, and a leg for each partner and the operator, which sum to zero. The
statements become `approved`: they are cleared for payment. Nothing is booked by it, since legs are
claims that stand in the money book already; payments book cash. See docs/adr/0033. Only what a
partner in default would receive and others claim from it is moved: see `setting_off`.

In no leg is what is not paid through a cycle: statements of partners whose contract says `gross`,
whose invoices are paid one by one, and the operator's own, whose side is the operator's leg.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import Payment
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.kernel.outbox import Event
from coalition.oversight import approvals, audit_log
from coalition.oversight.approvals import Approval
from partners.settlement import cycles, periods, setting_off
from partners.settlement.cycles import Cycle, PreparedLeg
from partners.settlement.kinds import OPERATOR, StatementState
from partners.settlement.netting import Leg
from partners.settlement.refusals import (
    ClaimsDiffer,
    NothingToClear,
    StatementCleared,
    StatementNotClosed,
)
from partners.settlement.sealing import state_event
from partners.settlement.setting_off import SetOff

KIND = "settlement_clearing"
"""The kind of approval by which a cycle is cleared."""

_STATEMENTS = """
SELECT statement.id AS statement, statement.partner_no, statement.period_no, statement.state,
       period.name AS period, period.starts_at, total.currency, total.net_minor
FROM statement
JOIN settlement_period AS period
    ON period.partner_no = statement.partner_no AND period.no = statement.period_no
JOIN statement_total AS total ON total.statement = statement.id
WHERE period.name = ANY ($1::text[])
  AND ($2::text IS NULL OR total.currency = $2)
  AND ($3::int4[] IS NULL OR statement.partner_no = ANY ($3))
  AND NOT EXISTS (
      SELECT FROM clearing_statement AS cleared
      WHERE cleared.statement = statement.id AND cleared.currency = total.currency)
ORDER BY total.currency, statement.partner_no, statement.period_no
"""
_LOCK = "SELECT id, state FROM statement WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
_TAKEN = """
SELECT EXISTS (
    SELECT FROM clearing_statement WHERE statement = ANY ($1::uuid[]) AND currency = $2)
"""
_CYCLE = """
INSERT INTO clearing_cycle
    (id, currency, periods, prepared_at, prepared_by, approved_at, approved_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_CLEARED = """
INSERT INTO clearing_statement (statement, currency, cycle)
SELECT statement, $2, $3 FROM unnest($1::uuid[]) AS statement
"""
_LEGS = """
INSERT INTO clearing_leg (cycle, version, partner_no, amount_minor)
SELECT $1, $2, * FROM unnest($3::int4[], $4::int8[])
"""
# A statement of several currencies is cleared for payment with the last of them.
_APPROVE = """
UPDATE statement SET state = 'approved', approved_at = $2
WHERE id = ANY ($1::uuid[]) AND state = 'closed' AND NOT EXISTS (
    SELECT FROM statement_total AS total WHERE total.statement = statement.id AND NOT EXISTS (
        SELECT FROM clearing_statement AS cleared
        WHERE cleared.statement = statement.id AND cleared.currency = total.currency))
RETURNING partner_no, period_no
"""


class PreparedStatement(msgspec.Struct, frozen=True):
    """A closed statement that is to be cleared; `is_netted` unless it is paid by itself."""

    statement: UUID
    partner_no: int
    period_no: int
    period: str
    net_minor: int
    is_netted: bool


class PreparedCycle(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    cycle: UUID
    currency: str
    periods: tuple[str, ...]
    statements: tuple[PreparedStatement, ...]
    legs: tuple[PreparedLeg, ...]
    set_offs: tuple[SetOff, ...] = ()
    """What the legs of partners in default pay to those who claim from them."""


async def prepare(
    *,
    names: Collection[str],
    prepared_by: str,
    at: datetime,
    currency: str | None = None,
    partner_nos: Collection[int] | None = None,
) -> list[UUID]:
    """Prepare a cycle per currency over the periods of these names; return their approvals.

    Of all partners and currencies unless said. What was cleared before is left out. Raises
    `UnknownPeriod`, `NothingToClear`, and `StatementNotClosed` when a statement of these periods is
    not closed yet: name the partners to go on without it.
    """
    async with transaction() as connection:
        known = await catalogue.load(connection)
        wanted = None if partner_nos is None else sorted(partner_nos)
        for name in sorted(names):
            await periods.all_named(connection, name)
        rows = await connection.fetch(_STATEMENTS, sorted(names), currency, wanted)
        await _check_closed(connection, sorted(names), wanted)
        by_currency: dict[str, list[PreparedStatement]] = defaultdict(list)
        for row in rows:
            by_currency[row["currency"]].append(_statement(row, known))
        if not by_currency:
            raise NothingToClear
        return [
            await _propose(
                connection, await _wanted(connection, known, one, held, at), prepared_by, at
            )
            for one, held in sorted(by_currency.items())
        ]


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Cycle:
    """Clear what was prepared, as the second person; return the cycle.

    Raises `StatementCleared` when another cycle has one of its statements by now, and
    `ClaimsDiffer` when other claims would be paid than when it was prepared.
    """
    cleared = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(cleared, Cycle), "the applier of this kind returns the cycle"
    return cleared


async def write_legs(
    connection: Connection, cycle: UUID, version: int, legs: Sequence[Leg | PreparedLeg]
) -> None:
    """Write a version of a cycle's legs, once; they sum to zero."""
    assert sum(leg.amount_minor for leg in legs) == 0, "what is paid is received"
    columns = [leg.partner_no for leg in legs], [leg.amount_minor for leg in legs]
    await connection.execute(_LEGS, cycle, version, *columns)


async def _check_closed(
    connection: Connection, names: list[str], partner_nos: list[int] | None
) -> None:
    """Refuse while a partner's period of these names is not closed: a cycle is whole."""
    row = await connection.fetchrow(
        """
        SELECT period.partner_no, period.name FROM settlement_period AS period
        LEFT JOIN statement
            ON statement.partner_no = period.partner_no AND statement.period_no = period.no
        WHERE period.name = ANY ($1::text[]) AND statement.closed_at IS NULL
          AND CASE WHEN $2::int4[] IS NULL THEN period.partner_no <> $3
                   ELSE period.partner_no = ANY ($2) END
        ORDER BY period.partner_no, period.no LIMIT 1
        """,
        names,
        partner_nos,
        OPERATOR,
    )
    if row is not None:
        raise StatementNotClosed(partner_no=row["partner_no"], period=row["name"])


def _statement(row: asyncpg.Record, known: Catalogue) -> PreparedStatement:
    is_netted = row["partner_no"] != OPERATOR
    if is_netted:
        contract = known.contract_at(row["partner_no"], row["starts_at"])
        is_netted = contract.payment == Payment.NET
    of_it = row["statement"], row["partner_no"], row["period_no"], row["period"], row["net_minor"]
    return PreparedStatement(*of_it, is_netted)


def _positions(statements: Iterable[PreparedStatement]) -> dict[int, int]:
    """Return what each partner pays or receives for those statements that are netted."""
    positions: dict[int, int] = defaultdict(int)
    for one in statements:
        if one.is_netted:
            positions[one.partner_no] += one.net_minor
    return positions


async def _wanted(
    connection: Connection,
    known: Catalogue,
    currency: str,
    statements: Sequence[PreparedStatement],
    at: datetime,
) -> PreparedCycle:
    """Return the cycle of these statements in one currency, as it is proposed."""
    positions = _positions(statements)
    set_offs = await setting_off.due(connection, known, currency, positions, at)
    return PreparedCycle(
        random_id(),
        currency,
        tuple(sorted({one.period for one in statements})),
        tuple(statements),
        tuple(PreparedLeg(*leg) for leg in setting_off.legs(positions, set_offs)),
        set_offs,
    )


async def _propose(
    connection: Connection, wanted: PreparedCycle, prepared_by: str, at: datetime
) -> UUID:
    facts = {"cycle": wanted.cycle, "currency": wanted.currency, "periods": wanted.periods}
    await outbox.append(connection, [Event("clearing.proposed", facts)], at)
    return await approvals.prepare(
        kind=KIND,
        subject=f"cycle:{wanted.cycle}",
        payload=wanted,
        prepared_by=prepared_by,
        at=at,
    )


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> Cycle:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedCycle)
    identifiers = [one.statement for one in wanted.statements]
    # What is closed never changes, so the statements still come to what was prepared.
    await connection.fetch(_LOCK, identifiers)
    if await connection.fetchval(_TAKEN, identifiers, wanted.currency):
        raise StatementCleared
    known = await catalogue.load(connection)
    await setting_off.lock(connection, known, at)
    positions = _positions(wanted.statements)
    if await setting_off.due(connection, known, wanted.currency, positions, at) != wanted.set_offs:
        raise ClaimsDiffer
    by = approval.prepared_at, approval.prepared_by, at, approval.decided_by
    head = wanted.cycle, wanted.currency, list(wanted.periods)
    await connection.execute(_CYCLE, *head, *by)
    await connection.execute(_CLEARED, identifiers, wanted.currency, wanted.cycle)
    await write_legs(connection, wanted.cycle, 1, wanted.legs)
    await setting_off.book(connection, wanted.cycle, wanted.currency, wanted.set_offs, at)
    events = [
        state_event(await periods.find(connection, *row), StatementState.APPROVED)
        for row in await connection.fetch(_APPROVE, identifiers, at)
    ]
    facts = {"cycle": wanted.cycle, "currency": wanted.currency, "periods": wanted.periods}
    await outbox.append(connection, [Event("clearing.approved", facts), *events], at)
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="clearing.approved",
        subject=approval.subject,
        facts=facts
        | {
            "legs": [msgspec.structs.asdict(leg) for leg in wanted.legs],
            "set_offs": [msgspec.structs.asdict(one) for one in wanted.set_offs],
        },
        at=at,
    )
    return await cycles.read(connection, wanted.cycle)
