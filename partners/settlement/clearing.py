"""Clears closed statements: nets what partners pay and receive in one currency, by two persons.

One person prepares a cycle, a second approves it. What the approval says is then written whole:
which statements are in it, and a leg for each partner and the operator, which sum to zero. The
statements become `approved`: they are cleared for payment. Nothing is booked by it, since legs are
claims that stand in the money book already; payments book cash. See docs/adr/0033.

In no leg is what is not paid through a cycle: statements of partners whose contract says `gross`,
whose invoices are paid one by one, and the operator's own, whose side is the operator's leg.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar
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
from partners.settlement import periods
from partners.settlement.kinds import OPERATOR, StatementState
from partners.settlement.netting import Leg, net
from partners.settlement.refusals import (
    NothingToClear,
    StatementCleared,
    StatementNotClosed,
    UnknownCycle,
)
from partners.settlement.sealing import state_event

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
_CYCLES = """
SELECT id, currency, periods, prepared_at, prepared_by, approved_at, approved_by
FROM clearing_cycle ORDER BY approved_at DESC, id LIMIT $1
"""
_ONE = """
SELECT id, currency, periods, prepared_at, prepared_by, approved_at, approved_by
FROM clearing_cycle WHERE id = $1
"""
_LEGS_OF = """
SELECT version, partner_no, amount_minor FROM clearing_leg WHERE cycle = $1
ORDER BY version, partner_no
"""
_STATEMENTS_OF = "SELECT statement FROM clearing_statement WHERE cycle = $1 ORDER BY statement"
_DEFAULTS_OF = """
SELECT version, defaulter_no, loss_minor, guarantee_minor, is_prepaid, reserve_minor,
       haircut_minor, made_at, prepared_by, approved_by
FROM clearing_default WHERE cycle = $1 ORDER BY version
"""
_CLAIMS_OF = """
SELECT version, creditor_no, defaulter_no, amount_minor FROM clearing_claim
WHERE cycle = $1 ORDER BY version, creditor_no
"""


class PreparedStatement(msgspec.Struct, frozen=True):
    """A closed statement that is to be cleared; `is_netted` unless it is paid by itself."""

    statement: UUID
    partner_no: int
    period_no: int
    period: str
    net_minor: int
    is_netted: bool


class PreparedLeg(msgspec.Struct, frozen=True):
    """What a partner, or the operator (0), pays (positive) or receives."""

    partner_no: int
    amount_minor: int


class PreparedCycle(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    cycle: UUID
    currency: str
    periods: tuple[str, ...]
    statements: tuple[PreparedStatement, ...]
    legs: tuple[PreparedLeg, ...]


class Version(msgspec.Struct, frozen=True):
    """The legs of a cycle as they stood: 1 as approved, each later one after a default."""

    version: int
    legs: tuple[PreparedLeg, ...]


class Default(msgspec.Struct, frozen=True):
    """What a default came to; `version` is that of the legs that it made."""

    version: int
    defaulter_no: int
    loss_minor: int
    guarantee_minor: int
    is_prepaid: bool
    """Whether the guarantee is money that the partner itself had paid in."""
    reserve_minor: int
    haircut_minor: int
    made_at: datetime
    prepared_by: str
    approved_by: str


class HeldClaim(msgspec.Struct, frozen=True):
    """What a creditor did not receive and has to claim from whoever defaulted."""

    version: int
    creditor_no: int
    defaulter_no: int
    amount_minor: int


class CycleHead(msgspec.Struct, frozen=True):
    """A cycle that was cleared, and by whom."""

    id: UUID
    currency: str
    periods: tuple[str, ...]
    prepared_at: datetime
    prepared_by: str
    approved_at: datetime
    approved_by: str


class Cycle(CycleHead, frozen=True):
    """A cycle with its statements, every version of its legs, defaults and claims."""

    statements: tuple[UUID, ...] = ()
    versions: tuple[Version, ...] = ()
    defaults: tuple[Default, ...] = ()
    claims: tuple[HeldClaim, ...] = ()

    @property
    def legs(self) -> tuple[PreparedLeg, ...]:
        """Return the legs as they stand now."""
        return self.versions[-1].legs


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
            await _prepare_one(connection, one, statements, prepared_by, at)
            for one, statements in sorted(by_currency.items())
        ]


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Cycle:
    """Clear what was prepared, as the second person; return the cycle.

    Raises `StatementCleared` when another cycle has one of its statements by now.
    """
    cleared = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(cleared, Cycle), "the applier of this kind returns the cycle"
    return cleared


async def cycles(connection: Connection, *, limit: int = 100) -> list[CycleHead]:
    """Return the cycles that were cleared, the latest first."""
    rows = await connection.fetch(_CYCLES, limit)
    return [msgspec.convert(dict(row), CycleHead) for row in rows]


async def read(connection: Connection, cycle: UUID) -> Cycle:
    """Return a cycle with everything that became of it. Raises `UnknownCycle`."""
    head = await connection.fetchrow(_ONE, cycle)
    if head is None:
        raise UnknownCycle
    legs: dict[int, list[PreparedLeg]] = defaultdict(list)
    for version, partner_no, amount_minor in await connection.fetch(_LEGS_OF, cycle):
        legs[version].append(PreparedLeg(partner_no, amount_minor))
    statements = await connection.fetch(_STATEMENTS_OF, cycle)
    return Cycle(
        **msgspec.structs.asdict(msgspec.convert(dict(head), CycleHead)),
        statements=tuple(row[0] for row in statements),
        versions=tuple(Version(version, tuple(held)) for version, held in sorted(legs.items())),
        defaults=_all(await connection.fetch(_DEFAULTS_OF, cycle), Default),
        claims=_all(await connection.fetch(_CLAIMS_OF, cycle), HeldClaim),
    )


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def _all(rows: Iterable[asyncpg.Record], kind: type[AnyStruct]) -> tuple[AnyStruct, ...]:
    return tuple(msgspec.convert(dict(row), kind) for row in rows)


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


async def _prepare_one(
    connection: Connection,
    currency: str,
    statements: list[PreparedStatement],
    prepared_by: str,
    at: datetime,
) -> UUID:
    positions: dict[int, int] = defaultdict(int)
    for one in statements:
        if one.is_netted:
            positions[one.partner_no] += one.net_minor
    wanted = PreparedCycle(
        random_id(),
        currency,
        tuple(sorted({one.period for one in statements})),
        tuple(statements),
        tuple(PreparedLeg(*leg) for leg in net(positions)),
    )
    facts = {"cycle": wanted.cycle, "currency": currency, "periods": wanted.periods}
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
    by = approval.prepared_at, approval.prepared_by, at, approval.decided_by
    head = wanted.cycle, wanted.currency, list(wanted.periods)
    await connection.execute(_CYCLE, *head, *by)
    await connection.execute(_CLEARED, identifiers, wanted.currency, wanted.cycle)
    await write_legs(connection, wanted.cycle, 1, wanted.legs)
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
        facts=facts | {"legs": [msgspec.structs.asdict(leg) for leg in wanted.legs]},
        at=at,
    )
    return await read(connection, wanted.cycle)
