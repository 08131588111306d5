"""Random acts on families, eight at once over two tills: nothing crashes, the books are right."""

import asyncio
import random
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from coalition.families.groups.separating import Outcome
from coalition.families.kin.places import GroupState
from coalition.families.rule_sets.notation import RuleSet
from coalition.kernel.database import Engine
from coalition.kernel.errors import Refused
from coalition.points.commands import IssueBody, ReverseBody
from tests.families.groups.test_at_the_till import give_back, redeem, shop, till
from tests.families.groups.world import Families, account, sweep, view
from tests.families.registered import written
from tests.points.world import receipt

SPEND = {"head": {"scope": "pool"}, "member": {"scope": "pool"}}
RULES = {
    "account, own share kept": account(exits={"leaving": "keep_own_share"}),
    "account, split": account(exits={"leaving": "split"}),
    "account, stays": account(exits={"leaving": "stays_in_pool", "closing": "split"}),
    "sweep": sweep(group={"spend": SPEND}),
    "view": view(),
    "wallet": written("linked_wallet", group={"spend": SPEND}),
}


class Dice:
    """Acts of random members in random groups."""

    def __init__(self, world: Families, seed: str) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.tills = [till(world), till(world)]
        self.people: list[Any] = []
        self.groups: list[UUID] = []
        self.paid: list[Any] = []
        self.issued: list[Any] = []

    async def act(self) -> None:
        """Do one thing; what is refused is an answer."""
        who, other = self.random.sample(self.people, 2)
        group = self.random.choice(self.groups)
        acts = [self._spend, self._spend, self._earn, self._give_back, self._separate]
        chosen: Awaitable[Any]
        turn = self.random.randrange(len(acts) + 3)
        if turn < len(acts):
            chosen = acts[turn](group, who)
        elif turn == len(acts):
            chosen = self.world.join(group, who)
        elif turn == len(acts) + 1:
            chosen = self.world.leave(group, who, successor=self.random.choice([None, other]))
        else:
            chosen = self.world.bring(group, who, self.random.randrange(1, 50))
        with suppress(Refused):
            await chosen

    async def _spend(self, _: UUID, who: UUID) -> None:
        points = self.random.randrange(1, 200)
        answer = await redeem(self.world, who, points, tills=self.random.choice(self.tills))
        if isinstance(answer, dict):
            self.paid.append(answer)

    async def _earn(self, _: UUID, who: UUID) -> None:
        points = self.random.randrange(1, 99)
        body = IssueBody(receipt=receipt(), occurred_at=self.world.at, member_id=who, points=points)
        answer = await self.world.world.ask(body, tills=self.random.choice(self.tills))
        if isinstance(answer, dict):
            self.issued.append(answer)

    async def _give_back(self, _: UUID, __: UUID) -> None:
        if self.paid and self.random.random() < 0.5:
            await give_back(self.world, self.paid.pop())
        elif self.issued:
            target = UUID(self.issued.pop()["posting_id"])
            await self.world.world.ask(ReverseBody(), target=target)

    async def _separate(self, group: UUID, who: UUID) -> None:
        if self.random.random() < 0.5:
            await self.world.separate(group, who)
            await self.world.want(group, who, Outcome.LEAVE)
        else:
            head = (await self.world.show(group)).head
            await self.world.want(group, head, self.random.choice([Outcome.LEAVE, Outcome.STAY]))


@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
async def test_whatever_is_done_at_once_the_books_are_right(
    database: Engine, at: datetime, rules: RuleSet
) -> None:
    world = await shop(at)
    await world.rules("home", rules)
    dice = Dice(world, rules.title)
    dice.people = [await world.adult(100 * n) for n in range(6)]
    dice.groups = [
        await world.form("home", *dice.people[:2]),
        await world.form("home", dice.people[2]),
    ]
    for _ in range(12):
        await asyncio.gather(*(dice.act() for _ in range(8)))
    for group in dice.groups:
        shown = await world.show(group)
        if shown.state is GroupState.ACTIVE:
            await world.close(group, shown.head)
    assert await world.proved()
