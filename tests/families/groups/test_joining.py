"""Tests of how members come into groups: formed, invited, accepted, judged by the rules."""

import asyncio
from datetime import datetime

import pytest

from coalition.families.kin.group_refusals import (
    GroupRefused,
    GuardianOnly,
    HeadOnly,
    InvitationNeeded,
    InvitationNotOpen,
    UnknownGroup,
    UnknownInvitation,
)
from coalition.families.kin.transfer_refusals import NoRules
from coalition.families.rule_sets.vocabulary import Kind
from coalition.kernel.database import Engine
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from tests.families.groups.world import account, make_families, view


def rules_of(refusal: Refused) -> list[object]:
    failures = refusal.facts["failures"]
    assert isinstance(failures, list)
    return [one["rule"] for one in failures]


async def test_a_group_is_formed_under_the_rules_of_its_kind_with_its_founders(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo = await world.adult(100), await world.adult(50)
    group = await world.form("home", anna, bo)
    shown = await world.show(group, anna)
    assert [(one.member_id, one.role, one.points) for one in shown.places] == [
        (anna, "head", 100),
        (bo, "spouse", 50),
    ]
    assert (shown.rule_set, shown.formed_under_version, shown.points) == ("home", 1, 150)
    assert [one["member_id"] for one in await world.events("joined")] == [str(anna), str(bo)]
    assert await world.shares(bo)


async def test_forming_under_the_same_id_again_answers_with_the_same_group(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo = await world.adult(), await world.adult()
    wanted = random_id()
    assert await world.form("home", anna, group=wanted) == wanted
    assert await world.form("home", anna, group=wanted) == wanted
    with pytest.raises(Refused):
        await world.form("home", bo, group=wanted)
    assert len((await world.show(wanted)).places) == 1


async def test_without_a_bound_kind_no_group_is_formed(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    anna = await world.adult()
    with pytest.raises(NoRules):
        await world.form("home", anna)


async def test_an_invitation_is_accepted_by_who_was_invited_and_by_nobody_else(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna)
    assert await world.invite(group, bo, by=anna) == made
    for stranger in (eve, anna):
        with pytest.raises(Refused):
            await world.accept(made.id, stranger)
    first = await world.accept(made.id, bo)
    again = await world.accept(made.id, bo)
    assert first.place is not None
    assert first == again
    assert {one.member_id for one in (await world.show(group)).places} == {anna, bo}


async def test_only_the_head_invites_and_strangers_hear_of_no_group(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo)
    with pytest.raises(HeadOnly):
        await world.invite(group, eve, by=bo)
    with pytest.raises(UnknownGroup):
        await world.invite(group, bo, by=eve)
    with pytest.raises(UnknownGroup):
        await world.show(group, eve)
    with pytest.raises(UnknownInvitation):
        await world.accept(random_id(), eve)


async def test_an_invitation_runs_out(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view(join={"invitation_days": 14}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna)
    world.advance(days=14)
    with pytest.raises(InvitationNotOpen):
        await world.accept(made.id, bo)
    assert await world.groups.expire_invitations(world.at) == 1
    assert await world.groups.expire_invitations(world.at) == 0
    again = await world.invite(group, bo, by=anna)
    assert again.id != made.id
    assert (await world.accept(again.id, bo)).place is not None


async def test_open_invitations_take_places(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"members": {"max": 2}}))
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna)
    with pytest.raises(GroupRefused) as refused:
        await world.invite(group, eve, by=anna)
    assert refused.value.facts["failures"] == [
        {
            "rule": "group.members.max",
            "limit": 2,
            "used": 2,
            "remaining": 0,
            "next_possible_at": None,
        }
    ]
    assert (await world.accept(made.id, bo)).place is not None


async def test_for_a_minor_its_guardian_accepts(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, kid = await world.adult(), await world.child()
    await world.guard(kid, anna)
    group = await world.form("home", anna)
    made = await world.invite(group, kid, by=anna, role="child")
    assert made.kind is Kind.MINOR
    with pytest.raises(GuardianOnly):
        await world.accept(made.id, kid)
    accepted = await world.accept(made.id, anna)
    assert accepted.place is not None
    assert accepted.place.kind is Kind.MINOR


async def test_where_both_have_to_accept_each_does(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view(join={"accept": "both"}))
    anna, bo, kid = await world.adult(), await world.adult(), await world.child()
    await world.guard(kid, bo)
    group = await world.form("home", anna)
    made = await world.invite(group, kid, by=anna, role="child")
    assert (await world.accept(made.id, kid)).place is None
    assert (await world.accept(made.id, bo)).place is not None


async def test_a_child_joins_by_its_guardian_who_is_the_head_where_the_rules_say_so(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("open", view(join={"child_without_invitation": True}))
    await world.rules("shut", view())
    anna, kid, other = await world.adult(), await world.child(), await world.child()
    await world.guard(kid, anna)
    group, shut = await world.form("open", anna), await world.form("shut", anna)
    assert (await world.take(group, kid, by=anna)).role == "child"
    assert await world.take(group, kid, by=anna) == await world.take(group, kid, by=anna)
    with pytest.raises(InvitationNeeded):
        await world.take(group, other, by=anna)
    with pytest.raises(InvitationNeeded):
        await world.take(shut, kid, by=anna)


async def test_eight_who_join_at_once_for_the_last_place_are_one(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"members": {"max": 3}}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    eight = [await world.adult() for _ in range(8)]
    outcomes = await asyncio.gather(
        *(world.join(group, one) for one in eight), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, GroupRefused)]
    assert len(refused) == 7, outcomes
    assert {tuple(rules_of(one)) for one in refused} == {("group.members.max",)}
    assert len((await world.show(group)).places) == 3
    assert await world.proved()


async def test_who_joins_two_groups_at_once_is_in_one(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", account(group={"groups_per_member": 1}))
    heads = [await world.adult() for _ in range(4)]
    groups = [await world.form("home", head) for head in heads]
    bo = await world.adult(100)
    outcomes = await asyncio.gather(
        *(world.join(group, bo) for group in groups), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, GroupRefused)]
    assert len(refused) == 3, outcomes
    assert {tuple(rules_of(one)) for one in refused} == {("group.groups_per_member",)}
    assert await world.own(bo) == 0
    assert await world.proved()


async def test_what_a_member_has_goes_into_the_account_when_it_joins(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", account())
    anna, bo = await world.adult(300), await world.adult(200)
    group = await world.form("home", anna, bo)
    pool = await world.pool_of(group)
    assert (await world.own(anna), await world.own(bo), await world.own(pool)) == (0, 0, 500)
    shown = await world.show(group, anna)
    assert [one.points for one in shown.places] == [300, 200]
    assert await world.proved()


async def test_who_left_waits_until_it_may_join_again(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view(join={"cooldown_days": 30}))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna, bo)
    await world.leave(group, bo)
    with pytest.raises(GroupRefused) as refused:
        await world.join(group, bo)
    assert rules_of(refused.value) == ["join.cooldown_days"]
    world.advance(days=30)
    assert (await world.join(group, bo)).role == "friend"


async def test_a_place_that_was_left_stays_empty_for_a_while(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    rules = view(group={"members": {"max": 2}}, join={"slot_cooldown_days": 90})
    await world.rules("home", rules)
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo)
    await world.leave(group, bo)
    with pytest.raises(GroupRefused) as refused:
        await world.invite(group, eve, by=anna)
    assert rules_of(refused.value) == ["join.slot_cooldown_days"]
    world.advance(days=90)
    assert (await world.invite(group, eve, by=anna)).member_id == eve


async def test_relationships_are_asked_and_proved(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    asks = {"relationships": ["child", "in_law"], "evidence": "required"}
    await world.rules("home", view(eligibility=asks))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna)
    with pytest.raises(GroupRefused) as refused:
        await world.join(group, bo, "friend")
    assert rules_of(refused.value) == ["eligibility.relationships", "eligibility.evidence"]
    await world.relate(anna, bo, "in_law")
    with pytest.raises(GroupRefused) as refused:
        await world.join(group, bo, "relative")
    assert rules_of(refused.value) == ["eligibility.evidence"]
    await world.relate(anna, bo, "in_law", proved=True)
    assert (await world.join(group, bo, "relative")).role == "relative"


async def test_of_changes_in_one_session_the_first_counts(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    cap = {"subject": "group", "measure": "changes", "window": "rolling 6 months", "max": 1}
    await world.rules(
        "home", view(join={"change_window_hours": 24}, limits=[cap | {"on": "change"}])
    )
    anna, bo, eve, ida = [await world.adult() for _ in range(4)]
    group = await world.form("home", anna)
    world.advance(hours=1)
    await world.join(group, bo)
    await world.join(group, eve)
    world.advance(hours=24)
    with pytest.raises(GroupRefused) as refused:
        await world.join(group, ida)
    assert rules_of(refused.value) == ["limits.change.group.changes.rolling_6_months"]
