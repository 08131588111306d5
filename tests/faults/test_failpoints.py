"""The service dies as it commits: before the commit nothing is there, after it everything is."""

import asyncio
import signal

import pytest

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from tests.faults.failing_service import AFTER_COMMIT, BEFORE_COMMIT
from tests.faults.houses import House
from tests.faults.tills import Act

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("point", [BEFORE_COMMIT, AFTER_COMMIT])
async def test_an_act_cut_off_at_its_commit_is_done_once_when_sent_again(
    house: House, point: str
) -> None:
    was_committed = point == AFTER_COMMIT
    done: list[Act] = []
    # The next act dies at its own commit. The one before it is sent again first, and commits only
    # if it had not.
    commits_before = 0
    for _ in range(len(_KINDS)):
        await _start(house, f"{point}:{commits_before + 1}")
        async with house.http() as http:
            [till, _] = await house.tills(http)
            if done:
                await till.do(done[-1])
                assert done[-1].is_done, done[-1].answer
            act = _next_act(house.members[0], done)
            assert isinstance(await till.send(act), str), "the service died without an answer"
        assert house.service.await_end() == -signal.SIGKILL
        done.append(act)
        async with house.books():
            assert await _is_kept(act) == was_committed
            await house.check_books()
        commits_before = 0 if was_committed else 1
    await _start(house, None)
    async with house.http() as http:
        [till, _] = await house.tills(http)
        await till.do(done[-1])
        for act in done:
            await till.check_equal_answer(act)
        assert await till.balance(house.members[0]) == 100 - 30 - 20 + 30
    async with house.books(), transaction() as connection:
        kept = {str(row[0]) for row in await connection.fetch("SELECT id FROM posting")}
    assert kept == {act.document["posting_id"] for act in done if act.kind != "hold"}


_KINDS = ("issue", "redeem", "hold", "capture", "reverse")


def _next_act(member: str, done: list[Act]) -> Act:
    """Return the next of: 100 points issued, 30 redeemed, 20 held and taken, the 30 returned."""
    kind = _KINDS[len(done)]
    body: dict[str, object] = {}
    till: dict[str, object] = {
        "member_id": member,
        "receipt": kind,
        "occurred_at": SystemClock().now().isoformat(),
        "points": {"issue": 100, "redeem": 30, "hold": 20}.get(kind),
    }
    match kind:
        case "capture":
            address = f"/v1/points/holds/{done[2].document['hold_id']}/capture"
        case "reverse":
            address = f"/v1/postings/{done[1].document['posting_id']}/reverse"
        case "hold":
            address, body = "/v1/points/holds", till
        case _:
            address, body = f"/v1/points/{kind}", till
    return Act(kind, 0, 0, address, body, key=f"key-of-{kind}")


async def _start(house: House, failpoint: str | None) -> None:
    if not house.service.is_alive:
        await asyncio.to_thread(house.service.start, failpoint=failpoint)


async def _is_kept(act: Act) -> bool:
    counted = {
        "hold": "SELECT count(*) FROM hold",
        "capture": "SELECT count(*) FROM hold WHERE state = 2",
        "reverse": "SELECT count(*) FROM posting WHERE reverses IS NOT NULL",
    }.get(act.kind, f"SELECT count(*) FROM posting WHERE receipt = '{act.kind}'")
    async with transaction() as connection:
        count = await connection.fetchval(counted)
    assert count in {0, 1}, f"{act.kind} is there {count} times"
    return bool(count)
