"""The worker's drains: they book what tills posted, outlive failures, and get in nobody's way."""

import asyncio
from datetime import datetime, timedelta

import pytest

from coalition.federation.terms import CreditMode
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import uuid7
from partners.settlement import figures, jobs
from partners.settlement.jobs import Drains, pause_after, run_drains
from tests.partners.settlement.credit_world import credit_world
from tests.support.http import Coalition, Shop

NEVER = asyncio.Event()
AT_ONCE = timedelta(0)


async def queued() -> dict[int, object]:
    """Return what waits in each shard."""
    async with transaction() as connection:
        return dict(await figures.oldest_waiting(connection))


async def books() -> tuple[int, float]:
    """Return how many postings were drained, and by how much the money book misses zero."""
    async with transaction() as connection:
        drained = await connection.fetchval("SELECT coalesce(sum(postings), 0)::int8 FROM drain")
        return drained, await figures.out_of_balance(connection)


async def sell_in_two_shards(shop: Shop, card: str = "9752") -> int:
    """Issue to new members until two shards have something queued; return how often that was."""
    sales = 0
    while len(await queued()) < 2:
        sales += 1
        await shop.issue(await shop.new_member(f"{card}{sales:04}"), 100)
    return sales


async def test_what_tills_post_is_booked_while_the_worker_runs(
    coalition: Coalition, grocer: Shop
) -> None:
    sales = await sell_in_two_shards(grocer)
    stop = asyncio.Event()
    working = asyncio.create_task(run_drains(stop, coalition.clock, poll_s=0.01, lingers=AT_ONCE))
    async with asyncio.timeout(30):
        while await queued():
            await asyncio.wait({working}, timeout=0.05)
            assert not working.done(), working.result()
        stop.set()
        await working
    assert await books() == (sales, 0)


async def test_credit_is_judged_after_what_was_booked(database: Engine, at: datetime) -> None:
    world = await credit_world(at, CreditMode.BLOCK, limit_minor=100)
    await world.issue(100)
    stop = asyncio.Event()
    working = asyncio.create_task(run_drains(stop, FixedClock(at), poll_s=0.01, lingers=AT_ONCE))
    async with asyncio.timeout(30):
        while not await blocked():
            await asyncio.wait({working}, timeout=0.05)
            assert not working.done(), working.result()
        stop.set()
        await working
    assert (await world.standing()).exposure_minor == 125


async def blocked() -> int:
    """Return how many partners may issue no more."""
    async with transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM partner_limit WHERE blocked"))


async def test_two_workers_at_once_book_everything_once(coalition: Coalition, grocer: Shop) -> None:
    sales = await sell_in_two_shards(grocer)
    booked = await asyncio.gather(
        *(Drains(coalition.clock, lingers=AT_ONCE).go_round(NEVER) for _ in range(3)),
    )
    assert sum(booked) == sales
    assert await books() == (sales, 0)


async def test_a_shard_that_fails_is_left_alone_for_longer_and_longer_and_the_others_go_on(
    coalition: Coalition, grocer: Shop
) -> None:
    sales = await sell_in_two_shards(grocer)
    broken, batch = min((await queued()).items())
    other = uuid7(coalition.clock.now())
    async with transaction() as connection:
        # As if it had been drained before: that cannot be, and the database refuses it.
        await connection.execute(
            "INSERT INTO drain VALUES ($1, $2, $3, 0)", other, broken, coalition.clock.now()
        )
        await connection.execute("INSERT INTO drained VALUES ($1, $2, $3)", broken, batch, other)
    drains = Drains(coalition.clock, lingers=AT_ONCE)
    booked = await drains.go_round(NEVER)
    assert 0 < booked < sales
    assert list(await queued()) == [broken]

    coalition.clock.advance(timedelta(seconds=pause_after(1)))
    assert await drains.go_round(NEVER) == 0
    async with transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("GRANT DELETE ON drained TO CURRENT_USER")
        await connection.execute("DELETE FROM drained WHERE drain = $1", other)
    coalition.clock.advance(timedelta(seconds=pause_after(1)))
    assert await drains.go_round(NEVER) == 0, "the second pause is twice as long"
    coalition.clock.advance(timedelta(seconds=pause_after(1)))
    assert await drains.go_round(NEVER) == sales - booked
    assert await queued() == {}


async def test_a_few_postings_wait_for_others_and_many_do_not(
    coalition: Coalition, grocer: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = await sell_in_two_shards(grocer)
    drains = Drains(coalition.clock)
    assert await drains.go_round(NEVER) == 0
    coalition.clock.advance(jobs.LINGERS - timedelta(seconds=1))
    assert await drains.go_round(NEVER) == 0
    coalition.clock.advance(timedelta(seconds=1))
    assert await drains.go_round(NEVER) == sales
    sales = await sell_in_two_shards(grocer, card="9753")
    monkeypatch.setattr(jobs, "WORTH_A_DRAIN", 2)
    few = await drains.go_round(NEVER)
    assert few == sales - len(await queued()), "a shard with a single posting still waits"
    monkeypatch.setattr(jobs, "WORTH_A_DRAIN", 1)
    assert few + await drains.go_round(NEVER) == sales


async def test_a_worker_that_is_told_to_stop_begins_no_further_shard(
    coalition: Coalition, grocer: Shop
) -> None:
    await sell_in_two_shards(grocer)
    stop = asyncio.Event()
    stop.set()
    assert await Drains(coalition.clock, lingers=AT_ONCE).go_round(stop) == 0
    assert len(await queued()) == 2


async def test_without_a_database_the_drains_wait_and_end_when_told(
    coalition: Coalition, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "POLL_S", 0.001)
    stop = asyncio.Event()
    await database.close()
    working = asyncio.create_task(run_drains(stop, coalition.clock))
    done, _ = await asyncio.wait({working}, timeout=0.2)
    assert not done
    stop.set()
    async with asyncio.timeout(20):
        await working


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause_after(failures) for failures in (1, 2, 3, 100)] == [2, 4, 8, 300]
