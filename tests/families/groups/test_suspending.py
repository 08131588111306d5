"""Tests of expiry that a head's tier suspends for its group."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from coalition.families.kin.places import GroupState
from coalition.federation import service
from coalition.kernel.database import Engine, transaction
from coalition.ledger import holders
from coalition.members import standings
from tests.families.groups.world import Families, account, make_families, sweep
from tests.families.registered import activated
from tests.points.world import ACTOR


async def suspended(world: Families, *members: UUID) -> list[bool]:
    today = world.world_day()
    async with transaction() as connection:
        states = await holders.read_states(connection, members)
    return [
        (until := states[one].suspended_until) is not None and until >= today for one in members
    ]


async def grant(world: Families, member: Any, days: int) -> None:
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=member,
            kind="tier",
            value="gold",
            valid_from=world.at,
            valid_until=world.at + timedelta(days=days),
            source="test",
            at=world.at,
        )


async def test_nothing_of_a_group_ends_as_long_as_its_heads_tier_says_so(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await service.suspend_expiry_of_tiers(tiers=["gold"], actor=ACTOR, at=world.at)
    await world.rules("home", account(expiry={"suspended_by_head_tier": True}))
    anna, bo, eve = [await world.adult(100) for _ in range(3)]
    group = await world.form("home", anna, bo)
    pool = await world.pool_of(group)
    assert await suspended(world, anna, bo, pool) == [False, False, False]
    await grant(world, anna, 400)
    assert await world.groups.follow_heads(world.at) == 1
    assert await world.groups.follow_heads(world.at) == 0
    await world.join(group, eve)
    await grant(world, bo, 500)
    assert await suspended(world, anna, bo, eve, pool) == [True] * 4
    world.advance(days=390)
    assert await world.own(pool) == 300
    assert (await world.would_take_out(group, eve)).takes_out == 0
    assert (await world.leave(group, eve)).points == 0
    await world.leave(group, bo)
    assert await suspended(world, eve, bo) == [False, True]
    world.advance(days=20)
    assert await suspended(world, anna, bo, pool) == [False, True, False]
    assert (await world.close(group, anna)).row.state is GroupState.CLOSED
    assert await world.own(anna) + await world.own(pool) == 0


OWN = {"suspended_by_own_tier": True}


async def test_what_a_member_brought_lives_on_while_it_has_a_tier_and_not_what_others_did(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await service.suspend_expiry_of_tiers(tiers=["gold"], actor=ACTOR, at=world.at)
    await world.rules("home", account(expiry=OWN, exits={"leaving": "stays_in_pool"}))
    anna, bo, eve = [await world.adult(100) for _ in range(3)]
    group = await world.form("home", anna, bo)
    pool = await world.pool_of(group)
    await grant(world, bo, 450)
    await world.join(group, eve)
    world.advance(days=400)
    assert await world.own(pool) == 100
    assert (await world.redeem(anna, 40)).points == 40  # type: ignore[union-attr]  # it is posted
    await world.leave(group, bo)
    assert await world.own(pool) == 60
    world.advance(days=60)
    assert await world.own(pool) == 0
    assert await world.proved()


async def test_the_tier_of_a_member_counts_from_when_the_rules_say_so_until_they_do_not(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await service.suspend_expiry_of_tiers(tiers=["gold"], actor=ACTOR, at=world.at)
    await world.rules("home", account())
    anna, bo = [await world.adult(100) for _ in range(2)]
    await grant(world, bo, 500)
    pool = await world.pool_of(await world.form("home", anna, bo))
    assert await world.groups.follow_heads(world.at) == 0
    await activated("home", account(expiry=OWN), world.at)
    assert [await world.groups.follow_heads(world.at) for _ in range(2)] == [1, 0]
    world.advance(days=400)
    assert await world.own(pool) == 100
    await activated("home", account(), world.at)
    assert [await world.groups.follow_heads(world.at) for _ in range(2)] == [1, 0]
    assert await world.own(pool) == 0


async def test_of_what_is_swept_to_a_head_its_earners_tier_keeps_its_part(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await service.suspend_expiry_of_tiers(tiers=["gold"], actor=ACTOR, at=world.at)
    await world.rules("home", sweep(expiry=OWN))
    anna, bo = [await world.adult() for _ in range(2)]
    await world.form("home", anna, bo)
    await world.earn_shared(bo, 100)
    await world.earn(anna, 30)
    await grant(world, bo, 500)
    world.advance(days=400)
    assert await world.own(anna) == 50
    assert (await world.redeem(anna, 50)).points == 50  # type: ignore[union-attr]  # it is posted
    assert await world.proved()
