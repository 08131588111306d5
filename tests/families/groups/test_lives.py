"""Tests of what life does to groups: members grow up, die, are merged, closed and forgotten."""

from datetime import date, datetime

import msgspec
import pytest

from coalition.families import keeping
from coalition.families.groups import dying
from coalition.families.kin import merged_places, relationships
from coalition.families.kin.group_refusals import (
    GroupRefused,
    GroupsToLeave,
    GuardianIsAMinor,
    HeirNeeded,
    MergeInTwoGroups,
    NotAMinor,
)
from coalition.families.kin.places import GroupState, Leaving
from coalition.families.rule_sets.vocabulary import Kind
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import MemberId
from coalition.ledger.refusals import HolderNotActive
from coalition.members import closing, merging, privacy, standings
from tests.families.groups.world import Families, account, make_families, view
from tests.families.transfers.world import KEYS
from tests.points.world import ACTOR


async def test_who_comes_to_the_age_of_its_group_leaves_by_the_rule_of_that(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    exits = {"at_age": 18, "ageing_out": "keep_own_share"}
    await world.rules("home", account(exits=exits))
    anna = await world.adult(100)
    kid = await world.member(50, born=date(2009, 1, 10))
    younger = await world.member(20, born=date(2012, 1, 10))
    group = await world.form("home", anna)
    await world.join(group, kid, "child")
    await world.join(group, younger, "child")
    assert await world.groups.grow_up(world.at) == 0
    world.clock.advance(datetime(2027, 1, 10, 12, tzinfo=at.tzinfo) - world.at)
    assert await world.groups.grow_up(world.at) == 1
    assert await world.groups.grow_up(world.at) == 0
    assert await world.own(kid) == 50
    assert {one.member_id for one in (await world.show(group)).places} == {anna, younger}
    assert [one["member_id"] for one in await world.events("aged_out")] == [str(kid)]
    assert await world.proved()


async def test_who_joins_beyond_the_age_of_its_group_is_not_sent_away(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account(exits={"at_age": 18}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    world.advance(days=400)
    assert await world.groups.grow_up(world.at) == 0
    assert await world.groups_of(bo) == [group]


async def test_where_no_age_ends_it_a_child_becomes_an_adult_of_its_group(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"infant_below": 2}))
    anna = await world.adult()
    kid = await world.member(born=date(2009, 1, 10))
    baby = await world.member(born=date(2025, 6, 1))
    await world.guard(kid, anna)
    group = await world.form("home", anna)
    await world.join(group, kid, "child")
    await world.join(group, baby, "child")
    kinds = {one.member_id: one.kind for one in (await world.show(group)).places}
    assert kinds == {anna: Kind.ADULT, kid: Kind.MINOR, baby: Kind.INFANT}
    world.clock.advance(datetime(2027, 6, 1, 12, tzinfo=at.tzinfo) - world.at)
    assert await world.groups.grow_up(world.at) == 0
    kinds = {one.member_id: one.kind for one in (await world.show(group)).places}
    assert kinds == {anna: Kind.ADULT, kid: Kind.ADULT, baby: Kind.MINOR}
    assert await world.wards(anna) == []
    with pytest.raises(NotAMinor):
        await world.guard(kid, anna)


async def test_minors_do_not_guard_each_other(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    anna, kid, sibling = await world.adult(), await world.child(), await world.child()
    unknown, other = await world.member(born=None), await world.member(born=None)
    with pytest.raises(GuardianIsAMinor):
        await world.guard(kid, sibling)
    await world.guard(unknown, anna)
    await world.guard(unknown, anna)
    with pytest.raises(GuardianIsAMinor):
        await world.guard(kid, unknown)
    await world.guard(kid, other)
    with pytest.raises(GuardianIsAMinor):
        await world.guard(other, anna)


async def died(
    world: Families,
    member: MemberId,
    heir: MemberId | None = None,
    successor: MemberId | None = None,
) -> None:
    approval = await dying.prepare(
        member,
        heir=heir,
        successor=successor,
        reason="told by the registry",
        prepared_by="staff:anna",
        at=world.at,
    )
    await world.approve(approval, dying.KIND, by="staff:bertil")


async def test_who_died_takes_over_from_nobody(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    await died(world, anna, successor=anna)
    assert (await world.show(group)).head == bo
    assert await world.proved()


@pytest.mark.parametrize(
    ("treatment", "has"),
    [
        ("keep_own_share", (0, 210, 0, 300)),
        ("stays_in_pool", (0, 0, 0, 510)),
        ("stays_with_head", (210, 0, 0, 300)),
        ("split", (210, 0, 0, 300)),
        ("to_heir", (0, 0, 210, 300)),
    ],
)
async def test_by_the_rule_of_death_go_share_and_own_points(
    database: Engine, at: datetime, treatment: str, has: tuple[int, int, int, int]
) -> None:
    world = await make_families(at)
    await world.rules("home", account(exits={"death": treatment}))
    anna, bo, heir = await world.adult(300), await world.adult(200), await world.adult()
    group = await world.form("home", anna, bo)
    await world.earn(bo, 10)
    await died(world, bo, heir)
    pool = await world.pool_of(group)
    assert tuple([await world.own(one) for one in (anna, bo, heir, pool)]) == has
    async with transaction() as connection:
        held = await standings.read(connection, [bo], world.at)
    assert dying.FLAG in held[bo].flags
    assert "member.death_noted" in await world.logged()
    assert await world.proved()


async def test_without_an_heir_a_rule_that_wants_one_is_refused_whole(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account(exits={"death": "to_heir"}))
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    with pytest.raises(HeirNeeded):
        await died(world, bo)
    assert len((await world.show(group)).places) == 2


async def test_a_head_that_dies_is_followed_by_the_adult_who_belonged_longest(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(exits={"death": "split"}))
    anna, bo, eve = await world.adult(90), await world.adult(200), await world.adult(100)
    group = await world.form("home", anna, bo, eve)
    await died(world, anna)
    shown = await world.show(group)
    assert shown.head == bo
    assert [await world.own(one) for one in (anna, bo, eve)] == [0, 260, 130]
    await died(world, bo)
    await died(world, eve)
    assert (await world.show(group)).state is GroupState.CLOSED
    assert await world.own(eve) == 260 + 130
    with pytest.raises(HolderNotActive):
        await world.form("home", eve)
    assert await world.proved()


async def test_a_membership_that_ends_leaves_its_groups_first(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    closed = await closing.close(
        anna, actor=ACTOR, at=world.at, forfeit_points=True, leavers=[keeping.leaver(KEYS)]
    )
    assert closed.forfeited_points == 300
    shown = await world.show(group)
    assert (shown.head, shown.points) == (bo, 200)
    await world.separate(group, await joined(world, group), by=bo)
    with pytest.raises(GroupsToLeave):
        await closing.close(
            bo, actor=ACTOR, at=world.at, forfeit_points=True, leavers=[keeping.leaver(KEYS)]
        )
    assert await world.proved()


async def joined(world: Families, group: object) -> MemberId:
    new = await world.adult()
    await world.join(group, new)  # type: ignore[arg-type]  # the id of a group
    return new


async def test_a_person_is_forgotten_after_leaving_and_copied_before(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo, kid = await world.adult(300), await world.adult(200), await world.child()
    await world.guard(kid, anna)
    group = await world.form("home", anna, bo)
    await relationships.declare(anna, bo, "spouse", at=world.at)
    keeper = keeping.keeper(KEYS)
    told = b"".join([piece async for piece in privacy.export(anna, [keeper], at=world.at)])
    copy = msgspec.json.decode(told)
    assert [one["group_id"] for one in copy["groups"]] == [str(group)]
    assert [one["minor"] for one in copy["wards"]] == [str(kid)]
    assert [one["relationship"] for one in copy["relationships"]] == ["spouse"]
    await privacy.ask(anna, reason="asked by letter", actor=ACTOR, at=world.at)
    await privacy.erase(anna, [keeper], at=world.at)
    assert (await world.show(group)).head == bo
    assert await world.wards(anna) == []
    assert await world.own(anna) == 0
    assert await world.proved()


async def test_a_merged_members_place_is_the_survivors_with_its_share(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo, twin = await world.adult(300), await world.adult(200), await world.adult(40)
    group = await world.form("home", anna, bo)
    await merged(bo, twin, world.at)
    shown = await world.show(group)
    assert [(one.member_id, one.points) for one in shown.places] == [(anna, 300), (twin, 200)]
    assert (await world.would_take_out(group, twin)).takes_out == 200
    assert (await world.leave(group, twin)).points == 200
    assert await world.own(twin) == 240
    assert await world.proved()


async def test_two_who_belong_to_groups_of_a_kind_are_not_merged(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, twin = await world.adult(), await world.adult(), await world.adult()
    await world.form("home", anna, bo)
    await world.form("home", twin)
    with pytest.raises(MergeInTwoGroups):
        await merged(bo, twin, world.at)


async def merged(from_id: MemberId, into_id: MemberId, at: datetime) -> None:
    approval = await merging.prepare(
        from_id=from_id, into_id=into_id, reason="one person", prepared_by="staff:anna", at=at
    )
    await merging.approve(
        approval,
        approved_by="staff:bertil",
        keys=KEYS,
        followers=[merged_places.take_over],
        at=at,
    )


async def test_a_head_removes_its_ward_where_nobody_may_leave_by_itself(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(exits={"self_removal": "head_only"}))
    anna, kid = await world.adult(), await world.child()
    await world.guard(kid, anna)
    group = await world.form("home", anna, kid, role="child")
    with pytest.raises(GroupRefused):
        await world.leave(group, kid, by=anna)
    assert (await world.leave(group, kid, by=anna, removes=True)).why is Leaving.REMOVED
