"""Whatever families do in whatever order, the books hold after each step."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import expiry, merging, upkeep
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Capture, Draft, Held, Hold, Issue, Posted, Redeem
from coalition.ledger.selecting import SpendOrder
from tests.ledger.pool_world import (
    capture,
    is_proved,
    let_go,
    members,
    put,
    reserve,
    share_of,
    spend,
    void,
)
from tests.support.ledger import FUEL, GROCER, post, reverse

pytestmark = pytest.mark.usefixtures("database")

STEPS = 15


class Family:
    """Members who do one thing after another, by dice."""

    def __init__(self, dice: random.Random, alive: list[UUID], at: datetime) -> None:
        self.dice = dice
        self.alive = alive
        self.at = at
        self.holds: list[Held] = []
        self.spent: list[UUID] = []
        self.earned: list[UUID] = []

    async def step(self, no: int) -> None:
        self.at += timedelta(hours=self.dice.choice([0, 1, 30, 480]))
        drafts = [self.draft(f"h{no}-{k}") for k in range(self.dice.randrange(1, 5))]
        for draft, outcome in zip(drafts, await post(drafts, self.at), strict=True):
            if isinstance(draft, Hold) and isinstance(outcome, Held):
                self.holds.append(outcome)
            elif isinstance(draft, Redeem | Capture) and isinstance(outcome, Posted):
                self.spent.append(outcome.posting)
            elif isinstance(draft, Issue) and isinstance(outcome, Posted):
                self.earned.append(outcome.posting)
        for likely, happen in ((0.3, self.wait), (0.1, self.lose), (0.1, self.merge)):
            if self.dice.random() < likely:
                await happen()

    def draft(self, receipt: str) -> Draft:
        acts: list[Callable[[UUID, list[UUID], str], Draft]] = [self.pay, self.pay, self.hold]
        acts += [self.earn] * 2
        acts += [self.resolve] * bool(self.holds)
        acts += [self.give_back] * bool(self.spent)
        acts += [self.take_back] * bool(self.earned)
        member, *others = self.dice.sample(self.alive, len(self.alive))
        return self.dice.choice(acts)(
            member, others[: self.dice.randrange(len(others) + 1)], receipt
        )

    def pay(self, member: UUID, others: list[UUID], _: str) -> Draft:
        order = self.dice.choice(list(SpendOrder))
        own = not others or self.dice.random() < 0.8
        return spend(member, self.dice.randrange(1, 120), self.at, others, order=order, own=own)

    def hold(self, member: UUID, others: list[UUID], receipt: str) -> Draft:
        return reserve(member, self.dice.randrange(1, 80), self.at, others, receipt)

    def earn(self, member: UUID, others: list[UUID], _: str) -> Draft:
        head = others[0] if others else next(one for one in self.alive if one != member)
        percent = self.dice.choice([0, 10, 33, 50, 100])
        return share_of(member, self.dice.randrange(1, 100), self.at, head, percent)

    def resolve(self, *_: object) -> Draft:
        hold = self.holds.pop(self.dice.randrange(len(self.holds)))
        return (
            capture(hold, self.dice.randrange(1, hold.points + 1))
            if hold.points % 2
            else void(hold)
        )

    def give_back(self, *_: object) -> Draft:
        order = self.dice.choice(["reverse", "proportional"])
        posting = self.dice.choice(self.spent)
        return reverse(posting, self.at, partner_no=FUEL, points=self.some(), order=order)

    def take_back(self, *_: object) -> Draft:
        posting = self.dice.choice(self.earned)
        back = reverse(posting, self.at, partner_no=GROCER, points=self.some())
        percent = self.dice.choice([None, 0, 50, 100])
        return back if percent is None else structs.replace(back, debts={10 * GROCER: percent})

    def some(self) -> int | None:
        return self.dice.choice([None, self.dice.randrange(1, 40)])

    async def wait(self) -> None:
        await let_go(self.at)
        await expiry.expire(self.at, self.at.date())
        await upkeep.sweep()

    async def lose(self) -> None:
        if len(self.alive) > 3:
            await put(self.alive.pop(), HolderState.CLOSED)

    async def merge(self) -> None:
        if len(self.alive) > 3:
            gone, into = self.dice.sample(self.alive, 2)
            try:
                async with transaction() as connection:
                    await merging.merge(
                        connection,
                        from_holder=gone,
                        into_holder=into,
                        at=self.at,
                        today=self.at.date(),
                    )
            except Refused:
                return
            self.alive.remove(gone)


@pytest.mark.parametrize("seed", range(8))
async def test_the_books_hold_whatever_families_do(at: datetime, seed: int) -> None:
    dice = random.Random(seed)
    family = Family(dice, await members(at, *(dice.randrange(200) for _ in range(6))), at)
    for no in range(STEPS):
        await family.step(no)
        assert await is_proved(), f"after step {no}"
