"""The drain: events are looked at by target until that is done, and none is lost."""

import asyncio
from datetime import datetime, timedelta

import pytest

from billing.gateway import draining, inbox
from billing.gateway.inbox import Figures
from coalition.kernel.database import Engine, transaction
from tests.billing.gateway.webhooks import Door, event, rows


class Looker:
    """Looks at targets, fails as long as it is told to."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self.failing = 0

    async def handle(self, target: str, at: datetime) -> None:  # noqa: ARG002 - as drains call it
        self.looked.append(target)
        if self.failing:
            self.failing -= 1
            raise ConnectionError("nobody there\0")


@pytest.fixture
def door(database: Engine, at: datetime) -> Door:
    return Door(at)


async def _send(door: Door, *numbers: int, target: str = "sub_1") -> None:
    for no in numbers:
        await door.send(event(no, data={"object": {"id": target}}))


async def test_a_storm_of_events_about_one_target_is_one_look(door: Door) -> None:
    await _send(door, *range(120))
    looker = Looker()
    assert await draining.drain_all(door.clock.now(), looker.handle) == 1
    assert looker.looked == ["sub_1"]
    assert all(row["handled_at"] is not None for row in await rows())
    assert await draining.drain_all(door.clock.now(), looker.handle) == 0


async def test_each_target_is_looked_at_by_itself(door: Door) -> None:
    for no in range(3):
        await _send(door, no, target=f"sub_{no}")
    looker = Looker()
    looker.failing = 1
    assert await draining.drain(door.clock.now(), looker.handle) == 3
    assert sorted(looker.looked) == ["sub_0", "sub_1", "sub_2"]
    assert [row["handled_at"] is None for row in await rows()].count(True) == 1


async def test_what_fails_waits_longer_each_time_and_is_looked_at_again(door: Door) -> None:
    await _send(door, 1)
    looker = Looker()
    looker.failing = 2
    for pause_s in (5, 10):
        await draining.drain(door.clock.now(), looker.handle)
        (kept,) = await rows()
        assert kept["due_at"] == door.clock.now() + timedelta(seconds=pause_s)
        assert kept["failure"] == "ConnectionError: nobody there"
        assert await draining.drain(door.clock.now(), looker.handle) == 0
        door.clock.advance(timedelta(seconds=pause_s))
    assert await draining.drain(door.clock.now(), looker.handle) == 1
    (kept,) = await rows()
    assert (kept["failure"], kept["attempts"]) == (None, 3)
    assert kept["handled_at"] == door.clock.now()


async def test_what_fails_for_hours_waits_for_staff_who_may_have_it_again(door: Door) -> None:
    await _send(door, 1)
    looker = Looker()
    looker.failing = draining.ATTEMPTS_MOST
    for _ in range(draining.ATTEMPTS_MOST):
        assert await draining.drain(door.clock.now(), looker.handle) == 1
        door.clock.advance(timedelta(hours=1))
    door.clock.advance(timedelta(days=300))
    assert await draining.drain(door.clock.now(), looker.handle) == 0
    async with transaction() as connection:
        (row,) = await inbox.listed(connection, only_failed=True, most=10)
        assert (row.id, row.due_at, row.attempts) == ("evt_1", None, draining.ATTEMPTS_MOST)
        assert await inbox.again(connection, door.clock.now(), ["evt_2"]) == []
        assert await inbox.again(connection, door.clock.now()) == ["evt_1"]
    assert await draining.drain(door.clock.now(), looker.handle) == 1
    async with transaction() as connection:
        assert await inbox.listed(connection, only_failed=True, most=10) == []
        (row,) = await inbox.listed(connection, only_failed=False, most=10)
    assert row.handled_at == door.clock.now()


async def test_what_a_dead_worker_had_taken_is_taken_over_after_a_while(door: Door) -> None:
    await _send(door, 1)
    at = door.clock.now()
    async with transaction() as connection:
        taken = await inbox.claim(connection, at, until=at + draining.LEASE, most=10)
    assert [one.target for one in taken] == ["sub_1"]
    looker = Looker()
    assert await draining.drain(at, looker.handle) == 0
    assert await draining.drain(at + draining.LEASE, looker.handle) == 1


async def test_an_event_that_comes_during_a_look_is_looked_at_after_it(door: Door) -> None:
    await _send(door, 1)

    async def handle(target: str, at: datetime) -> None:
        if len(await rows()) == 1:
            await _send(door, 2)

    assert await draining.drain(door.clock.now(), handle) == 1
    assert [row["handled_at"] is None for row in await rows()] == [False, True]
    assert await draining.drain(door.clock.now(), handle) == 1


async def test_two_workers_share_what_waits(door: Door) -> None:
    for no in range(40):
        await _send(door, no, target=f"sub_{no}")
    lookers = [Looker(), Looker()]
    await asyncio.gather(
        *(draining.drain_all(door.clock.now(), looker.handle) for looker in lookers)
    )
    looked = lookers[0].looked + lookers[1].looked
    assert sorted(looked) == sorted({f"sub_{no}" for no in range(40)})


async def test_a_worker_drains_until_it_is_told_to_stop(door: Door) -> None:
    await _send(door, 1)
    stop = asyncio.Event()

    async def handle(target: str, at: datetime) -> None:
        stop.set()

    await draining.run(stop, door.clock, handle, poll_s=0.0)
    assert all(row["handled_at"] is not None for row in await rows())


async def test_a_worker_whose_database_fails_goes_on(door: Door) -> None:
    stop = asyncio.Event()
    asked = 0

    class Clock:
        def now(self) -> datetime:
            nonlocal asked
            asked += 1
            stop.set()
            raise ConnectionError

    await draining.run(stop, Clock(), Looker().handle)
    assert asked == 1


async def test_operators_see_what_waits_and_what_failed(door: Door) -> None:
    await _send(door, 1, 2)
    await _send(door, 3, target="sub_3")
    looker = Looker()
    looker.failing = 1
    async with transaction() as connection:
        at = door.clock.now() + timedelta(seconds=9)
        assert await inbox.figures(connection, at) == Figures(3, 0, 9.0)
    await draining.drain(door.clock.now(), looker.handle)
    async with transaction() as connection:
        shown = await inbox.figures(connection, at)
        assert shown.waiting == 0
        assert shown.failed in {1, 2}
        assert await inbox.unknown(connection, ["evt_1", "evt_9"]) == {"evt_9"}


async def test_bodies_are_forgotten_some_days_after_they_were_handled(door: Door) -> None:
    await _send(door, 1)
    await draining.drain(door.clock.now(), Looker().handle)
    await door.send(event(2))
    for days, left in ((6, 2), (8, 2), (61, 1)):
        async with transaction() as connection:
            await inbox.tidy(connection, door.clock.now() + timedelta(days=days))
        assert len(await rows()) == left
    (waiting,) = await rows()
    assert waiting["payload"] == event(2), "what waits is kept whole"


async def test_whoever_is_forgotten_is_named_in_no_body(door: Door) -> None:
    for no, customer in enumerate(("cus_1", "cus_2")):
        named = {"id": "sub_1", "customer": customer, "customer_email": "a@example.org"}
        await door.send(event(no, data={"object": named}))
    async with transaction() as connection:
        await inbox.forget(connection, "cus_1")
    assert [row["payload"] == b"" for row in await rows()] == [True, False]
    assert [row["target"] for row in await rows()] == ["sub_1", "sub_1"]
