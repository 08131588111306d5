"""Many tills, several processes' worth of connections, few members: points are conserved."""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from coalition.kernel.database import retrying, transaction
from coalition.kernel.errors import Refused
from coalition.ledger import audit, expiry, posting, resolutions, upkeep
from coalition.ledger.drafts import Draft, Outcome, Posted
from coalition.ledger.partitions import ensure_partition
from coalition.points.commands import (
    CaptureBody,
    Command,
    HoldBody,
    IssueBody,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from coalition.points.till import Tills
from tests.points.world import World, make_world, receipt
from tests.support.ledger import balance, issue, open_holder, post, redeem

pytestmark = pytest.mark.usefixtures("database")

EXPECTED = {
    "not_enough_points",
    "points_already_spent",
    "reversal_exceeds_original",
    "hold_resolved",
    "not_reversible",
}

_BALANCES = """
SELECT holder, sum(points_in - points_out - held) FROM every_lot GROUP BY holder
"""


class Till:
    """A cashier who does anything at random and remembers what can be undone."""

    def __init__(self, world: World, tills: Tills, members: list[UUID], seed: int) -> None:
        self.world = world
        self.tills = tills
        self.members = members
        self.random = random.Random(seed)
        self.made: list[UUID] = []
        self.held: list[UUID] = []
        self.codes: Counter[str] = Counter()

    async def work(self, times: int) -> None:
        for _ in range(times):
            await self.act()

    async def act(self) -> None:
        member, points = self.random.choice(self.members), self.random.randint(1, 40)
        command: Command
        target = None
        kind = self.random.choice(["issue", "redeem", "redeem", "hold", "reverse", "resolve"])
        at = self.world.at
        if kind == "reverse" and self.made:
            target = self.random.choice(self.made)
            command = ReverseBody(self.random.choice([None, 1, 5]))
        elif kind == "resolve" and self.held:
            target = self.held.pop(self.random.randrange(len(self.held)))
            commands: list[Command] = [CaptureBody(), CaptureBody(1), VoidBody()]
            command = self.random.choice(commands)
        elif kind == "hold":
            command = HoldBody(receipt(), at, points, member_id=member)
        elif kind == "redeem":
            command = RedeemBody(receipt(), at, points, member_id=member)
        else:
            command = IssueBody(receipt(), at, member_id=member, points=points)
        answer = await self.world.ask(command, target=target, tills=self.tills)
        if isinstance(answer, Refused):
            self.codes[answer.code] += 1
            return
        self.codes["done"] += 1
        if isinstance(command, HoldBody):
            self.held.append(UUID(answer["hold_id"]))
        elif "posting_id" in answer:
            self.made.append(UUID(answer["posting_id"]))


async def expected_spendable() -> dict[UUID, int]:
    async with transaction() as connection:
        return {row[0]: int(row[1]) for row in await connection.fetch(_BALANCES)}


async def test_tills_of_several_processes_conserve_the_points_of_few_members(at: datetime) -> None:
    world = await make_world(at)
    members = [await world.member() for _ in range(3)]
    processes = [world.tills, world.more_tills(), world.more_tills()]
    cashiers = [Till(world, processes[number % 3], members, seed=number) for number in range(24)]

    async def keep_up() -> None:
        """Let the jobs of the night run meanwhile, by a clock that is a little ahead."""
        for _ in range(3):
            await upkeep.sweep()
            await upkeep.roll_up_totals()
            await expiry.expire(at, at.date())
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                await resolutions.expire_holds(connection, at + timedelta(hours=1), 5)

    await asyncio.gather(*(cashier.work(15) for cashier in cashiers), keep_up())
    codes = sum((cashier.codes for cashier in cashiers), Counter())
    assert codes.keys() <= EXPECTED | {"done"}, codes
    assert codes["done"] > 100
    for member, points in (await expected_spendable()).items():
        assert (await world.tills.balance(member)).balance == points
        assert points >= 0
    assert (await audit.run()).breaches == []


async def test_batches_that_cross_each_other_are_tried_again_and_lose_nothing(at: datetime) -> None:
    """Issues lock no member, so each of two batches may hold a lot that the other takes from."""
    await ensure_partition(at)
    anna, bo = await open_holder(at), await open_holder(at)
    await post([issue(anna, 1000, at), issue(bo, 1000, at)], at)
    settings = {"deadlock_timeout": "10ms", **posting.PINNED}

    async def cross(giver: UUID, receiver: UUID) -> list[Outcome]:
        async with transaction(settings, role=posting.POSTER_ROLE) as connection:
            drafts: list[Draft] = [issue(receiver, 2, at), redeem(giver, 1, at)]
            _, outcomes = await posting.post(connection, drafts, at=at, today=at.date())
        return outcomes

    pairs = [(anna, bo), (bo, anna)] * 40
    results = await asyncio.gather(
        *(retrying(partial(cross, giver, receiver)) for giver, receiver in pairs)
    )
    assert {type(outcome) for outcomes in results for outcome in outcomes} == {Posted}
    assert [await balance(member, at) for member in (anna, bo)] == [1040, 1040]
    assert (await audit.run()).breaches == []


SCRIPT = """
import asyncio, sys, json
from datetime import datetime
from uuid import UUID
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import open_database
from coalition.kernel.idempotency import Claim
from coalition.kernel.web.decoding import Media
from coalition.points.commands import Asked, IssueBody, RedeemBody
from coalition.points.till import Request, Tills
from server.apps import APPS

async def main():
    url, at, partner_no, name, *members = sys.argv[1:]
    at, partner_no = datetime.fromisoformat(at), int(partner_no)
    engine = await open_database(url, apps=APPS, pool_size=3)
    tills = Tills(card_key=b"i" * 32, clock=FixedClock(at))
    print("ready", flush=True)
    sys.stdin.readline()

    async def one(number, command, key):
        request = Request(
            Asked(partner_no, 7, None, command), Claim.of(7, key, "/", key.encode()), Media.JSON
        )
        answer = await tills.post(request)
        return [key, answer.body.decode(), answer.replayed]

    work = []
    for number in range(40):
        member = UUID(members[number % len(members)])
        # Shared keys are sent by both processes, own ones by one.
        issue = IssueBody(f"i{number}", at, member_id=member, points=10)
        work.append(one(number, issue, f"shared-{number}"))
        redeem = RedeemBody(f"r{number}-{name}", at, 1, member_id=member)
        work.append(one(number, redeem, f"own-{name}-{number}"))
    answers = await asyncio.gather(*work, return_exceptions=True)
    failed = [repr(answer) for answer in answers if isinstance(answer, BaseException)]
    answered = [answer for answer in answers if not isinstance(answer, BaseException)]
    print(json.dumps({"failed": failed, "answered": answered}))
    await tills.finish()
    await engine.close()

asyncio.run(main())
"""


async def test_two_processes_with_common_keys_answer_alike(at: datetime, database_url: str) -> None:
    world = await make_world(at)
    members = [await world.member() for _ in range(2)]
    for member in members:
        await world.ask(IssueBody(receipt(), at, member_id=member, points=100))
    processes = []
    for name in ("a", "b"):
        command = [sys.executable, "-c", SCRIPT, database_url, at.isoformat(), str(world.grocer)]
        processes.append(
            subprocess.Popen(  # noqa: ASYNC220 - the loop has nothing else to do
                [*command, name, *map(str, members)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert [one["failed"] for one in told] == [[], []]
    shared = [
        {key: body for key, body, _ in one["answered"] if key.startswith("shared")} for one in told
    ]
    assert shared[0] == shared[1]
    first = [key for one in told for key, _, replayed in one["answered"] if not replayed]
    assert len(first) == len(set(first)) == 40 + 2 * 40
    for member in members:
        assert (await world.tills.balance(member)).balance == 100 + 20 * 10 - 2 * 20
    assert (await audit.run()).breaches == []
