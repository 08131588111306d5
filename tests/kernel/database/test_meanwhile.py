"""Work beside a statement: both are done, and whatever fails the connection is as it was."""

import asyncio

import asyncpg
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.database.meanwhile import meanwhile

pytestmark = pytest.mark.usefixtures("database")


async def test_the_statement_and_the_work_are_both_done() -> None:
    async with transaction() as connection:
        answered, made = await meanwhile(connection.fetchval("SELECT 1"), lambda: "made")
        assert await connection.fetchval("SELECT 2") == 2
    assert (answered, made) == (1, "made")


async def test_work_that_fails_waits_for_the_statement() -> None:
    def fail() -> None:
        raise KeyError("work")

    async with transaction() as connection:
        with pytest.raises(KeyError, match="work"):
            await meanwhile(connection.fetchval("SELECT 1"), fail)
        with pytest.raises(KeyError, match="work"):
            await meanwhile(_refused_by_us(), fail)
        assert await connection.fetchval("SELECT 2") == 2, "nothing is under way any more"


async def test_a_statement_that_fails_fails_the_whole() -> None:
    done: list[str] = []
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with transaction() as connection:
            await meanwhile(connection.fetchval("SELECT 1 / 0"), lambda: done.append("work"))
    assert done == ["work"]


async def test_who_is_cancelled_leaves_no_statement_behind() -> None:
    before = asyncio.all_tasks()
    under_way = asyncio.Event()

    async def work() -> None:
        async with transaction() as connection:
            await meanwhile(connection.execute("SELECT pg_sleep(60)"), under_way.set)

    waiting = asyncio.create_task(work())
    await under_way.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before


async def test_work_that_ends_the_process_gives_the_statement_up() -> None:
    def end() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        async with transaction() as connection:
            await meanwhile(connection.execute("SELECT pg_sleep(60)"), end)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def _refused_by_us() -> None:
    raise ValueError("the statement")
