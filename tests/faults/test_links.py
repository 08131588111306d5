"""The wire between service and database is cut or goes dead: 503 meanwhile, and well afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from coalition.kernel import embedded_postgres
from coalition.kernel.clock import SystemClock
from tests.faults import bank
from tests.faults.bank import Bank
from tests.faults.houses import House
from tests.faults.processes import ServiceProcess
from tests.faults.proxy import Wire, laid
from tests.faults.tills import Act, Till

pytestmark = pytest.mark.slow

PATIENCE_S = 30.0
"""The longest that a till waits for any answer at all while the database is out of reach."""


@asynccontextmanager
async def _house_on_a_wire(house: House) -> AsyncIterator[Wire]:
    """Run the house's service with a wire between it and its database."""
    with embedded_postgres.start(house.data) as server:
        async with laid(server.url) as wire:
            house.service = ServiceProcess(
                ["--database-url", wire.url_through(server.url)],
                house.service.log,
                environ={
                    "COALITION_BLIND_INDEX_KEY": (house.data / "blind_index_key").read_text(),
                    "COALITION_MASTER_KEY": (house.data / "master_key").read_text(),
                },
            )
            await asyncio.to_thread(house.service.start)
            yield wire
            await asyncio.to_thread(house.service.close)


async def test_while_the_wire_is_cut_tills_hear_503_and_then_all_is_well(house: House) -> None:
    async with _house_on_a_wire(house) as wire, house.http(timeout_s=PATIENCE_S) as http:
        [till, _] = await house.tills(http)
        wire.cut()
        acts = [_issue(house, number) for number in range(20)]
        answers = await asyncio.gather(*map(till.send, acts))
        assert set(answers) == {"unavailable"}
        assert not await asyncio.to_thread(house.service.is_ready)
        wire.mend()
        await _check_all_is_well(house, till, acts)


async def test_while_the_wire_is_dead_tills_hear_503_and_then_all_is_well(house: House) -> None:
    async with _house_on_a_wire(house) as wire, house.http(timeout_s=PATIENCE_S) as http:
        [till, _] = await house.tills(http)
        await till.do(_issue(house, 0))
        wire.go_dead()
        acts = [_issue(house, number) for number in range(1, 20)]
        answers = await asyncio.gather(*map(till.send, acts))
        assert set(answers) == {"unavailable"}
        assert not await asyncio.to_thread(house.service.is_ready)
        wire.mend()
        await _check_all_is_well(house, till, acts)


async def test_connections_that_are_stranded_are_found_out_and_replaced(house: House) -> None:
    async with _house_on_a_wire(house) as wire, house.http(timeout_s=PATIENCE_S) as http:
        [till, _] = await house.tills(http)
        acts = [_issue(house, number) for number in range(20)]
        await asyncio.gather(*map(till.do, acts[:10]))
        wire.strand()
        await asyncio.gather(*map(till.do, acts[10:]))
        assert all(not act.unknown for act in acts), "the second attempt is on a new connection"
        await _check_all_is_well(house, till, acts)


async def test_no_posting_is_lost_or_doubled_while_the_wire_is_cut_again_and_again(
    house: House,
) -> None:
    async with _house_on_a_wire(house) as wire, house.http(timeout_s=PATIENCE_S) as http:
        tested = Bank(await house.tills(http), house.members, seed=1)
        cuts_to_come = 12

        async def cut_now_and_then() -> None:
            nonlocal cuts_to_come
            while cuts_to_come:
                await tested.answers(20)
                wire.cut()
                await asyncio.sleep(0)
                wire.mend()
                cuts_to_come -= 1

        async with asyncio.TaskGroup() as group:
            group.create_task(tested.run(customers=8, until=lambda: not cuts_to_come))
            group.create_task(cut_now_and_then())
        await tested.settle()
        async with house.books():
            await bank.check(tested)
            await house.check_books()


def _issue(house: House, number: int) -> Act:
    """Return an act that gives the first member one point."""
    body = {
        "member_id": house.members[0],
        "receipt": f"issue-{number}",
        "occurred_at": SystemClock().now().isoformat(),
        "points": 1,
    }
    return Act("issue", 0, 0, "/v1/points/issue", body, key=f"issue-{number}")


async def _check_all_is_well(house: House, till: Till, acts: list[Act]) -> None:
    """Get every act answered; nothing is there twice, and the service is ready by itself."""
    await asyncio.gather(*map(till.do, acts))
    assert all(act.is_done for act in acts)
    await asyncio.to_thread(house.service.await_ready)
    async with house.books():
        await house.check_books()
