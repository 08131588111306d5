"""Another session holds rows, deadlocks, cancels and ends statements: nobody else has to wait."""

import asyncio
import random
import secrets
from uuid import UUID

import asyncpg
import pytest

from coalition.kernel.clock import SystemClock
from tests.faults import bank
from tests.faults.bank import Bank
from tests.faults.houses import House
from tests.faults.tills import Act, Till

pytestmark = pytest.mark.slow

LOCK_MEMBER = "SELECT id FROM holder WHERE id = $1 FOR UPDATE"
LOCK_LOTS = "SELECT id FROM lot WHERE holder = $1 ORDER BY id DESC FOR UPDATE"

_OTHER_SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"


@pytest.mark.parametrize(
    ("kind", "lock"), [("redeem", LOCK_MEMBER), ("issue", LOCK_LOTS)], ids=["member", "lots"]
)
async def test_only_who_needs_what_another_session_holds_has_to_wait(
    house: House, kind: str, lock: str
) -> None:
    await asyncio.to_thread(house.service.start)
    async with house.http(timeout_s=30) as http, house.session() as session:
        till = (await house.tills(http))[0]
        await asyncio.gather(*(till.do(_act(house, "issue", one, 0)) for one in range(4)))
        async with session.transaction():
            assert await session.fetch(lock, UUID(house.members[0]))
            held = [_act(house, kind, 0, number) for number in range(1, 6)]
            answers = asyncio.gather(*map(till.send, held))
            free = [_act(house, kind, 1 + number % 3, number) for number in range(1, 200)]
            await _do_one_after_the_other(till, free)
            assert all(act.is_done for act in free), "the others were served meanwhile"
            assert not any(act.unknown for act in free)
            assert set(await answers) == {"unavailable"}
        for act in await asyncio.gather(*map(till.do, held)):
            assert act.is_done, act.answer
        async with house.books():
            await house.check_books()


async def test_no_posting_is_lost_or_doubled_under_deadlocks_and_ended_sessions(
    house: House,
) -> None:
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - for who has to find out why it failed
    dice = random.Random(seed)
    await asyncio.to_thread(house.service.start)
    async with house.http(timeout_s=30) as http, house.session() as session:
        tested = Bank(await house.tills(http), house.members, seed)
        deeds_to_come = 20

        async def meddle() -> None:
            nonlocal deeds_to_come
            while deeds_to_come:
                await tested.answers(10)
                await dice.choice((_lock_the_wrong_way_round, _cancel, _terminate))(house, session)
                deeds_to_come -= 1

        async with asyncio.TaskGroup() as group:
            group.create_task(tested.run(customers=12, until=lambda: not deeds_to_come))
            group.create_task(meddle())
        await tested.settle()
        async with house.books():
            await bank.check(tested)
            await house.check_books()


async def _lock_the_wrong_way_round(house: House, session: asyncpg.Connection) -> None:
    """Lock lots before members and the last before the first, as the product never does."""
    try:
        async with session.transaction():
            for member in sorted(house.members, reverse=True):
                await session.execute(LOCK_LOTS, UUID(member))
                await session.execute(LOCK_MEMBER, UUID(member))
    except asyncpg.DeadlockDetectedError:
        return


async def _cancel(house: House, session: asyncpg.Connection) -> None:
    await session.execute(
        f"SELECT pg_cancel_backend(pid) {_OTHER_SESSIONS}", session.get_server_pid()
    )


async def _terminate(house: House, session: asyncpg.Connection) -> None:
    await session.execute(
        f"SELECT pg_terminate_backend(pid) {_OTHER_SESSIONS}", session.get_server_pid()
    )


async def _do_one_after_the_other(till: Till, acts: list[Act]) -> None:
    """Do `acts` by a few customers, so that they come in many batches."""
    waiting = iter(acts)

    async def customer() -> None:
        for act in waiting:
            await till.do(act)

    await asyncio.gather(*(customer() for _ in range(8)))


def _act(house: House, kind: str, member: int, number: int) -> Act:
    """Return an act of one point; the first one of each member gives enough for all to come."""
    body = {
        "member_id": house.members[member],
        "receipt": f"{kind}-{member}-{number}",
        "occurred_at": SystemClock().now().isoformat(),
        "points": 1 if number else 1000,
    }
    return Act(kind, 0, member, f"/v1/points/{kind}", body, key=f"{kind}-{member}-{number}")
