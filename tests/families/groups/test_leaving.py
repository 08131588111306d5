"""Tests of leaving: what goes out of the pot by each rule, who may go when, who takes over."""

from datetime import datetime
from typing import Any

import pytest

from coalition.families.kin.group_refusals import (
    GroupIsClosed,
    GroupRefused,
    HeadMustHandOver,
    HeadOnly,
    NotAnAdult,
    NotInGroup,
)
from coalition.families.kin.places import GroupState, Leaving
from coalition.federation import defaults
from coalition.federation.terms import OnDefault
from coalition.kernel.database import Engine, transaction
from coalition.kernel.errors import Refused
from tests.families.groups.world import Families, account, make_families, sweep, view


def rules_of(refusal: Refused) -> list[object]:
    failures = refusal.facts["failures"]
    assert isinstance(failures, list)
    return [one["rule"] for one in failures]


async def three(world: Families, rules: Any) -> tuple[Any, Any, Any, Any]:
    """Return a group of three who brought 600, 300 and 100, and them."""
    await world.rules("home", rules)
    anna, bo, eve = await world.adult(600), await world.adult(300), await world.adult(100)
    return await world.form("home", anna, bo, eve), anna, bo, eve


async def test_who_leaves_takes_what_of_its_share_is_left_and_knew_it_before(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    group, anna, bo, eve = await three(world, account(exits={"leaving": "keep_own_share"}))
    await world.redeem(anna, 50)
    before = await world.would_take_out(group, bo)
    left = await world.leave(group, bo)
    assert before.takes_out == left.points == await world.own(bo) > 0
    assert sum(lot.points for lot in before.lots) == left.points
    assert {(lot.issuer, lot.funder) for lot in before.lots} == {("Grocer", "Grocer")}
    pool = await world.pool_of(group)
    assert await world.own(pool) == 950 - left.points
    assert await world.leave(group, bo) == left
    assert not await world.shares(bo)
    assert await world.shares(eve)
    assert await world.proved()


async def test_points_keep_their_issuer_and_their_end_through_the_pool(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(100), await world.adult(0)
    await world.earn(bo, 70, partner_no=world.world.fuel)
    before = await world.lots(bo)
    group = await world.form("home", anna, bo)
    assert await world.lots(bo) == []
    await world.leave(group, bo)
    assert await world.lots(bo) == before
    assert await world.proved()


async def test_what_stays_in_the_pool_stays(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    group, anna, bo, _ = await three(world, account(exits={"leaving": "stays_in_pool"}))
    assert (await world.would_take_out(group, bo)).takes_out == 0
    assert (await world.leave(group, bo)).points == 0
    assert await world.own(await world.pool_of(group)) == 1000
    assert (await world.show(group, anna)).points == 1000
    closed = await world.close(group, anna)
    assert closed.row.state is GroupState.CLOSED
    assert await world.own(await world.pool_of(group)) == 0
    assert await world.proved()


async def test_what_stays_with_the_head_goes_to_the_head(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    group, anna, bo, _ = await three(world, account(exits={"leaving": "stays_with_head"}))
    assert (await world.leave(group, bo)).points == 0
    assert await world.own(anna) == 300
    assert await world.own(await world.pool_of(group)) == 700
    assert await world.proved()


async def test_what_is_split_goes_to_those_who_stay_by_what_they_brought(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    group, anna, bo, eve = await three(world, account(exits={"leaving": "split"}))
    assert (await world.leave(group, bo)).points == 0
    assert (await world.own(anna), await world.own(eve)) == (257, 43)
    assert await world.own(await world.pool_of(group)) == 700
    assert await world.proved()


async def test_closing_gives_everybody_its_own_and_splits_what_leavers_left(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    exits = {"leaving": "stays_in_pool", "closing": "keep_own_share"}
    group, anna, bo, eve = await three(world, account(exits=exits))
    await world.leave(group, bo)
    await world.close(group, anna)
    assert (await world.own(anna), await world.own(eve)) == (600 + 257, 100 + 43)
    assert (await world.close(group, anna)).row.state is GroupState.CLOSED
    with pytest.raises(Refused):
        await world.bring(group, anna, 10)
    with pytest.raises(GroupIsClosed):
        await world.join(group, bo)
    assert await world.proved()


async def test_the_head_leaves_last_or_hands_over(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo, kid = await world.adult(100), await world.adult(50), await world.child()
    group = await world.form("home", anna, bo)
    await world.join(group, kid, "child")
    with pytest.raises(HeadMustHandOver):
        await world.leave(group, anna)
    with pytest.raises(HeadMustHandOver):
        await world.leave(group, anna, successor=anna)
    with pytest.raises(NotAnAdult):
        await world.leave(group, anna, successor=kid)
    left = await world.leave(group, anna, successor=bo)
    assert (left.points, left.closed) == (100, False)
    shown = await world.show(group, bo)
    assert shown.head == bo
    assert {one.role for one in shown.places} == {"head", "child"}
    await world.leave(group, kid, by=bo)
    last = await world.leave(group, bo)
    assert (last.points, last.closed) == (50, True)
    assert await world.leave(group, bo) == last
    assert await world.leave(group, anna) == left
    assert await world.proved()


async def test_where_points_lie_with_the_head_they_go_to_the_next_head_and_stay_whose_they_are(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", sweep(contribution={"future_percent": [100]}))
    anna, bo, eve = await world.adult(600), await world.adult(), await world.adult()
    group = await world.form("home", anna, bo, eve)
    await world.earn_shared(bo, 300)
    await world.earn_shared(eve, 100)
    assert (await world.own(anna), await world.own(bo)) == (1000, 0)
    await world.leave(group, anna, successor=bo)
    assert (await world.own(anna), await world.own(bo), await world.own(eve)) == (600, 400, 0)
    assert (await world.would_take_out(group, eve)).takes_out == 100
    await world.leave(group, eve)
    assert (await world.own(bo), await world.own(eve)) == (300, 100)
    assert await world.proved()


async def test_a_member_stays_for_as_long_as_it_is_locked_in(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(join={"lock_in_days": 30}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    with pytest.raises(GroupRefused) as refused:
        await world.leave(group, bo)
    failure = refused.value.facts["failures"][0]  # type: ignore[index]  # a list
    assert (failure["rule"], failure["limit"], failure["used"]) == ("join.lock_in_days", 30, 0)
    assert failure["next_possible_at"] is not None
    world.advance(days=30)
    assert (await world.leave(group, bo)).why is Leaving.LEFT


async def test_the_head_removes_and_where_only_the_head_may_nobody_else_does(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(exits={"self_removal": "head_only"}))
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo, eve)
    with pytest.raises(GroupRefused) as refused:
        await world.leave(group, bo)
    assert rules_of(refused.value) == ["exits.self_removal"]
    with pytest.raises(HeadOnly):
        await world.leave(group, bo, by=eve)
    assert (await world.leave(group, bo, by=anna)).why is Leaving.REMOVED
    with pytest.raises(NotInGroup):
        await world.leave(group, await world.adult(), by=anna)


async def test_a_fee_in_points_is_taken_and_one_in_money_is_told(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    fees = [
        {"kind": "flat", "on": "leave", "points": 30, "payer": "member"},
        {
            "kind": "flat",
            "on": "join",
            "money": {"amount_minor": 500, "currency": "SEK"},
            "payer": "member",
        },
    ]
    await world.rules("home", view(fees=fees))
    anna, bo = await world.adult(100), await world.adult(100)
    group = await world.form("home", anna, bo)
    await world.leave(group, bo)
    assert await world.own(bo) == 70
    told = await world.events("fee_due")
    assert [(one["member_id"], one["amount_minor"]) for one in told][-1] == (str(bo), 500)
    assert await world.proved()


async def test_who_is_left_alone_sees_what_closing_the_group_gives(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account(exits={"leaving": "stays_in_pool"}))
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    assert (await world.would_take_out(group, bo)).takes_out == 0
    await world.leave(group, bo)
    seen = await world.would_take_out(group, anna)
    left = await world.leave(group, anna)
    assert left.closed
    assert left.points == seen.takes_out
    assert await world.own(anna) == left.points > 0


async def test_points_of_a_funder_in_default_go_home_when_the_group_closes(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(100), await world.adult(0)
    await world.earn(bo, 70, partner_no=world.world.fuel)
    group = await world.form("home", anna, bo)
    pool = await world.pool_of(group)
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=world.world.fuel,
            on_default=OnDefault.SUSPEND,
            prepared_by="staff:anna",
            approved_by="staff:bertil",
            at=world.at,
        )
    world.advance(hours=1)
    assert await world.own(pool) == 170
    assert (await world.would_take_out(group, bo)).takes_out == 0
    await world.close(group, anna)
    assert await world.own(pool) == 0
    assert (await world.own(anna), await world.own(bo)) == (100, 70)
    assert await world.proved()
