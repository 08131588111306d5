"""No acknowledged posting is lost and none doubled, whatever is killed while tills are at work."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable

import pytest

from tests.faults import bank
from tests.faults.bank import Bank
from tests.faults.houses import House
from tests.faults.processes import backends_of, kill_all, postgres_processes

pytestmark = pytest.mark.slow

CUSTOMERS = 12
ACTS_BETWEEN_KILLS = 120


async def test_no_posting_is_lost_or_doubled_when_the_service_is_killed(house: House) -> None:
    async def kill_service() -> None:
        await asyncio.to_thread(house.service.kill)
        await asyncio.to_thread(house.service.start)

    await _bank_under(house, [kill_service] * 3)


async def test_no_posting_is_lost_or_doubled_when_postgresql_is_killed(house: House) -> None:
    async def kill_whole_server() -> None:
        await _kill(house, postgres_processes(house.data))

    async def kill_postmaster() -> None:
        """Kill the main process alone: its children notice and end."""
        await _kill(house, postgres_processes(house.data)[:1])

    async def kill_backend() -> None:
        """Kill one that serves the service: PostgreSQL ends all of them and recovers by itself."""
        await _kill(house, backends_of(house.data)[-1:])

    await _bank_under(house, [kill_backend, kill_whole_server, kill_postmaster, kill_backend])


async def test_no_posting_is_lost_or_doubled_when_both_are_killed_at_once(house: House) -> None:
    async def kill_both() -> None:
        kill_all(postgres_processes(house.data))
        await asyncio.to_thread(house.service.kill)
        await asyncio.to_thread(house.service.start)

    await _bank_under(house, [kill_both] * 2)


async def _kill(house: House, processes: list[int]) -> None:
    """Kill processes of PostgreSQL; the service is ready again without further help."""
    assert processes, "there is something to kill"
    kill_all(processes)
    await asyncio.to_thread(house.service.await_ready)


async def _bank_under(house: House, kills: list[Callable[[], Awaitable[None]]]) -> None:
    """Run the bank through `kills`, each after some more answers, and check its books."""
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - for who has to find out why it failed
    dice = random.Random(seed)
    await asyncio.to_thread(house.service.start)
    async with house.http() as http:
        tested = Bank(await house.tills(http), house.members, seed)
        is_over = False

        async def kill_now_and_then() -> None:
            nonlocal is_over
            for kill in kills:
                await tested.answers(dice.randint(ACTS_BETWEEN_KILLS, 2 * ACTS_BETWEEN_KILLS))
                await kill()
            await tested.answers(ACTS_BETWEEN_KILLS)
            is_over = True

        async with asyncio.TaskGroup() as group:
            group.create_task(tested.run(customers=CUSTOMERS, until=lambda: is_over))
            group.create_task(kill_now_and_then())
        await tested.settle()
        async with house.books():
            await bank.check(tested)
            await house.check_books()
        unknown = sum(len(act.unknown) for act in tested.acts)
        told = f"{len(tested.acts)} acts, {unknown} unknown, {len(tested.readings)} readings"
        print(told)  # noqa: T201 - likewise
