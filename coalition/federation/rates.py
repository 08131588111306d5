"""Agrees on exchange rates between point currencies: dated, by two persons, never changed."""

from datetime import datetime
from math import gcd
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.refusals import (
    ExchangeRateRetroactive,
    ExchangeRateTaken,
    InvalidExchangeRate,
    UnknownPointCurrency,
)
from coalition.federation.terms import ExchangeRate
from coalition.kernel.database import Connection, transaction
from coalition.oversight import approvals, audit_log

KIND = "exchange_rate"
"""The kind of approval by which a rate is agreed on."""

POINTS_MOST = 1_000_000

_INSERT = """
INSERT INTO exchange_rate
    (no, from_no, to_no, from_points, to_points, valid_from, made_at, prepared_by, approved_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


class PreparedRate(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    from_code: str
    to_code: str
    from_points: int
    to_points: int
    valid_from: datetime | None
    """None is when the second person approves."""


async def prepare(
    *,
    from_code: str,
    to_code: str,
    from_points: int,
    to_points: int,
    prepared_by: str,
    at: datetime,
    valid_from: datetime | None = None,
) -> UUID:
    """Prepare that `from_points` of one point currency become `to_points` of another.

    It holds from `valid_from` (None: from its approval) until the next rate of the same direction
    begins. Returns the id of its approval. Raises `InvalidExchangeRate`, `ExchangeRateRetroactive`,
    `ExchangeRateTaken` or `UnknownPointCurrency`; all are judged again on approval.
    """
    part = gcd(from_points, to_points) or 1
    wanted = PreparedRate(from_code, to_code, from_points // part, to_points // part, valid_from)
    async with transaction() as connection:
        await _check(connection, wanted, at)
        return await approvals.prepare(
            kind=KIND,
            subject="coalition",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> ExchangeRate:
    """Agree on a prepared rate as the second person; return it."""
    agreed = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(agreed, ExchangeRate), "the applier of this kind returns the rate"
    return agreed


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> ExchangeRate:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedRate)
    await catalogue.bump(connection)
    from_no, to_no, valid_from = await _check(connection, wanted, approval.decided_at)
    rate = ExchangeRate(
        no=await catalogue.next_no(connection, "exchange_rate"),
        from_no=from_no,
        to_no=to_no,
        from_points=wanted.from_points,
        to_points=wanted.to_points,
        valid_from=valid_from,
        made_at=approval.decided_at,
        prepared_by=approval.prepared_by,
        approved_by=approval.decided_by,
    )
    await connection.execute(_INSERT, *msgspec.structs.astuple(rate))
    await audit_log.record(
        connection,
        actor=rate.approved_by,
        action="exchange_rate.agreed",
        subject="coalition",
        facts=msgspec.structs.asdict(rate),
        at=approval.decided_at,
    )
    return rate


async def _check(
    connection: Connection, wanted: PreparedRate, at: datetime
) -> tuple[int, int, datetime]:
    """Return the numbers of the two point currencies and when the rate begins."""
    most = max(wanted.from_points, wanted.to_points)
    if not 1 <= min(wanted.from_points, wanted.to_points) <= most <= POINTS_MOST:
        raise InvalidExchangeRate
    if wanted.from_code == wanted.to_code:
        raise InvalidExchangeRate("A rate is between two point currencies; name two")
    numbers = dict(await connection.fetch("SELECT code, no FROM point_currency"))
    for code in (wanted.from_code, wanted.to_code):
        if code not in numbers:
            raise UnknownPointCurrency(point_currency=code)
    begins = at if wanted.valid_from is None else wanted.valid_from
    if begins < at:
        raise ExchangeRateRetroactive(earliest=at.isoformat())
    from_no, to_no = numbers[wanted.from_code], numbers[wanted.to_code]
    if await connection.fetchval(
        "SELECT true FROM exchange_rate WHERE (from_no, to_no, valid_from) = ($1, $2, $3)",
        from_no,
        to_no,
        begins,
    ):
        raise ExchangeRateTaken
    return from_no, to_no, begins
