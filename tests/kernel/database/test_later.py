"""Statements that wait for each other: all rows come with the one statement, or none of them."""

import asyncio
from datetime import datetime

import asyncpg
import pytest

from coalition.kernel import outbox
from coalition.kernel.database import transaction
from coalition.kernel.database.later import Later

pytestmark = pytest.mark.usefixtures("database")

_TABLES = """
CREATE TEMP TABLE one (a int, b int) ON COMMIT DROP;
CREATE TEMP TABLE two (c text) ON COMMIT DROP
"""
_ONE = "INSERT INTO one SELECT $2, * FROM unnest($1::int[])"
_TWO = "INSERT INTO two SELECT $1 || $2 || $3 || $4 || $5 || $6 || $7 || $8 || $9 || $10"


async def test_statements_of_many_parameters_are_executed_as_one() -> None:
    async with transaction() as connection:
        await connection.execute(_TABLES)
        later = Later()
        for number in (1, 2):
            await later.execute(_ONE, [10, 20], number)
            await later.execute(_TWO, *[f"{number}{letter}" for letter in "abcdefghij"])
        assert await connection.fetch("SELECT * FROM one") == []
        asked: list[str] = []
        connection.add_query_logger(lambda record: asked.append(record.query))
        await later.write(connection)
        await asyncio.sleep(0)  # the logger is called after the statement
        assert len(asked) == 1
        rows = [tuple(row) for row in await connection.fetch("SELECT * FROM one ORDER BY a, b")]
        assert rows == [(1, 10), (1, 20), (2, 10), (2, 20)]
        texts = await connection.fetch("SELECT c FROM two ORDER BY c")
        assert [row[0] for row in texts] == ["1a1b1c1d1e1f1g1h1i1j", "2a2b2c2d2e2f2g2h2i2j"]


async def test_nothing_collected_asks_nothing() -> None:
    async with transaction() as connection:
        asked: list[str] = []
        connection.add_query_logger(lambda record: asked.append(record.query))
        await Later().write(connection)
        await asyncio.sleep(0)
        assert asked == []


async def test_an_insert_that_is_refused_refuses_all(at: datetime) -> None:
    kept = outbox.Event("points.posted", {"points": 1})

    async def write_too_much() -> None:
        async with transaction() as connection:
            await connection.execute("CREATE TEMP TABLE few (a int CHECK (a < 3)) ON COMMIT DROP")
            later = Later()
            await outbox.append(later, [kept], at)
            await later.execute("INSERT INTO few SELECT unnest($1::int[])", [1, 2, 3])
            await later.write(connection)

    with pytest.raises(asyncpg.CheckViolationError):
        await write_too_much()
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        later = Later()
        [made] = await outbox.append(later, [kept], at)
        await later.write(connection)
        assert await connection.fetchval("SELECT id FROM outbox") == made
