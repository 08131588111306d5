"""The disk is full for PostgreSQL: tills hear 503, nothing acknowledged is lost, and it heals."""

import asyncio

import pytest

from tests.faults import bank
from tests.faults.bank import Bank
from tests.faults.houses import House
from tests.faults.processes import no_room_for_files_above, postgres_processes

pytestmark = pytest.mark.slow

SMALL_BYTES = 2**20
"""The log's present segment of 16 MB is longer than that: it can neither grow nor be followed."""


async def test_a_full_disk_loses_nothing_and_the_service_goes_on_when_there_is_room(
    house: House,
) -> None:
    await asyncio.to_thread(house.service.start)
    async with house.http(timeout_s=30) as http:
        tested = Bank(await house.tills(http), house.members, seed=2)
        is_over = False

        async def fill_and_free() -> None:
            nonlocal is_over
            await tested.answers(50)
            with no_room_for_files_above(SMALL_BYTES, house.service, house.data):
                await _until_every_customer_heard_of_it(tested)
                assert not await asyncio.to_thread(house.service.is_ready)
            await tested.answers(50)
            is_over = True

        async with asyncio.TaskGroup() as group:
            group.create_task(tested.run(customers=8, until=lambda: is_over))
            group.create_task(fill_and_free())
        await asyncio.to_thread(house.service.await_ready)
        await tested.settle()
        async with house.books():
            await bank.check(tested)
            await house.check_books()
        assert postgres_processes(house.data), "it was started again by the service"


async def _until_every_customer_heard_of_it(tested: Bank) -> None:
    """Return when nobody gets anything done any more and all have been told so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 60
    while not all("unavailable" in act.unknown for act in tested.waiting):
        assert loop.time() < deadline, [act.unknown for act in tested.waiting]
        await asyncio.sleep(0.05)
