"""What partners owe in all is the sum of their entries, whenever and however often it is added."""

import asyncio
from datetime import datetime
from decimal import Decimal

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import money
from coalition.ledger.money import MoneyAccount, MoneyEntry, MoneyKind

pytestmark = pytest.mark.usefixtures("database")


async def owes(at: datetime, partner_no: int, amount: str, currency: str = "EUR") -> None:
    entries = [
        MoneyEntry(MoneyAccount.PARTNER, partner_no, currency, Decimal(amount)),
        MoneyEntry(MoneyAccount.FEE, 0, currency, -Decimal(amount)),
    ]
    async with transaction() as connection:
        await money.post(connection, kind=MoneyKind.DRAIN, subject="test", entries=entries, at=at)


async def add_up() -> None:
    async with transaction() as connection:
        await money.add_up(connection)


async def added_up() -> list[tuple[int, str, Decimal]]:
    async with transaction() as connection:
        await money.add_up(connection)
        assert await connection.fetchval("SELECT count(*) FROM money_delta") == 0
        rows = await connection.fetch(
            "SELECT partner_no, currency, amount FROM money_balance ORDER BY 1, 2"
        )
    return [tuple(row) for row in rows]


async def test_balances_are_the_sums_of_the_partners_entries(at: datetime) -> None:
    await owes(at, 1, "10.5")
    await owes(at, 1, "-0.000000000001")
    await owes(at, 2, "3", "SEK")
    assert await added_up() == [(1, "EUR", Decimal("10.499999999999")), (2, "SEK", Decimal(3))]
    assert await added_up() == [(1, "EUR", Decimal("10.499999999999")), (2, "SEK", Decimal(3))]
    await owes(at, 1, "-10.499999999999")
    assert await added_up() == [(1, "EUR", Decimal(0)), (2, "SEK", Decimal(3))]


async def test_entries_are_added_once_by_whoever_comes_first(at: datetime) -> None:
    for _ in range(5):
        await owes(at, 1, "2")
    await asyncio.gather(*(add_up() for _ in range(6)), owes(at, 1, "0.5"))
    assert await added_up() == [(1, "EUR", Decimal("10.5"))]


async def test_what_comes_to_nothing_on_every_account_is_not_posted(at: datetime) -> None:
    entries = [
        MoneyEntry(MoneyAccount.PARTNER, 1, "EUR", Decimal(amount)) for amount in ("2.5", "-2.5")
    ]
    async with transaction() as connection:
        posted = await money.post(
            connection, kind=MoneyKind.ADJUSTMENT, subject="test", entries=entries, at=at
        )
        assert await connection.fetchval("SELECT count(*) FROM money_posting") == 0
    assert posted is None
    assert await added_up() == []
