"""The job that books what has ended: what it reads, what happens meanwhile, and its pace."""

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coalition.kernel.database import Connection, Engine, transaction
from coalition.kernel.ids import BUCKETS
from coalition.ledger import audit, expiry, holders, kept_shares, posting
from coalition.ledger.drafts import Hold, Posted
from coalition.ledger.holders import Standing
from coalition.ledger.kept_shares import Share
from tests.ledger.clock_world import NOON, Book, assert_books_hold
from tests.ledger.clock_world import issue as issue_with_clock
from tests.ledger.plans import start_watching, watched
from tests.support.ledger import FUEL, balance, issue, open_holder, post, redeem, till

DAY = timedelta(days=1)

Doing = Coroutine[Any, Any, object]  # Any: nothing is sent
Act = Callable[[UUID, datetime], Doing]


async def spend(holder: UUID, at: datetime) -> None:
    (spent,) = await post([redeem(holder, 30, at)], at)
    assert isinstance(spent, Posted)


async def reserve(holder: UUID, at: datetime) -> None:
    await post([Hold(holder, till(FUEL, at, "h"), 1, 30, at + 9 * DAY)], at)


async def give(holder: UUID, at: datetime) -> None:
    await post([issue(holder, 5, at, expires_on=at.date())], at)


async def suspend(holder: UUID, at: datetime) -> None:
    async with transaction() as connection:
        await holders.suspend_expiry(connection, holder, at.date() + 9 * DAY)


async def keep(holder: UUID, at: datetime) -> None:
    async with transaction() as connection:
        share = Share(holder, at.date() + 9 * DAY)
        await kept_shares.follow(connection, holder, {holder: share})


async def sleep_on(holder: UUID, at: datetime) -> None:
    """Do nothing."""


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("act", "booked", "left"),
    [(sleep_on, 100, 0), (spend, 70, 0), (reserve, 70, 0), (give, 100, 5)],
)
async def test_what_changes_after_it_was_read_is_booked_as_it_is_then(
    at: datetime, monkeypatch: pytest.MonkeyPatch, act: Act, booked: int, left: int
) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    await post([issue(one, 100, at, expires_on=at.date()) for one in (anna, bo)], at)
    do_before_locks(monkeypatch, lambda: act(anna, at))
    tomorrow = at + DAY
    assert await expiry.expire(tomorrow, tomorrow.date()) == 100 + booked
    assert await expiry.expire(tomorrow, tomorrow.date()) == left, "what was added is a new gift"
    assert (await audit.run()).breaches == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("act", [suspend, keep])
async def test_what_was_kept_from_ending_after_it_was_read_does_not_end(
    at: datetime, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    await post([issue(one, 100, at, expires_on=at.date()) for one in (anna, bo)], at)
    do_before_locks(monkeypatch, lambda: act(anna, at))
    tomorrow = at + DAY
    assert await expiry.expire(tomorrow, tomorrow.date()) == 100
    assert [await balance(one, tomorrow) for one in (anna, bo)] == [100, 0]
    assert (await audit.run()).breaches == []


@pytest.mark.usefixtures("database")
async def test_a_clock_that_is_set_back_after_it_was_read_has_not_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = await Book().open()
    anna, bo = await open_holder(NOON), await open_holder(NOON)
    await book.post([issue_with_clock(one, 100, NOON) for one in (anna, bo)], NOON)
    last = datetime(2027, 5, 21, 23, 59, 59, tzinfo=UTC)
    do_before_locks(monkeypatch, lambda: book.post([issue_with_clock(anna, 5, last)], last))
    over = last + timedelta(seconds=1)
    assert await expiry.expire(over, over.date()) == 100
    assert [await balance(one, over) for one in (anna, bo)] == [105, 0]
    await assert_books_hold()


def do_before_locks(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Doing]) -> None:
    """Let `act` be done, by another session, when all is read in one set, and not yet locked."""
    monkeypatch.setattr(expiry, "BUCKETS_AT_ONCE", BUCKETS)
    lock, is_done = holders.lock, False

    async def late(connection: Connection, wanted: Iterable[UUID]) -> dict[UUID, Standing]:
        nonlocal is_done
        if not is_done:
            is_done = True
            # In an empty context, so that it does not join the transaction of the job.
            await asyncio.create_task(act(), context=contextvars.Context())
        return await lock(connection, wanted)

    monkeypatch.setattr("coalition.ledger.expiry.holders.lock", late)


@pytest.mark.usefixtures("database")
async def test_a_holder_may_have_more_lots_than_a_set_takes(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "LOTS_AT_ONCE", 3)
    monkeypatch.setattr(expiry, "BUCKETS_AT_ONCE", BUCKETS)
    members = [await open_holder(at) for _ in range(3)]
    lots = [(member, n) for member in members for n in range(1, 8)]
    for member, n in lots:
        await post([issue(member, 10, at, expires_on=(at - n * DAY).date())], at)
    assert await expiry.expire(at, at.date()) == 10 * len(lots)
    assert (await audit.run()).breaches == []


async def test_what_lives_is_not_read(one_connection: Engine, at: datetime) -> None:
    members = [await open_holder(at) for _ in range(40)]
    days = [(at + n * DAY).date() for n in range(1, 9)]
    await post([issue(one, 10, at, expires_on=day) for one in members for day in days], at)
    await post([issue(one, 10, at, expires_on=at.date()) for one in members[:5]], at)
    tomorrow = at + DAY
    async with transaction() as connection:
        await start_watching(connection)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        with watched(connection) as plans:
            assert await expiry.expire(tomorrow, tomorrow.date()) == 50
            await asyncio.sleep(0)
    assert [fault for plan in plans for fault in plan.faults(most_rows=40)] == []
    steps = [step for plan in plans for step in plan.steps if "Scan" in step.node]
    read = [step for step in steps if step.relation == "lot"]
    # Each once to be found and once to be taken; PostgreSQL tells averages over up to 40 holders,
    # rounded to hundredths. What lives is 320 lots.
    assert sum(step.rows_read for step in read) == pytest.approx(10, abs=0.5)


async def test_a_run_keeps_its_pace_and_makes_up_for_what_took_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, rests = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        rests.append(round(seconds, 3))

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(expiry, "PACE_S", 0.010)
    monkeypatch.setattr(expiry, "LEAST_REST", 0.25)
    rest = expiry.BesideTills()
    for took in (0.004, 0.004, 0.012, 0.004, 0.004):
        now += took
        await rest(took)
    assert rests == [0.006, 0.006, 0.003, 0.001, 0.006]
    assert now == pytest.approx(0.050)
    now += 60
    await rest(60)
    assert rests[-1] == 15, "as long as a share of the set itself"
    taken = 0
    while rests[-1] != 0.006:
        now += 0.004
        await rest(0.004)
        taken += 1
    assert 150 < taken < 300, "no more than a second is made up for"
