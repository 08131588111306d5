"""The pool outlives failed commits, cut wires and dead ones, and never loses a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from coalition.kernel.database import Engine, open_database, retrying, transaction
from coalition.kernel.database.transactions import is_passing
from tests.faults.proxy import Wire, laid

POOL_SIZE = 3


@asynccontextmanager
async def _engine_behind_a_wire(url: str) -> AsyncIterator[tuple[Engine, Wire]]:
    async with laid(url) as wire:
        engine = await open_database(
            wire.url_through(url), pool_size=POOL_SIZE, statement_timeout_s=0.5
        )
        try:
            yield engine, wire
        finally:
            wire.mend()
            await engine.close()


async def test_many_failed_commits_leave_the_pool_whole(database: Engine) -> None:
    async with transaction() as connection:
        await connection.execute(
            "CREATE TABLE a (id int PRIMARY KEY);"
            "CREATE TABLE b (a int REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"
        )
    for _ in range(30):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            async with transaction() as connection:
                await connection.execute("INSERT INTO b VALUES (1)")
    await _use_whole_pool(database, size=10)


async def test_commits_on_a_wire_that_is_cut_leave_the_pool_whole(database_url: str) -> None:
    async with _engine_behind_a_wire(database_url) as (engine, wire):
        for _ in range(3 * POOL_SIZE):
            with pytest.raises((OSError, asyncpg.InterfaceError, asyncpg.PostgresError)) as caught:
                await _commit_on_cut(wire)
            assert is_passing(caught.value), repr(caught.value)
            wire.mend()
        await _use_whole_pool(engine)


async def test_statements_on_a_wire_that_is_cut_are_tried_again(database_url: str) -> None:
    async with _engine_behind_a_wire(database_url) as (engine, wire):
        attempts = 0

        async def work() -> int:
            nonlocal attempts
            attempts += 1
            async with transaction() as connection:
                if attempts == 1:
                    wire.cut()
                elif attempts == 2:
                    wire.mend()
                return int(await connection.fetchval("SELECT 7"))

        wire_is_back = asyncio.get_running_loop().call_later(0.1, wire.mend)
        assert await retrying(work) == 7
        wire_is_back.cancel()
        await _use_whole_pool(engine)


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT", "COMMIT", "ROLLBACK"])
async def test_a_stranded_connection_is_given_up_in_time_and_replaced(
    database_url: str, statement: str
) -> None:
    async with _engine_behind_a_wire(database_url) as (engine, wire):
        await _use_whole_pool(engine)
        for _ in range(2 * POOL_SIZE):
            with pytest.raises((TimeoutError, ZeroDivisionError)):
                await _stranded_at(statement, wire)
        await _use_whole_pool(engine)


async def test_a_new_connection_on_a_dead_wire_is_given_up_in_time(database_url: str) -> None:
    async with _engine_behind_a_wire(database_url) as (engine, wire):
        wire.cut()
        with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
            await _select()
        wire.mend()
        wire.go_dead()
        for _ in range(2 * POOL_SIZE):
            with pytest.raises(TimeoutError):
                await _select()
        wire.mend()
        await _use_whole_pool(engine)


async def test_work_that_is_cancelled_gives_its_connection_back(database_url: str) -> None:
    async with _engine_behind_a_wire(database_url) as (engine, wire):
        for _ in range(2 * POOL_SIZE):
            started = asyncio.Event()

            async def work(started: asyncio.Event = started) -> None:
                async with transaction() as connection:
                    started.set()
                    await connection.execute("SELECT pg_sleep(60)")

            task = asyncio.create_task(work())
            await started.wait()
            wire.strand()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await _use_whole_pool(engine)


async def _commit_on_cut(wire: Wire) -> None:
    async with transaction() as connection:
        await connection.execute("SELECT 1")
        wire.cut()


async def _stranded_at(statement: str, wire: Wire) -> None:
    if statement == "BEGIN":
        wire.strand()
    async with transaction() as connection:
        if statement != "SELECT":
            await connection.execute("SELECT 1")
        wire.strand()
        if statement == "SELECT":
            await connection.execute("SELECT 1")
        if statement == "ROLLBACK":
            raise ZeroDivisionError


async def _select() -> None:
    async with transaction() as connection:
        await connection.execute("SELECT 1")


async def _use_whole_pool(engine: Engine, *, size: int = POOL_SIZE) -> None:
    """Hold every connection of the pool at once; none is missing and each works."""
    assert engine.pool is not None
    assert engine.pool.get_max_size() == size
    everybody = asyncio.Barrier(size)

    async def hold() -> None:
        async with transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1
            await everybody.wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(size):
            group.create_task(hold())
