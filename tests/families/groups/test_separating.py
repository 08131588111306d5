"""Tests of separation: nothing moves until both, or two of the staff, have settled it."""

from datetime import datetime

import pytest

from coalition.families.groups import separating
from coalition.families.groups.separating import Outcome
from coalition.families.kin.group_refusals import (
    GroupIsSeparating,
    GroupRefused,
    NotSeparating,
    NotYourself,
    SecondPersonOnly,
)
from coalition.families.kin.places import GroupState
from coalition.kernel.database import Engine
from coalition.ledger.drafts import Posted
from coalition.oversight.refusals import SecondPersonNeeded
from coalition.points.pools import PoolAct
from tests.families.groups.world import STAFF, account, make_families, view


async def test_while_a_group_separates_nothing_moves_in_or_out(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo, eve = await world.adult(300), await world.adult(200), await world.adult(40)
    group = await world.form("home", anna, bo)
    begun = await world.separate(group, bo)
    assert await world.separate(group, bo) == begun
    for act in (
        world.bring(group, bo, 10),
        world.leave(group, bo),
        world.join(group, eve),
        world.close(group, anna),
    ):
        with pytest.raises(GroupIsSeparating):
            await act
    refused = await world.redeem(bo, 10)
    assert isinstance(refused, GroupRefused)
    assert refused.facts["failures"][0]["rule"] == "group.separating"  # type: ignore[index]  # a list
    assert (await world.plan(bo, PoolAct.ISSUE, 10)).onward == ()
    assert [one["member_id"] for one in await world.events("separation_began")] == [str(bo)]


async def test_what_is_a_members_own_it_spends_also_while_separating(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    await world.separate(group, bo, by=anna)
    assert isinstance(await world.redeem(bo, 150), Posted)
    assert isinstance(await world.redeem(bo, 150), GroupRefused)
    assert (await world.own(anna), await world.own(bo)) == (300, 50)


async def test_what_head_and_member_both_want_is_done(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo, eve = await world.adult(300), await world.adult(200), await world.adult(100)
    group = await world.form("home", anna, bo, eve)
    await world.separate(group, bo)
    assert (await world.want(group, anna, Outcome.CLOSE)).outcome is None
    with pytest.raises(NotYourself):
        await world.want(group, eve, Outcome.CLOSE)
    assert (await world.want(group, bo, Outcome.LEAVE)).outcome is None
    assert (await world.want(group, anna, Outcome.LEAVE)).outcome is Outcome.LEAVE
    assert await world.own(bo) == 200
    assert (await world.show(group)).state is GroupState.ACTIVE
    with pytest.raises(NotSeparating):
        await world.want(group, anna, Outcome.LEAVE)
    assert await world.proved()


@pytest.mark.parametrize("outcome", [Outcome.CLOSE, Outcome.STAY])
async def test_a_separation_ends_otherwise_as_both_want(
    database: Engine, at: datetime, outcome: Outcome
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    await world.separate(group, bo)
    await world.want(group, bo, outcome)
    await world.want(group, anna, outcome)
    closes = outcome is Outcome.CLOSE
    assert (await world.show(group)).state is (GroupState.CLOSED if closes else GroupState.ACTIVE)
    assert await world.own(bo) == (200 if closes else 0)
    assert await world.proved()


async def test_staff_settle_by_two_persons(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    with pytest.raises(NotSeparating):
        await world.settle(group, Outcome.LEAVE)
    await world.separate(group, bo)
    with pytest.raises(SecondPersonOnly):
        await world.groups.do(
            lambda c, b: separating.want(c, group, Outcome.LEAVE, b, by=STAFF), world.at
        )
    approval = await world.settle(group, Outcome.LEAVE)
    with pytest.raises(SecondPersonNeeded):
        await world.approve(approval, separating.KIND, by="staff:anna")
    await world.approve(approval, separating.KIND, by="staff:bertil")
    assert await world.own(bo) == 200
    assert {one.member_id for one in (await world.show(group)).places} == {anna}
    assert "group.separation_settled" in await world.logged()
    assert await world.proved()


async def test_a_member_by_itself_begins_nothing_for_another(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo, eve)
    with pytest.raises(NotYourself):
        await world.separate(group, bo, by=eve)
