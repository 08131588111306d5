"""The service is told to stop while it works: unready first, then everybody gets an answer."""

import asyncio
import signal
from uuid import UUID

import asyncpg
import httpx
import pytest

from coalition.kernel.clock import SystemClock
from tests.faults import bank
from tests.faults.bank import Bank
from tests.faults.houses import House
from tests.faults.processes import PATIENCE_S
from tests.faults.test_locks import LOCK_MEMBER
from tests.faults.tills import Act

pytestmark = pytest.mark.slow


async def test_what_is_in_flight_at_a_stop_is_answered_and_kept(house: House) -> None:
    house.service.arguments = [*house.service.arguments, "--notice", "1"]
    await asyncio.to_thread(house.service.start)
    async with house.http() as http:
        [till, _] = await house.tills(http)
        assert (await till.do(_act(house, "issue", 0))).is_done
        async with house.session() as session:
            async with session.transaction():
                await session.execute(LOCK_MEMBER, UUID(house.members[0]))
                acts = [_act(house, "redeem", number) for number in range(1, 6)]
                answers = asyncio.gather(*map(till.send, acts))
                await _until_somebody_waits(session)
                house.service.send(signal.SIGTERM)
                await _until_not_ready(http)
                assert house.service.is_alive
            for answer in await answers:
                assert isinstance(answer, httpx.Response), answer
                assert answer.status_code == 201, answer.text
    assert await asyncio.to_thread(house.service.await_end) == 0
    await asyncio.to_thread(house.service.start)
    async with house.http() as http:
        [till, _] = await house.tills(http)
        assert await till.balance(house.members[0]) == 95
        for act, answer in zip(acts, await answers, strict=True):
            assert isinstance(answer, httpx.Response)
            act.status, act.answer = answer.status_code, answer.content
            await till.check_equal_answer(act)
    async with house.books():
        await house.check_books()


async def test_no_posting_is_lost_or_doubled_when_the_service_is_told_to_stop(
    house: House,
) -> None:
    await asyncio.to_thread(house.service.start)
    async with house.http() as http:
        tested = Bank(await house.tills(http), house.members, seed=3)
        stops_to_come = 2

        async def stop_now_and_then() -> None:
            nonlocal stops_to_come
            while stops_to_come:
                await tested.answers(100)
                house.service.send(signal.SIGTERM)
                assert await asyncio.to_thread(house.service.await_end) == 0
                await asyncio.to_thread(house.service.start)
                stops_to_come -= 1

        async with asyncio.TaskGroup() as group:
            group.create_task(tested.run(customers=12, until=lambda: not stops_to_come))
            group.create_task(stop_now_and_then())
        await tested.settle()
        async with house.books():
            await bank.check(tested)
            await house.check_books()


async def _until_somebody_waits(session: asyncpg.Connection) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while not await session.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        assert loop.time() < deadline, "nobody waits for the lock"
        await asyncio.sleep(0.01)


async def _until_not_ready(http: httpx.AsyncClient) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while (answer := await http.get("/health/ready")).status_code == 200:
        assert loop.time() < deadline, "it is still ready"
        await asyncio.sleep(0.01)
    assert answer.json()["code"] == "not_ready"
    assert answer.json()["failing"] == ["draining"]


def _act(house: House, kind: str, number: int) -> Act:
    """Return an act of one point; the first gives a hundred."""
    body = {
        "member_id": house.members[0],
        "receipt": f"{kind}-{number}",
        "occurred_at": SystemClock().now().isoformat(),
        "points": 1 if number else 100,
    }
    return Act(kind, 0, 0, f"/v1/points/{kind}", body, key=f"{kind}-{number}")
