"""Tests of places: roles, the head's hand-over, nominees, and who sees what."""

from datetime import datetime
from uuid import UUID

import pytest

from coalition.families.groups import contributing, place_changes
from coalition.families.kin.group_refusals import (
    GroupRefused,
    HeadOnly,
    InvalidNominee,
    InvalidRole,
    NotYourself,
    RightNotInQuestion,
    UnknownGroup,
)
from coalition.families.kin.speaking import By
from coalition.kernel.database import Engine, transaction
from coalition.ledger.drafts import Posted
from tests.families.groups.world import Families, account, make_families, view
from tests.families.registered import written


async def test_the_head_changes_roles_but_not_its_own(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)

    async def change(member: UUID, role: str, by: UUID) -> str:
        made = await world.groups.do(
            lambda c, b: place_changes.change_role(c, group, member, role, b, by=By.of(by)),
            world.at,
        )
        return made.role

    assert await change(bo, "partner", anna) == "partner"
    assert await change(bo, "partner", anna) == "partner"
    with pytest.raises(HeadOnly):
        await change(bo, "spouse", bo)
    for member, role in ((bo, "head"), (bo, "boss"), (anna, "spouse")):
        with pytest.raises(InvalidRole):
            await change(member, role, anna)
    assert len(await world.events("place_changed")) == 1


async def test_the_head_hands_over_to_an_adult_and_becomes_what_that_was(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    made = await world.groups.do(
        lambda c, b: place_changes.change_head(c, group, bo, b, by=By.of(anna)), world.at
    )
    assert made.row.head == bo
    assert {one.member_id: one.role for one in (await world.show(group)).places} == {
        anna: "spouse",
        bo: "head",
    }


async def test_a_right_that_the_rules_do_not_let_the_head_take_stays(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    with pytest.raises(RightNotInQuestion):
        await world.groups.do(
            lambda c, b: place_changes.change_right(
                c, group, bo, b, by=By.of(anna), may_spend=False
            ),
            world.at,
        )


async def name(world: Families, group: UUID, label: str, by: UUID) -> int:
    made = await world.groups.do(
        lambda c, b: place_changes.name(c, group, label, b, by=By.of(by)), world.at
    )
    return made.no


async def strike(world: Families, group: UUID, no: int, by: UUID) -> None:
    await world.groups.do(
        lambda c, b: place_changes.strike(c, group, no, b, by=By.of(by)), world.at
    )


async def test_nominees_are_sealed_named_once_and_follow_the_head(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("list", written("nominee_only", group={"nominees": {"max": 2}}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("list", anna, bo)
    first = await name(world, group, "Aunt Elsa", anna)
    assert await name(world, group, " Aunt Elsa ", anna) == first
    await name(world, group, "Åke", anna)
    with pytest.raises(GroupRefused):
        await name(world, group, "One more", anna)
    with pytest.raises(HeadOnly):
        await name(world, group, "Mine", bo)
    with pytest.raises(InvalidNominee):
        await name(world, group, "", anna)
    async with transaction() as connection:
        kept = await connection.fetchval("SELECT nominee FROM group_member WHERE no = $1", first)
    assert b"Elsa" not in kept
    await world.groups.do(
        lambda c, b: place_changes.change_head(c, group, bo, b, by=By.of(anna)), world.at
    )
    named = [one.nominee for one in (await world.show(group, bo)).places if one.nominee]
    assert named == ["Aunt Elsa", "Åke"]
    assert all(one.nominee is None for one in (await world.show(group, anna)).places)
    assert await world.events("nominee_named") == [
        {"group_id": str(group), "kind": "list", "place": one} for one in (first, first + 1)
    ]


async def test_a_nominee_stays_as_long_as_it_is_locked_in(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    rules = written("nominee_only", group={"nominees": {"max": 2}}, join={"lock_in_days": 183})
    await world.rules("list", rules)
    anna = await world.adult()
    group = await world.form("list", anna)
    no = await name(world, group, "Aunt Elsa", anna)
    with pytest.raises(GroupRefused):
        await strike(world, group, no, anna)
    world.advance(days=183)
    await strike(world, group, no, anna)
    await strike(world, group, no, anna)
    assert len((await world.show(group)).places) == 1


@pytest.mark.parametrize(
    ("sees", "others", "together"),
    [("everything", 100, 300), ("totals", None, 300), ("own", None, None)],
)
async def test_members_see_of_each_other_what_the_rules_let_them(
    database: Engine, at: datetime, sees: str, others: int | None, together: int | None
) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"sees": sees}))
    anna, bo = await world.adult(100), await world.adult(200)
    group = await world.form("home", anna, bo)
    shown = await world.show(group, bo)
    assert [one.points for one in shown.places] == [others, 200]
    assert shown.points == together
    assert [one.points for one in (await world.show(group, anna)).places] == [100, 200]


async def test_a_guardian_sees_the_group_of_its_ward(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, kid = await world.adult(), await world.adult(), await world.child(30)
    await world.guard(kid, bo)
    group = await world.form("home", anna)
    await world.join(group, kid, "child")
    assert (await world.show(group, bo)).group_id == group
    assert (await world.would_take_out(group, kid, by=bo)).takes_out == 0
    assert (await world.leave(group, kid, by=bo)).why == "left"


async def test_a_guardian_who_is_in_no_group_speaks_for_its_ward(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    rules = account(contribution={"existing": "none", "future_percent": [50, 100], "manual": True})
    await world.rules("home", rules)
    anna, bo, eve, kid = [await world.adult() for _ in range(3)] + [await world.child(30)]
    await world.guard(kid, bo)
    group = await world.form("home", anna)
    await world.join(group, kid, "child")
    brought = await world.groups.do(
        lambda c, b: contributing.contribute(c, group, kid, 20, b, by=By.of(bo)), world.at
    )
    assert brought.brought == 20
    changed = await world.groups.do(
        lambda c, b: place_changes.change_share(c, group, kid, 100, b, by=By.of(bo)), world.at
    )
    assert changed.future_percent == 100
    for stranger, refusal in ((eve, UnknownGroup), (anna, NotYourself)):
        asking = By.of(stranger)
        with pytest.raises(refusal):
            await world.bring(group, kid, 10, by=asking)
    assert (await world.separate(group, kid, by=bo)).member_id == kid


async def test_a_right_that_needs_a_grant_goes_and_comes_with_the_role(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    spend = {
        "head": {"scope": "pool"},
        "friend": {"scope": "pool", "by_grant": True},
        "spouse": {"scope": "pool"},
    }
    await world.rules("home", view(group={"spend": spend}))
    anna, bo = await world.adult(100), await world.adult(10)
    group = await world.form("home", anna)
    assert not (await world.join(group, bo)).may_spend
    assert isinstance(await world.redeem(bo, 20), GroupRefused)
    await world.let_spend(group, bo, may_spend=True)
    assert isinstance(await world.redeem(bo, 20), Posted)

    async def become(role: str) -> bool:
        made = await world.groups.do(
            lambda c, b: place_changes.change_role(c, group, bo, role, b, by=By.of(anna)),
            world.at,
        )
        return made.may_spend

    assert [await become("spouse"), await become("friend")] == [True, False]
    await world.groups.do(
        lambda c, b: place_changes.change_head(c, group, bo, b, by=By.of(anna)), world.at
    )
    rights = {one.member_id: one.may_spend for one in (await world.show(group)).places}
    assert rights == {anna: False, bo: True}
