"""Drains written by hand, so that what is read of them is known beforehand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id, uuid7
from partners.settlement import packed
from partners.settlement.kinds import ChargeKind

GROCER, FUEL = 1, 2
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)

_PERIOD = """
INSERT INTO settlement_period VALUES ($1, $2, $3, $4, $5, $5, 'monthly', 'UTC')
"""
_TARIFF = """
INSERT INTO tariff VALUES ($1, $2, 1, 1, $3, $4, 'SEK', 'none', 0, $5, true)
"""


async def period(connection: Connection, partner_no: int, no: int = 1) -> None:
    """Make a period of thirty days."""
    starts_at = BEGINNING + timedelta(days=30 * (no - 1))
    ends_at = starts_at + timedelta(days=30)
    await connection.execute(_PERIOD, partner_no, no, f"period {no}", starts_at, ends_at)


async def tariff(
    connection: Connection,
    partner_no: int,
    unit_price: str,
    *,
    kind: ChargeKind = ChargeKind.ISSUANCE,
    contract_no: int = 10,
) -> UUID:
    """Make a tariff in the partner's first period."""
    made = random_id()
    await connection.execute(_TARIFF, made, partner_no, kind, contract_no, Decimal(unit_price))
    return made


async def drain(
    connection: Connection, blocks: Mapping[int, tuple[Sequence[UUID], int]], at: datetime
) -> UUID:
    """Make a drain with blocks, each with its tariffs and so many postings of 1, 2, 3 … points."""
    made = uuid7(at)
    postings = sum(number for _, number in blocks.values())
    await connection.execute("INSERT INTO drain VALUES ($1, 0, $2, $3)", made, at, postings)
    for no, (tariffs, number) in blocks.items():
        moves = [(random_id(), points) for points in range(1, number + 1)]
        points = sum(points for _, points in moves)
        await connection.execute(
            "INSERT INTO block VALUES ($1, $2, $3, $4, $5)",
            *(made, no, number, points, packed.pack(moves)),
        )
        for one in tariffs:
            await connection.execute("INSERT INTO block_tariff VALUES ($1, $2, $3)", one, made, no)
    return made


async def partners() -> None:
    """Make the first period of two partners."""
    async with transaction() as connection:
        for partner_no in (GROCER, FUEL):
            await period(connection, partner_no)
