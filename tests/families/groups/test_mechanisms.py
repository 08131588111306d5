"""Tests of a family's life under each mechanism, and of what many do to one group at once."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from coalition.families.kin.group_refusals import GroupRefused, UnknownGroup
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.kernel.database import Engine
from coalition.kernel.ids import random_id
from coalition.ledger.drafts import Posted
from coalition.ledger.refusals import NotEnoughPoints
from tests.families.groups.world import account, make_families, sweep, view
from tests.families.registered import written

SPEND = {"head": {"scope": "pool"}, "member": {"scope": "pool"}}
KEEP = {"leaving": "keep_own_share"}

LIVES: dict[Mechanism, tuple[RuleSet, tuple[int, int, int]]] = {
    Mechanism.P2P: (written("p2p"), (100, 140, 0)),
    Mechanism.POOL_VIEW: (view(exits=KEEP), (100, 140, 0)),
    Mechanism.POOL_ACCOUNT: (account(exits=KEEP), (0, 140, 140)),
    Mechanism.SWEEP_TO_HEAD: (sweep(group={"spend": SPEND}, exits=KEEP), (120, 140, 20)),
    Mechanism.HEAD_PULL: (written("head_pull"), (100, 140, 0)),
    Mechanism.LINKED_WALLET: (
        written("linked_wallet", group={"spend": SPEND}, exits=KEEP),
        (140, 140, 40),
    ),
    Mechanism.NOMINEE_ONLY: (
        written("nominee_only", group={"nominees": {"max": 1}}),
        (100, 140, 0),
    ),
}
"""By mechanism its rules, what lies with the head, what the member has in the end, what it is
told that it would take out."""


@pytest.mark.parametrize("mechanism", list(Mechanism))
async def test_who_leaves_has_what_it_brought_under_every_mechanism(
    database: Engine, at: datetime, mechanism: Mechanism
) -> None:
    rules, (with_head, in_the_end, takes_out) = LIVES[mechanism]
    world = await make_families(at)
    await world.rules("home", rules)
    anna, bo = await world.adult(100), await world.adult(100)
    group = await world.form("home", anna, bo)
    assert isinstance(await world.earn_shared(bo, 40), Posted)
    assert await world.own(anna) == with_head
    assert (await world.would_take_out(group, bo)).takes_out == takes_out
    assert (await world.leave(group, bo)).points == takes_out
    assert await world.own(bo) == in_the_end
    assert not await world.shares(bo)
    assert isinstance(await world.redeem(bo, 141), NotEnoughPoints)
    await world.close(group, anna)
    assert await world.own(anna) == 100
    assert await world.proved()


@pytest.mark.parametrize("treatment", ["stays_with_head", "split"])
async def test_swept_points_stay_with_the_head_or_are_split(
    database: Engine, at: datetime, treatment: str
) -> None:
    world = await make_families(at)
    await world.rules("home", sweep(exits={"leaving": treatment}))
    anna, bo, eve = await world.adult(), await world.adult(), await world.adult()
    group = await world.form("home", anna, bo, eve)
    await world.earn_shared(bo, 40)
    await world.earn_shared(eve, 60)
    assert (await world.leave(group, bo)).points == 0
    stays = treatment == "stays_with_head"
    has = [await world.own(one) for one in (anna, bo, eve)]
    assert has == ([50, 20, 30] if stays else [30, 20, 50])
    assert await world.proved()


async def test_one_invitation_accepted_many_times_at_once_is_one_place(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(10), await world.adult(20)
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna)
    answers = await asyncio.gather(*(world.accept(made.id, bo) for _ in range(4)))
    assert len({one.place.no for one in answers if one.place is not None}) == 1
    assert await world.own(await world.pool_of(group)) == 30
    assert len(await world.events("joined")) == 2
    assert await world.proved()


async def test_a_group_formed_many_times_at_once_under_one_id_is_one(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, wanted = await world.adult(10), random_id()
    made = await asyncio.gather(*(world.form("home", anna, group=wanted) for _ in range(4)))
    assert set(made) == {wanted}
    assert len((await world.show(wanted)).places) == 1
    assert await world.own(await world.pool_of(wanted)) == 10
    assert await world.proved()


async def test_closing_leaving_and_joining_at_once_leave_nothing_behind(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo, eve, ida = [await world.adult(50) for _ in range(4)]
    group = await world.form("home", anna, bo, eve)
    made = await world.invite(group, ida, by=anna)
    acts: list[Any] = [
        world.leave(group, bo),
        world.accept(made.id, ida),
        world.close(group, anna),
        world.bring(group, eve, 1),
    ]
    answers = await asyncio.gather(*acts, return_exceptions=True)
    assert not isinstance(answers[2], Exception)
    assert await world.own(await world.pool_of(group)) == 0
    assert sum([await world.own(one) for one in (anna, bo, eve, ida)]) == 200
    with pytest.raises(UnknownGroup):
        await world.bring(group, eve, 1)
    assert await world.proved()


async def test_optional_points_are_brought_by_an_act_of_their_own(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    optional = {"existing": "optional", "future_percent": [0]}
    await world.rules("home", account(contribution=optional))
    await world.rules("shut", account(contribution={"existing": "none", "future_percent": [100]}))
    anna, bo = await world.adult(100), await world.adult(50)
    group, shut = await world.form("home", anna, bo), await world.form("shut", anna)
    assert await world.own(await world.pool_of(group)) == 0
    assert (await world.bring(group, bo, 30)).brought == 30
    with pytest.raises(GroupRefused):
        await world.bring(group, bo, 21)
    with pytest.raises(GroupRefused):
        await world.bring(shut, anna, 10)
    assert await world.proved()
