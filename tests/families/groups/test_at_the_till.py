"""Tests of tills that serve families: earned shares, spent pools, returns, holds, at once."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

from coalition.families.kin.group_refusals import FrozenByGuardian, GroupRefused
from coalition.kernel.database import Engine
from coalition.ledger.refusals import NotEnoughPoints
from coalition.points.commands import HoldBody, IssueBody, RedeemBody, ReverseBody, VoidBody
from coalition.points.till import Tills
from tests.families.groups.world import Families, account, make_families, sweep, view
from tests.families.registered import written
from tests.families.transfers.world import KEYS
from tests.points.world import receipt


async def shop(at: datetime) -> Families:
    """Return families whose tills know of pools."""
    world = await make_families(at)
    world.world.tills = till(world)
    return world


def till(world: Families) -> Tills:
    return Tills(card_key=KEYS.blind_index_key, clock=world.clock, pools=world.pools)


async def redeem(world: Families, member: UUID, points: int, **more: Any) -> Any:
    body = RedeemBody(receipt=receipt(), occurred_at=world.at, member_id=member, points=points)
    return await world.world.ask(body, partner_no=world.world.fuel, **more)


async def give_back(world: Families, answer: Any, points: int | None = None) -> Any:
    return await world.world.ask(
        ReverseBody(points=points),
        partner_no=world.world.fuel,
        target=UUID(answer["posting_id"]),
    )


async def test_what_is_earned_is_shared_and_its_reversal_brings_it_back(
    database: Engine, at: datetime
) -> None:
    world = await shop(at)
    await world.rules("home", sweep())
    anna, bo = await world.adult(), await world.adult()
    await world.form("home", anna, bo)
    body = IssueBody(receipt=receipt(), occurred_at=world.at, member_id=bo, points=101)
    earned = await world.world.ask(body)
    assert earned["points"] == 101
    assert (await world.own(anna), await world.own(bo)) == (50, 51)
    back = await world.world.ask(ReverseBody(), target=UUID(earned["posting_id"]))
    assert back["points"] == 101
    assert (await world.own(anna), await world.own(bo)) == (0, 0)
    assert await world.proved()


async def test_what_is_earned_goes_into_the_account_and_is_the_earners_share(
    database: Engine, at: datetime
) -> None:
    world = await shop(at)
    await world.rules("home", account(exits={"leaving": "keep_own_share"}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    await world.earn(bo, 80)
    assert await world.own(await world.pool_of(group)) == 80
    assert (await world.world.tills.balance(anna)).balance == 80
    assert (await world.would_take_out(group, bo)).takes_out == 80
    assert (await world.leave(group, bo)).points == 80
    await world.earn(bo, 20)
    assert await world.own(bo) == 100
    assert await world.proved()


async def test_a_return_finds_its_way_back_through_the_pool(database: Engine, at: datetime) -> None:
    world = await shop(at)
    await world.rules("home", view())
    anna, bo = await world.adult(600), await world.adult(300)
    await world.form("home", anna, bo)
    paid = await redeem(world, bo, 450)
    assert (await world.own(anna), await world.own(bo)) == (300, 150)
    await give_back(world, paid)
    assert (await world.own(anna), await world.own(bo)) == (600, 300)
    assert await world.proved()


async def test_a_return_after_leaving_goes_to_whom_the_points_were(
    database: Engine, at: datetime
) -> None:
    world = await shop(at)
    await world.rules("home", account())
    anna, bo = await world.adult(600), await world.adult(300)
    group = await world.form("home", anna, bo)
    paid = await redeem(world, bo, 900)
    await world.leave(group, bo)
    await give_back(world, paid)
    pool = await world.pool_of(group)
    assert await world.own(pool) + await world.own(bo) == 900
    await world.close(group, anna)
    assert await world.proved()


async def test_a_hold_of_a_pool_is_let_go_to_the_pool(database: Engine, at: datetime) -> None:
    world = await shop(at)
    await world.rules("home", account())
    anna, bo = await world.adult(600), await world.adult(300)
    group = await world.form("home", anna, bo)
    body = HoldBody(receipt=receipt(), occurred_at=world.at, member_id=bo, points=700)
    held = await world.world.ask(body, partner_no=world.world.fuel)
    assert await world.own(await world.pool_of(group)) == 200
    await world.world.ask(VoidBody(), partner_no=world.world.fuel, target=UUID(held["hold_id"]))
    assert await world.own(await world.pool_of(group)) == 900
    assert await world.proved()


async def test_what_the_rules_refuse_is_refused_at_the_till(database: Engine, at: datetime) -> None:
    world = await shop(at)
    await world.rules("home", view(group={"spend": {"head": {"scope": "pool"}}}))
    anna, kid = await world.adult(100), await world.child(50)
    await world.guard(kid, anna)
    group = await world.form("home", anna)
    await world.join(group, kid, "child")
    assert isinstance(await redeem(world, kid, 60), GroupRefused)
    assert isinstance(await redeem(world, anna, 160), NotEnoughPoints)
    await world.stop(kid, anna)
    assert isinstance(await redeem(world, kid, 10), FrozenByGuardian)
    assert (await redeem(world, anna, 100))["points"] == 100
    await world.stop(kid, anna, is_over=True)
    assert (await redeem(world, kid, 10))["points"] == 10
    assert await world.proved()


async def test_the_head_of_a_nominee_list_and_of_transfers_spends_its_own(
    database: Engine, at: datetime
) -> None:
    world = await shop(at)
    await world.rules("list", written("nominee_only", group={"nominees": {"max": 2}}))
    await world.rules("pull", written("head_pull"))
    anna, bo = await world.adult(100), await world.adult(100)
    await world.form("list", anna, bo)
    await world.form("pull", anna, bo)
    assert not await world.shares(anna)
    assert isinstance(await redeem(world, anna, 150), NotEnoughPoints)
    assert (await redeem(world, anna, 100))["balance"] == 0


async def test_many_at_two_tills_take_no_more_than_the_pool_has(
    database: Engine, at: datetime
) -> None:
    world = await shop(at)
    await world.rules("home", account())
    anna, bo, eve = await world.adult(100), await world.adult(100), await world.adult(100)
    group = await world.form("home", anna, bo, eve)
    tills = [till(world), till(world)]
    outcomes = await asyncio.gather(
        *(
            redeem(world, who, 40, tills=tills[turn % 2])
            for turn in range(4)
            for who in (anna, bo, eve)
        ),
        world.leave(group, eve),
    )
    paid = [one for one in outcomes[:-1] if not isinstance(one, Exception)]
    left = await world.own(eve) + await world.own(await world.pool_of(group))
    assert 40 * len(paid) + left == 300
    assert all(
        isinstance(one, NotEnoughPoints | GroupRefused)
        for one in outcomes[:-1]
        if isinstance(one, Exception)
    )
    assert await world.proved()


async def test_a_year_of_membership_begins_when_the_member_joined_not_its_group(
    database: Engine, at: datetime
) -> None:
    world = await shop(at)
    cap = {"subject": "member", "measure": "amount", "window": "membership_year"}
    await world.rules("home", view(limits=[cap | {"max": 50, "on": "redeem"}]))
    anna = await world.adult()
    world.advance(days=300)
    await world.earn(anna, 200)
    await world.form("home", anna)
    assert (await redeem(world, anna, 50))["points"] == 50
    assert isinstance(await redeem(world, anna, 1), GroupRefused)
    world.advance(days=66)
    assert (await redeem(world, anna, 50))["points"] == 50
