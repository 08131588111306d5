"""Agrees on rates between the currencies of money: dated, by two persons, never changed."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.federation import catalogue, rules
from coalition.federation.refusals import MoneyRateRetroactive, MoneyRateTaken
from coalition.federation.terms import MoneyRate
from coalition.kernel.database import Connection, transaction
from coalition.oversight import approvals, audit_log

KIND = "money_rate"
"""The kind of approval by which a rate of money is agreed on."""

_INSERT = """
INSERT INTO money_rate
    (no, from_currency, to_currency, rate, valid_from, made_at, prepared_by, approved_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


class PreparedMoneyRate(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    from_currency: str
    to_currency: str
    rate: Decimal
    valid_from: datetime | None
    """None is when the second person approves."""


async def prepare(
    *,
    from_currency: str,
    to_currency: str,
    rate: Decimal,
    prepared_by: str,
    at: datetime,
    valid_from: datetime | None = None,
) -> UUID:
    """Prepare that one unit of a currency is `rate` units of another, both in major units.

    It holds from `valid_from` (None: from its approval) until the next rate of the same direction
    begins. Returns the id of its approval. Raises `UnknownCurrency`, `InvalidMoneyRate`,
    `MoneyRateRetroactive` or `MoneyRateTaken`; the last two are judged again on approval.
    """
    held = rules.valid_money_rate(from_currency, to_currency, rate)
    wanted = PreparedMoneyRate(from_currency, to_currency, held, valid_from)
    async with transaction() as connection:
        await _beginning(connection, wanted, at)
        return await approvals.prepare(
            kind=KIND,
            subject="coalition",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> MoneyRate:
    """Agree on a prepared rate as the second person; return it."""
    agreed = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(agreed, MoneyRate), "the applier of this kind returns the rate"
    return agreed


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> MoneyRate:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedMoneyRate)
    await catalogue.bump(connection)
    agreed = MoneyRate(
        no=await catalogue.next_no(connection, "money_rate"),
        from_currency=wanted.from_currency,
        to_currency=wanted.to_currency,
        rate=wanted.rate,
        valid_from=await _beginning(connection, wanted, approval.decided_at),
        made_at=approval.decided_at,
        prepared_by=approval.prepared_by,
        approved_by=approval.decided_by,
    )
    await connection.execute(_INSERT, *msgspec.structs.astuple(agreed))
    await audit_log.record(
        connection,
        actor=agreed.approved_by,
        action="money_rate.agreed",
        subject="coalition",
        facts=msgspec.structs.asdict(agreed),
        at=approval.decided_at,
    )
    return agreed


async def _beginning(connection: Connection, wanted: PreparedMoneyRate, at: datetime) -> datetime:
    """Return when the rate begins; refuse a time that is past or taken."""
    begins = at if wanted.valid_from is None else wanted.valid_from
    if begins < at:
        raise MoneyRateRetroactive(earliest=at.isoformat())
    if await connection.fetchval(
        "SELECT true FROM money_rate WHERE (from_currency, to_currency, valid_from) = ($1, $2, $3)",
        wanted.from_currency,
        wanted.to_currency,
        begins,
    ):
        raise MoneyRateTaken
    return begins
