"""Tests of plans for tills: whose points a member spends, and where what it earns goes."""

import asyncio
from datetime import datetime

import pytest

from coalition.families.evaluator.acts import LIFETIME, UsageKey, UsageWanted
from coalition.families.kin.group_refusals import FrozenByGuardian, GroupRefused
from coalition.families.rule_sets.vocabulary import Event
from coalition.families.transfers import usage
from coalition.federation import service
from coalition.kernel.database import Engine, transaction
from coalition.ledger import posting
from coalition.ledger.drafts import Posted
from coalition.ledger.selecting import SpendOrder
from coalition.points.pools import PoolAct, PoolPlan, PoolUse, PoolWish
from tests.families.groups.world import account, make_families, sweep, view
from tests.families.registered import written
from tests.points.world import ACTOR


async def test_who_belongs_to_no_group_spends_its_own(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    anna = await world.adult(100)
    assert await world.plan(anna, PoolAct.REDEEM, 50) == PoolPlan()
    assert await world.plan(anna, PoolAct.ISSUE, 50) == PoolPlan()


async def test_a_pool_view_is_spent_by_its_adults_in_proportion(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, kid = await world.adult(600), await world.adult(300), await world.child(100)
    group = await world.form("home", anna, bo)
    await world.join(group, kid, "child")
    plan = await world.plan(anna, PoolAct.REDEEM, 700)
    assert (plan.sources.order, set(plan.sources.holders)) == (SpendOrder.PROPORTIONAL, {bo, kid})
    assert isinstance(await world.redeem(bo, 500), Posted)
    assert [await world.own(one) for one in (anna, bo, kid)] == [300, 150, 50]
    refused = await world.redeem(kid, 60)
    assert isinstance(refused, GroupRefused)
    assert isinstance(await world.redeem(kid, 50), Posted)
    assert await world.proved()


async def test_an_account_is_spent_through_the_lots_of_who_spends(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    assert isinstance(await world.redeem(bo, 450), Posted)
    assert await world.own(await world.pool_of(group)) == 50
    assert await world.proved()


@pytest.mark.parametrize("mechanism", ["account", "wallet"])
async def test_in_proportion_everybody_gives_of_what_it_brought_into_the_pot(
    database: Engine, at: datetime, mechanism: str
) -> None:
    world = await make_families(at)
    in_proportion = {"order": "proportional"}
    wallet = {"members": {"max": 8}, "spend": {"member": {"scope": "pool"}}}
    rules = {
        "account": account(debit=in_proportion),
        "wallet": written("linked_wallet", group=wallet, debit=in_proportion),
    }[mechanism]
    await world.rules("home", rules)
    anna, *others = await world.adult(), *[await world.adult() for _ in range(3)]
    group = await world.form("home", anna, *others)
    pot = await world.pool_of(group) if mechanism == "account" else anna
    for one, points in zip((anna, *others), (12_345, 8_001, 333, 20), strict=True):
        await world.earn_shared(one, points)
    assert isinstance(await world.redeem(anna, 10_000), Posted)
    left = await world.brought(pot)
    assert [left[one] for one in (anna, *others)] == [6381, 4136, 172, 10]
    assert await world.proved()


async def test_a_spender_gives_of_its_own_and_of_what_it_brought_as_one_owner(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    goes_in = {"existing": "optional", "future_percent": [0], "manual": True}
    in_proportion = {"order": "proportional"}
    await world.rules("home", account(debit=in_proportion, contribution=goes_in))
    anna, bo, eve = [await world.adult(points) for points in (300, 600, 600)]
    group = await world.form("home", anna, bo, eve)
    for one, points in ((anna, 150), (bo, 600), (eve, 50)):
        await world.bring(group, one, points)
    # Anna has 150 and brought 150, Bo brought 600, Eve 50; of 190 that is 60, 120 and 10.
    assert isinstance(await world.redeem(anna, 190), Posted)
    left = await world.brought(await world.pool_of(group))
    assert await world.own(anna) + left[anna] == 240
    assert (left[bo], left[eve], await world.own(eve)) == (480, 40, 550)
    assert await world.proved()


async def test_in_proportion_who_is_protected_gives_what_the_others_lack(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await service.suspend_expiry_of_tiers(tiers=["gold"], actor=ACTOR, at=world.at)
    careful = {"order": "proportional", "protected_last": True}
    await world.rules("home", account(debit=careful))
    anna, bo, eve = [await world.adult(points) for points in (100, 60, 40)]
    group = await world.form("home", anna, bo, eve)
    await world.grant(anna, "tier", "gold")
    pot = await world.pool_of(group)
    assert isinstance(await world.redeem(anna, 50), Posted)
    assert await world.brought(pot) == {anna: 100, bo: 30, eve: 20}
    assert isinstance(await world.redeem(bo, 70), Posted)
    assert await world.brought(pot) == {anna: 80}
    assert await world.proved()


async def test_spending_a_pool_is_activity_of_owners_where_sending_is_of_senders(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    told = {}
    for word in ("none", "sender", "receiver", "both"):
        await world.rules(word, account(expiry={"counts_as_activity": word}))
        anna, bo = await world.adult(30), await world.adult(20)
        await world.form(word, anna, bo)
        told[word] = (await world.plan(bo, PoolAct.REDEEM, 40)).sources.is_activity
    assert told == {"none": False, "sender": True, "receiver": False, "both": True}


async def test_a_right_that_was_taken_is_refused_by_its_rule_and_may_be_given_back(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    spend = {"head": {"scope": "pool"}, "member": {"scope": "pool", "revocable": True}}
    await world.rules("home", account(group={"spend": spend}))
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    for may_spend in (False, True):
        await world.let_spend(group, bo, may_spend=may_spend)
        outcome = await world.redeem(bo, 100)
        assert isinstance(outcome, Posted if may_spend else GroupRefused)
    assert await world.proved()


async def test_the_points_of_who_just_joined_wait(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view(join={"freeze_hours": 48}))
    anna, bo = await world.adult(100), await world.adult(100)
    await world.form("home", anna)
    group = (await world.groups_of(anna))[0]
    world.advance(hours=48)
    await world.join(group, bo)
    assert (await world.plan(anna, PoolAct.REDEEM, 50)).sources.holders == ()
    refused = await world.redeem(bo, 150)
    assert isinstance(refused, GroupRefused)
    assert refused.facts["failures"][0]["rule"] == "join.freeze_hours"  # type: ignore[index]  # a list
    assert isinstance(await world.redeem(bo, 100), Posted)
    world.advance(hours=48)
    assert (await world.plan(anna, PoolAct.REDEEM, 50)).sources.holders == (bo,)


async def test_what_a_member_earns_goes_on_by_the_share_that_it_chose(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", sweep())
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    (onward,) = (await world.plan(bo, PoolAct.ISSUE, 10)).onward
    assert (onward.receiver, onward.percent) == (anna, 50)
    assert (await world.plan(anna, PoolAct.ISSUE, 10)).onward == ()
    await world.share(group, bo, 100)
    (onward,) = (await world.plan(bo, PoolAct.ISSUE, 10)).onward
    assert onward.percent == 100
    refused = await world.share(group, bo, 75)
    assert isinstance(refused, GroupRefused)


async def test_a_linked_wallet_is_the_heads_account(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    spend = {"member": {"scope": "pool"}}
    own_first = {"order": "own_first"}
    wallet = written("linked_wallet", group={"spend": spend}, debit=own_first)
    await world.rules("home", wallet)
    anna, bo = await world.adult(100), await world.adult(10)
    await world.form("home", anna, bo)
    (onward,) = (await world.plan(bo, PoolAct.ISSUE, 10)).onward
    assert (onward.receiver, onward.percent) == (anna, 100)
    assert isinstance(await world.redeem(bo, 60), Posted)
    assert (await world.own(anna), await world.own(bo)) == (50, 0)
    assert await world.proved()


async def test_a_guardian_stops_what_its_ward_spends_and_lets_it_go_on(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    anna, kid = await world.adult(), await world.child(100)
    await world.guard(kid, anna)
    assert not await world.shares(kid)
    await world.stop(kid, anna)
    assert await world.shares(kid)
    assert isinstance(await world.plan(kid, PoolAct.REDEEM, 10), FrozenByGuardian)
    assert isinstance(await world.plan(kid, PoolAct.REDEEM, 0), PoolPlan)
    assert isinstance(await world.plan(kid, PoolAct.ISSUE, 10), PoolPlan)
    await world.stop(kid, anna, is_over=True)
    assert not await world.shares(kid)


async def test_limits_on_redeeming_hold_within_a_batch_and_behind_it(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    cap = {"subject": "group", "measure": "amount", "window": "day", "max": 100, "on": "redeem"}
    await world.rules("home", view(limits=[cap]))
    anna, bo = await world.adult(500), await world.adult(500)
    group = await world.form("home", anna, bo)
    wishes = [PoolWish(one, PoolAct.REDEEM, 60, world.at) for one in (anna, bo)]
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        first = await world.pools.plans(connection, wishes, world.at)
        plans = [one for one in first if isinstance(one, PoolPlan)]
        again = await world.pools.lock(connection, wishes[:1], plans[:1], world.at)
        assert isinstance(again[0], PoolPlan)
        outcome = Posted(anna, anna, 60)
        await world.pools.used(connection, [PoolUse(wishes[0], again[0], outcome)], world.at)
    assert isinstance(first[1], GroupRefused)
    assert isinstance(await world.plan(bo, PoolAct.REDEEM, 50), GroupRefused)
    assert isinstance(await world.plan(bo, PoolAct.REDEEM, 40), PoolPlan)
    key = UsageKey(group, "group", Event.REDEEM)
    async with transaction() as connection:
        used = await usage.read(connection, [UsageWanted(key, LIFETIME, LIFETIME)])
    assert sum(one.amount for one in used.days[key]) == 60


async def test_of_two_groups_the_one_counts_whose_pool_may_be_spent(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("mine", account(group={"spend": {"head": {"scope": "pool"}}}))
    await world.rules("ours", view())
    anna, bo, eve = await world.adult(), await world.adult(), await world.adult(200)
    first, second = await world.form("mine", anna, bo), await world.form("ours", eve, bo)
    plan = await world.plan(bo, PoolAct.REDEEM, 100)
    assert (plan.group, plan.sources.holders) == (second, (eve,))
    (onward,) = (await world.plan(bo, PoolAct.ISSUE, 100)).onward
    assert onward.receiver == await world.pool_of(first)


async def test_points_that_a_tier_keeps_from_ending_are_taken_last(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await service.suspend_expiry_of_tiers(tiers=["gold"], actor=ACTOR, at=world.at)
    rules = view(debit={"order": "earliest_expiry", "protected_last": True})
    await world.rules("home", rules)
    anna, bo = await world.adult(100), await world.adult()
    world.advance(days=40)
    await world.earn(bo, 100)
    await world.form("home", anna, bo)
    await world.grant(anna, "tier", "gold")
    plan = await world.plan(bo, PoolAct.REDEEM, 150)
    assert plan.sources.protected == {anna}
    assert isinstance(await world.redeem(bo, 150), Posted)
    assert (await world.own(anna), await world.own(bo)) == (50, 0)
    assert await world.proved()


async def test_members_of_many_groups_are_read_by_one_statement(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    pairs = [(await world.adult(60), await world.adult(40)) for _ in range(4)]
    for pair in pairs:
        await world.form("home", *pair)

    async def statements(wishes: list[PoolWish]) -> list[str]:
        heard: list[str] = []
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            with connection.query_logger(lambda record: heard.append(record.query)):
                plans = await world.pools.plans(connection, wishes, world.at)
                await asyncio.sleep(0)
        assert all(isinstance(plan, PoolPlan) and plan.sources.holders for plan in plans)
        return heard

    wishes = [PoolWish(anna, PoolAct.REDEEM, 70, world.at) for anna, _ in pairs]
    await statements(wishes)
    of_one = await statements(wishes[:1])
    assert any("FROM family_group" in statement for statement in of_one)
    assert await statements(wishes) == of_one
