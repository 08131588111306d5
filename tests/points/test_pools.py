"""Tills serve members who spend and earn together: planned, locked together, answered with both."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger import audit, posting, register
from coalition.ledger.accounts import Kind
from coalition.ledger.drafts import Held, Posted
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import DuplicateReceipt, NotEnoughPoints
from coalition.points.commands import (
    Asked,
    CaptureBody,
    HoldBody,
    IssueBody,
    PostingAnswer,
    Purchase,
    QuoteBody,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from coalition.points.pooled import Sharers
from coalition.points.refusals import NotInContract
from coalition.points.till import Tills
from tests.points.pools import Families
from tests.points.world import KEYS, World, make_world, receipt


class Till:
    """A world whose tills know families."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.families = Families()
        self.tills = Tills(card_key=KEYS.blind_index_key, clock=world.clock, pools=self.families)

    @property
    def at(self) -> datetime:
        return self.world.at

    async def members(self, *points: int) -> list[UUID]:
        """Return new members with so many points each."""
        made = []
        for each in points:
            made.append(await self.world.member())
            if each:
                await self.issue(made[-1], each)
        return made

    async def ask(self, command: Any, **more: Any) -> Any:
        return await self.world.ask(command, tills=self.tills, **more)

    async def issue(self, member: UUID, points: int, **more: Any) -> Any:
        command = IssueBody(receipt=receipt(), occurred_at=self.at, member_id=member, points=points)
        return await self.ask(command, **more)

    async def redeem(self, member: UUID, points: int, **more: Any) -> Any:
        return await self.ask(self.redemption(member, points), **more)

    def redemption(self, member: UUID, points: int) -> RedeemBody:
        return RedeemBody(receipt=receipt(), occurred_at=self.at, member_id=member, points=points)

    async def balances(self, *members: UUID) -> list[int]:
        """Return what each has by itself."""
        async with transaction() as connection:
            found = await posting.balances(connection, members, currency_no=1, today=self.at.date())
        return [found[member] for member in members]


@pytest.fixture
def till(runner: asyncio.Runner, database: Engine, at: datetime) -> Till:
    del database  # it is open
    return Till(runner.run(make_world(at)))


async def is_proved() -> bool:
    report = await audit.run()
    assert report.breaches == []
    return report.ok


async def test_a_till_takes_points_of_the_whole_family(till: Till) -> None:
    anna, bo, carl = await till.members(100, 60, 40)
    await till.families.spend_together(anna, bo, carl)

    answer = await till.redeem(anna, 150)

    assert answer["points"] == 150
    assert (answer["balance"], answer["own_balance"], answer["pool_balance"]) == (50, 0, 50)
    assert sum(await till.balances(anna, bo, carl)) == 50
    [use] = till.families.uses
    assert use.wish.points == 150
    assert isinstance(use.outcome, Posted)
    assert sum(share.points for share in use.outcome.shares) == 50
    assert await is_proved()


async def test_members_without_a_family_are_answered_as_ever(till: Till) -> None:
    anna, bo, carl = await till.members(100, 60, 40)
    await till.families.spend_together(bo, carl)

    answer = await till.redeem(anna, 50)

    assert answer["balance"] == 50
    assert "own_balance" not in answer
    assert "pool_balance" not in answer
    assert till.families.asked == 0


async def test_a_till_learns_who_shares_and_asks_at_once_the_next_time(till: Till) -> None:
    anna, bo = await till.members(0, 0)
    await till.families.spend_together(anna, bo)
    await till.issue(anna, 10)
    asked = till.families.asked

    await till.issue(anna, 10)

    assert till.families.asked == 2 * asked


async def test_a_card_names_somebody_who_shares(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    card = "CARD2468"
    other = await till.world.member(card)
    await till.families.spend_together(anna, bo, other)
    command = [
        RedeemBody(receipt=receipt(), occurred_at=till.at, card=card, points=points)
        for points in (10, 20)
    ]

    answers = [await till.ask(one) for one in command]

    assert [answer["balance"] for answer in answers] == [20, 0]


async def test_balance_and_quote_count_the_pool(till: Till) -> None:
    anna, bo = await till.members(100, 60)
    await till.families.spend_together(anna, bo)

    told = await till.tills.balance(anna)
    quoted = await till.tills.quote(
        till.world.grocer, None, QuoteBody(member_id=anna, purchase=Purchase(100_000, "SEK"))
    )

    assert (told.balance, told.own_balance, told.pool_balance) == (160, 100, 60)
    assert (quoted.balance, quoted.own_balance, quoted.pool_balance) == (160, 100, 60)
    assert quoted.payable is not None
    assert quoted.payable.points == 160


async def test_who_may_not_spend_hears_so_and_has_nothing_to_spend(till: Till) -> None:
    anna, bo = await till.members(100, 60)
    await till.families.spend_together(anna, bo)
    till.families.refusals[anna] = NotInContract("the head says no")

    answer = await till.redeem(anna, 10)
    told = await till.tills.balance(anna)

    assert isinstance(answer, NotInContract)
    assert (told.balance, told.own_balance, told.pool_balance) == (0, 100, 0)
    assert till.families.uses == []


async def test_a_refusal_under_the_locks_leaves_nothing(till: Till) -> None:
    anna, bo = await till.members(100, 60)
    await till.families.spend_together(anna, bo)
    till.families.refusals_under_lock[anna] = NotInContract("the limit is used up")
    command = till.redemption(anna, 120)

    refused = await till.ask(command)
    del till.families.refusals_under_lock[anna]
    answer = await till.ask(command)

    assert isinstance(refused, NotInContract)
    assert answer["points"] == 120
    assert await is_proved()


async def test_a_family_that_changes_meanwhile_is_asked_again(till: Till) -> None:
    anna, bo, carl = await till.members(10, 20, 30)
    await till.families.spend_together(anna, bo)

    def let_carl_join() -> None:
        till.families.before_lock = None
        till.families.pools[anna] = (bo, carl)

    till.families.before_lock = let_carl_join

    answer = await till.redeem(anna, 60)

    assert answer["points"] == 60
    assert await is_proved()


async def test_a_pool_that_does_not_cover_it_says_its_balance(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    await till.families.spend_together(anna, bo)

    refused = await till.redeem(anna, 31)

    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts["balance"] == 30


async def test_holds_of_a_family_are_captured_voided_and_returned(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    await till.families.spend_together(anna, bo)
    hold = HoldBody(receipt=receipt(), occurred_at=till.at, member_id=anna, points=25)

    held = await till.ask(hold)
    assert (held["balance"], held["own_balance"], held["pool_balance"]) == (5, 0, 5)
    captured = await till.ask(CaptureBody(points=15), target=UUID(held["hold_id"]))
    assert captured["balance"] == 15
    returned = await till.ask(ReverseBody(), target=UUID(captured["posting_id"]))
    assert returned["balance"] == 30
    again = await till.ask(
        HoldBody(receipt=receipt(), occurred_at=till.at, member_id=bo, points=30)
    )
    voided = await till.ask(VoidBody(), target=UUID(again["hold_id"]))
    assert voided["balance"] == 30

    assert await till.balances(anna, bo) == [10, 20]
    assert [type(use.outcome) for use in till.families.uses] == [Held, Held]
    assert await is_proved()


async def test_a_share_of_what_is_earned_goes_to_the_head(till: Till) -> None:
    anna, head = await till.members(0, 0)
    await till.families.earn_for(head, 40, anna)

    issued = await till.issue(anna, 100)
    part = await till.ask(ReverseBody(points=50), target=UUID(issued["posting_id"]))

    assert issued["balance"] == 60
    assert part["points"] == 50
    assert await till.balances(anna, head) == [30, 20]
    assert await is_proved()


async def test_a_batch_of_lines_serves_families_beside_others(till: Till) -> None:
    anna, bo, carl = await till.members(10, 20, 30)
    await till.families.spend_together(anna, bo)
    asked = [
        till.world.asked(till.redemption(member, points))
        for member, points in ((carl, 30), (anna, 25), (bo, 5), (anna, 1))
    ]

    answers = await post_lines(till, asked)

    assert [type(one) for one in answers] == [*[PostingAnswer] * 3, NotEnoughPoints]
    assert sum(await till.balances(anna, bo, carl)) == 0
    assert len(till.families.uses) == 2
    assert await is_proved()


async def post_lines(till: Till, asked: list[Asked]) -> list[object]:
    await ensure_partition(till.at)

    async def attempt() -> list[object]:
        async with transaction(posting.PINNED_FOR_LINES, role=posting.POSTER_ROLE) as connection:
            return list(await till.tills.post_lines(connection, asked, till.at))

    return await till.tills.covered(attempt)


async def test_a_key_that_is_sent_again_is_answered_again(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    await till.families.spend_together(anna, bo)
    command = till.redemption(anna, 25)

    first, second = await asyncio.gather(
        till.ask(command, key="same"), till.ask(command, key="same")
    )
    third = await till.ask(command, key="same")

    assert first == second == third
    assert sum(await till.balances(anna, bo)) == 5


async def test_a_crowd_never_overdraws_a_pool(till: Till) -> None:
    family = await till.members(100, 100, 100, 100)
    await till.families.spend_together(*family)
    more = Tills(card_key=KEYS.blind_index_key, clock=till.world.clock, pools=till.families)

    async def shop(no: int) -> int:
        spent = 0
        for turn in range(8):
            member = family[(no + turn) % 4]
            tills = till.tills if no % 2 else more
            answer = await till.world.ask(till.redemption(member, 13), tills=tills)
            if not isinstance(answer, NotEnoughPoints):
                spent += answer["points"]
        return spent

    spent = sum(await asyncio.gather(*(shop(no) for no in range(8))))

    assert spent == 390
    assert sum(await till.balances(*family)) == 10
    assert await is_proved()


async def test_who_was_learned_first_is_forgotten_first(till: Till) -> None:
    anna, bo = await till.members(0, 0)
    sharers = Sharers(most=2)
    by_card = RedeemBody(receipt="1", occurred_at=till.at, card="CARD1111", points=1)

    sharers.add(anna)
    sharers.add(bo, by_card)

    assert anna not in sharers
    assert bo in sharers
    assert sharers.names(by_card)
    assert not sharers.names(VoidBody())


async def test_tills_that_know_no_families_take_what_is_the_members_own(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    await till.families.spend_together(anna, bo)
    alone = till.world.more_tills()

    answer = await till.world.ask(till.redemption(anna, 4), tills=alone)
    refused = await till.world.ask(till.redemption(anna, 7), tills=alone)

    assert (answer["balance"], answer["own_balance"], answer["pool_balance"]) == (6, 6, 0)
    assert isinstance(refused, NotEnoughPoints)
    assert till.families.asked == 0
    assert await is_proved()


async def test_a_receipt_is_used_once_by_a_family_too(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    await till.families.spend_together(anna, bo)
    command = till.redemption(anna, 15)
    await till.ask(command)

    again = await till.ask(command)

    assert isinstance(again, DuplicateReceipt)
    assert await till.balances(anna, bo) == [0, 15]


async def test_partners_see_what_was_bought_and_not_whose_points_passed(till: Till) -> None:
    anna, bo = await till.members(10, 20)
    await till.families.spend_together(anna, bo)
    made = await till.redeem(anna, 25)

    async with transaction() as connection:
        seen = await register.list_postings(
            connection, partner_no=till.world.grocer, before=None, limit=10
        )

    redemptions = [one for one in seen if one.kind == Kind.REDEEM]
    assert [one.id for one in redemptions] == [UUID(made["posting_id"])]
    assert {one.kind for one in seen} == {Kind.REDEEM, Kind.ISSUE}
