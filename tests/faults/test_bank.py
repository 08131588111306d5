"""No acknowledged posting is lost and none is doubled, whatever is killed while tills are at work."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable

import pytest

from tests.faults import bank
from tests.faults.bank import Bank
from tests.faults.houses import House
from tests.faults.processes import PATIENCE_S, backends_of, kill_all, postgres_processes

pytestmark = pytest.mark.slow

CUSTOMERS = 12
ACTS_BETWEEN_KILLS = 60


async def test_no_posting_is_lost_or_doubled_when_the_service_is_killed(house: House) -> None:
    async def kill_service() -> None:
        await asyncio.to_thread(house.service.kill)
        await asyncio.to_thread(house.service.start)

    await _bank_under(house, [kill_service] * 3)


async def _bank_under(house: House, kills: list[Callable[[], Awaitable[None]]]) -> None:
    """Run the bank through `kills`, each after some more answers, and check its books."""
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")
    dice = random.Random(seed)
    await asyncio.to_thread(house.service.start)
    async with house.http() as http:
        tested = Bank(await house.tills(http), house.members, seed)
        is_over = False

        async def kill_now_and_then() -> None:
            nonlocal is_over
            for kill in kills:
                await _answers(tested, dice.randint(ACTS_BETWEEN_KILLS, 2 * ACTS_BETWEEN_KILLS))
                await kill()
            await _answers(tested, ACTS_BETWEEN_KILLS)
            is_over = True

        async with asyncio.TaskGroup() as group:
            group.create_task(tested.run(customers=CUSTOMERS, until=lambda: is_over))
            group.create_task(kill_now_and_then())
        await tested.settle()
        async with house.books():
            await bank.check(tested)
            await house.check_books()
        unknown = sum(len(act.unknown) for act in tested.acts)
        print(f"{len(tested.acts)} acts, {unknown} unknown, {len(tested.readings)} readings")


async def _answers(tested: Bank, more: int) -> None:
    """Return when the bank has been given so many more answers."""
    loop = asyncio.get_running_loop()
    wanted, deadline = tested.answered + more, loop.time() + PATIENCE_S
    while tested.answered < wanted:
        assert loop.time() < deadline, f"{tested.answered} of {wanted} answers, then no more"
        await asyncio.sleep(0.005)
