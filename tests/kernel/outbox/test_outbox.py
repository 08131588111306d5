"""I11: every committed event leaves at least once under one id; none that was rolled back."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from coalition.kernel.clock import FixedClock
from coalition.kernel.database import Engine, transaction
from coalition.kernel.jobs.worker import run_worker
from coalition.kernel.outbox import (
    Delivery,
    Event,
    GatheringSubscriber,
    Subscriber,
    append,
    hand_over,
    job_kinds,
    run_relay,
    waiting,
)

PATIENCE_S = 20
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Listener:
    """Somebody who remembers what came."""

    def __init__(self, name: str = "listener", kinds: frozenset[str] = frozenset({"sold"})) -> None:
        self.came: list[Delivery] = []
        self._changed = asyncio.Event()
        self.subscriber = Subscriber(name, kinds, self.hear, first_pause_s=0)

    async def hear(self, delivery: Delivery, _: datetime) -> None:
        self.came.append(delivery)
        self._changed.set()

    async def has(self, number: int) -> list[Delivery]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.came) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.came


async def emit(at: datetime, *events: Event) -> list[Any]:
    async with transaction() as connection:
        return await append(connection, events, at)


async def queued() -> int:
    async with transaction() as connection:
        number: int = await connection.fetchval("SELECT count(*) FROM pgqueuer")
        return number


async def left(at: datetime) -> int:
    async with transaction() as connection:
        return (await waiting(connection, at))[0]


async def test_a_committed_event_reaches_each_of_its_subscribers(
    database: Engine, at: datetime
) -> None:
    first, second, deaf = Listener("a"), Listener("b"), Listener("c", frozenset({"other"}))
    subscribers = [one.subscriber for one in (first, second, deaf)]
    earlier = at - timedelta(days=1)
    ids = await emit(at, Event("sold", {"points": 7}), Event("sold", {"å": [None]}, earlier, 3))
    stop = asyncio.Event()
    relaying = asyncio.create_task(run_relay(subscribers, stop=stop, poll_s=0.01))
    working = asyncio.create_task(
        run_worker(job_kinds(subscribers), clock=FixedClock(at), stop=stop)
    )
    came = [await first.has(2), await second.has(2)]
    stop.set()
    await asyncio.gather(relaying, working)
    for deliveries in came:
        assert sorted(deliveries, key=lambda delivery: ids.index(delivery.id)) == [
            Delivery(
                id=ids[0], kind="sold", payload={"points": 7}, occurred_at=at, committed_at=at
            ),
            Delivery(
                id=ids[1],
                kind="sold",
                payload={"å": [None]},
                occurred_at=earlier,
                committed_at=at,
            ),
        ]
    assert deaf.came == []
    assert (await left(at), await queued()) == (0, 0)


async def test_an_event_of_a_rolled_back_transaction_is_never_seen(
    database: Engine, at: datetime
) -> None:
    async def emit_and_fail() -> None:
        async with transaction() as connection:
            await append(connection, [Event("sold", {})], at)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await emit_and_fail()
    assert await hand_over([Listener().subscriber]) == 0


async def test_an_event_that_nobody_wants_leaves_quietly(database: Engine, at: datetime) -> None:
    await emit(at, Event("sold", {}))
    assert await hand_over([]) == 1
    assert (await left(at), await queued()) == (0, 0)


async def test_a_relay_killed_midway_has_handed_over_nothing(
    database: Engine, at: datetime
) -> None:
    await emit(at, *[Event("sold", {"n": n}) for n in range(10)])
    killer = await database.get_new_connection()
    async with killer.transaction():
        await killer.execute("LOCK TABLE pgqueuer IN ACCESS EXCLUSIVE MODE")
        relaying = asyncio.create_task(hand_over([Listener().subscriber]))
        # It has taken the events and waits to write the jobs.
        async with asyncio.timeout(PATIENCE_S):
            while not await killer.fetchval(KILL + " AND wait_event_type = 'Lock'"):
                await asyncio.wait({relaying}, timeout=0.01)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await relaying
    await killer.close()
    assert (await left(at), await queued()) == (10, 0)
    assert await hand_over([Listener().subscriber]) == 10
    assert (await left(at), await queued()) == (0, 10)


async def test_relays_side_by_side_hand_over_each_event_once(
    database: Engine, at: datetime
) -> None:
    await emit(at, *[Event("sold", {"n": n}) for n in range(100)])
    subscriber = Listener().subscriber
    handed = await asyncio.gather(*[hand_over([subscriber], limit=30) for _ in range(4)])
    while await hand_over([subscriber], limit=30):
        pass
    assert sum(handed) <= 100
    async with transaction() as connection:
        ids = await connection.fetch(
            "SELECT convert_from(payload, 'UTF8')::jsonb->>'id' FROM pgqueuer"
        )
    assert len(ids) == len({row[0] for row in ids}) == 100


async def test_the_relay_survives_a_lost_connection(database: Engine, at: datetime) -> None:
    listener = Listener()
    stop = asyncio.Event()
    relaying = asyncio.create_task(run_relay([listener.subscriber], stop=stop, poll_s=0.01))
    killer = await database.get_new_connection()
    await killer.execute(KILL)
    await append(killer, [Event("sold", {})], at)
    await killer.close()
    working = asyncio.create_task(
        run_worker(job_kinds([listener.subscriber]), clock=FixedClock(at), stop=stop)
    )
    await listener.has(1)
    stop.set()
    await asyncio.gather(relaying, working)


async def test_a_relay_says_that_it_has_looked_also_where_its_connection_was_lost(
    database: Engine,
) -> None:
    stop, looked = asyncio.Event(), asyncio.Event()
    killer = await database.get_new_connection()
    async with killer.transaction():
        # No look succeeds while this is held.
        await killer.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        relaying = asyncio.create_task(run_relay([], stop=stop, looked=looked.set))
        async with asyncio.timeout(PATIENCE_S):
            while not await killer.fetchval(KILL + " AND wait_event_type = 'Lock'"):
                await asyncio.wait({relaying}, timeout=0.01)
            await looked.wait()
    await killer.close()
    stop.set()
    await relaying


async def test_the_age_of_the_oldest_event_is_known(database: Engine, at: datetime) -> None:
    async with transaction() as connection:
        assert await waiting(connection, at) == (0, 0.0)
    await emit(at, Event("sold", {}))
    async with transaction() as connection:
        assert await waiting(connection, at + timedelta(seconds=5)) == (1, 5.0)


async def test_a_gathering_subscriber_gets_what_waited_in_one_job(
    database: Engine, at: datetime
) -> None:
    came: list[list[int]] = []
    heard = asyncio.Event()

    async def hear(deliveries: Sequence[Delivery], _: datetime) -> None:
        came.append([delivery.payload["n"] for delivery in deliveries])
        if sum(len(one) for one in came) == 120:
            heard.set()

    gathering = GatheringSubscriber("gathering", frozenset({"sold"}), hear)
    await emit(at, *[Event("sold", {"n": n}) for n in range(120)], Event("other", {}))
    assert await hand_over([gathering]) == 121
    assert await queued() == 2, "a hundred to a job at most"
    stop = asyncio.Event()
    working = asyncio.create_task(
        run_worker(job_kinds([gathering]), clock=FixedClock(at), stop=stop)
    )
    async with asyncio.timeout(PATIENCE_S):
        await heard.wait()
    stop.set()
    await working
    assert sorted(map(len, came)) == [20, 100]
    assert sorted(n for one in came for n in one) == list(range(120))


async def test_events_that_nobody_gathers_make_no_job(database: Engine, at: datetime) -> None:
    async def hear(_: Sequence[Delivery], __: datetime) -> None:
        raise AssertionError

    await emit(at, Event("sold", {}))
    assert await hand_over([GatheringSubscriber("deaf", frozenset({"other"}), hear)]) == 1
    assert await queued() == 0
