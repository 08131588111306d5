"""Jobs: asked for in a transaction, done at least once, through failures, stops and losses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from coalition.kernel.clock import FixedClock, SystemClock
from coalition.kernel.database import Engine, migrate, pending_migrations, transaction
from coalition.kernel.jobs import (
    JobKind,
    JobRequest,
    NoPayload,
    Schedule,
    backlog,
    enqueue,
)
from coalition.kernel.jobs.queue import forget_finished
from coalition.kernel.jobs.worker import run_worker
from server.apps import APPS

PATIENCE_S = 20


class Greeting(msgspec.Struct, frozen=True):
    name: str


class Ledger:
    """Remembers what was done, and lets a test wait for it."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self._changed = asyncio.Event()

    async def write(self, payload: Any, at: datetime) -> None:
        self.done.append((payload, at))
        self._changed.set()

    async def has(self, number: int) -> list[Any]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.done) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.done


@asynccontextmanager
async def working(
    kinds: Sequence[JobKind[Any]],
    at: datetime,
    schedules: Sequence[Schedule] = (),
    patience_s: float = PATIENCE_S,
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = asyncio.create_task(
        run_worker(kinds, schedules, clock=FixedClock(at), stop=stop, patience_s=patience_s)
    )
    try:
        yield
    finally:
        stop.set()
        await worker


async def ask(*requests: JobRequest) -> None:
    async with transaction() as connection:
        await enqueue(connection, requests)


async def test_a_job_is_done_with_its_payload_and_the_time_of_our_clock(
    database: Engine, at: datetime
) -> None:
    ledger = Ledger()
    async with working([JobKind(name="greet", handle=ledger.write, payload=Greeting)], at):
        await ask(JobRequest("greet", Greeting("Anna")))
        assert await ledger.has(1) == [(Greeting("Anna"), at)]
    async with transaction() as connection:
        assert await backlog(connection) == (0, 0, 0.0)


async def test_a_job_of_a_rolled_back_transaction_does_not_exist(
    database: Engine, at: datetime
) -> None:
    async def ask_and_fail() -> None:
        async with transaction() as connection:
            await enqueue(connection, [JobRequest("greet")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask_and_fail()
    async with transaction() as connection:
        assert (await backlog(connection)).open == 0


async def test_a_job_that_fails_is_tried_again_and_then_kept_as_failed(
    database: Engine, at: datetime
) -> None:
    ledger = Ledger()

    async def fail(payload: NoPayload, at: datetime) -> None:
        await ledger.write(payload, at)
        raise ValueError("anna@example.com")

    async def fail_once(payload: NoPayload, at: datetime) -> None:
        await ledger.write(payload, at)
        if len(ledger.done) == 1:
            raise ValueError

    async with working([JobKind(name="lucky", handle=fail_once, first_pause_s=0)], at):
        await ask(JobRequest("lucky"))
        await ledger.has(2)
    async with transaction() as connection:
        assert await backlog(connection) == (0, 0, 0.0)

    ledger.done.clear()
    async with working([JobKind(name="hapless", handle=fail, first_pause_s=0, attempts=3)], at):
        await ask(JobRequest("hapless"))
        await ledger.has(3)
    async with transaction() as connection:
        assert (await backlog(connection))[:2] == (0, 1)
        told = await connection.fetchval(
            "SELECT string_agg(traceback::text, ' ') FROM pgqueuer_log"
        )
    assert "ValueError" in told
    assert "anna" not in told


async def test_a_job_with_a_key_is_queued_once_until_it_is_done(
    database: Engine, at: datetime
) -> None:
    await ask(JobRequest("greet", dedupe_key="k"), JobRequest("greet", dedupe_key="other"))
    await ask(JobRequest("greet", dedupe_key="k"))
    async with transaction() as connection:
        assert (await backlog(connection)).open == 2
    ledger = Ledger()
    async with working([JobKind(name="greet", handle=ledger.write)], at):
        await ledger.has(2)
    await ask(JobRequest("greet", dedupe_key="k"))
    async with transaction() as connection:
        assert (await backlog(connection)).open == 1


async def test_a_delayed_job_waits(database: Engine, at: datetime) -> None:
    ledger = Ledger()
    async with working([JobKind(name="greet", handle=ledger.write, payload=Greeting)], at):
        await ask(
            JobRequest("greet", Greeting("late"), delay=timedelta(hours=1)),
            JobRequest("greet", Greeting("now")),
        )
        assert await ledger.has(1) == [(Greeting("now"), at)]
    async with transaction() as connection:
        assert (await backlog(connection)).open == 1


async def test_a_job_that_outlasts_the_stop_goes_back_to_the_queue(
    database: Engine, at: datetime
) -> None:
    begun = asyncio.Event()

    async def hang(_: NoPayload, at: datetime) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with working([JobKind(name="slow", handle=hang)], at, patience_s=0.05):
        await ask(JobRequest("slow"))
        async with asyncio.timeout(PATIENCE_S):
            await begun.wait()
    async with transaction() as connection:
        assert (await backlog(connection)).open == 1
    ledger = Ledger()
    async with working([JobKind(name="slow", handle=ledger.write)], at):
        assert await ledger.has(1) == [(NoPayload(), at)]


async def test_a_worker_survives_the_loss_of_all_its_connections(
    database: Engine, at: datetime
) -> None:
    ledger = Ledger()
    async with working([JobKind(name="greet", handle=ledger.write, payload=Greeting)], at):
        await ask(JobRequest("greet", Greeting("before")))
        await ledger.has(1)
        killer = await database.get_new_connection()
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await enqueue(killer, [JobRequest("greet", Greeting("after"))])
        await killer.close()
        assert [payload.name for payload, _ in await ledger.has(2)] == ["before", "after"]


async def test_a_schedule_asks_for_its_job_once(database: Engine, at: datetime) -> None:
    ledger = Ledger()
    nightly = JobKind(name="nightly", handle=ledger.write, one_at_a_time=True)
    async with working([nightly], at, [Schedule("* * * * *", "nightly")]):
        await ask(JobRequest("nightly"))
        await ledger.has(1)
        async with transaction() as connection:
            # Its minute has come.
            await connection.execute("UPDATE pgqueuer_schedules SET next_run = created")
    async with working([nightly], at, [Schedule("* * * * *", "nightly")]):
        assert await ledger.has(2) == [(NoPayload(), at)] * 2


async def test_a_schedule_that_nobody_does_is_a_mistake(database: Engine, at: datetime) -> None:
    with pytest.raises(AssertionError, match="nightly"):
        async with working([], at, [Schedule("* * * * *", "nightly")]):
            pass


async def test_the_record_of_old_jobs_is_dropped(database: Engine) -> None:
    now = SystemClock().now()
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated) "
            "VALUES ($1, 1, 'successful', 0, 'x', true), ($2, 2, 'successful', 0, 'x', true)",
            now - timedelta(days=6),
            now - timedelta(days=8),
        )
        await forget_finished(connection, timedelta(days=7))
        left = await connection.fetch("SELECT job_id FROM pgqueuer_log")
    assert [row["job_id"] for row in left] == [1]


async def test_the_queue_is_installed_by_our_migrations(database: Engine) -> None:
    assert await pending_migrations(APPS) == []
    assert await migrate(database, APPS) == []
