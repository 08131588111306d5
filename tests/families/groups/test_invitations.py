"""Tests of invitations that come to nothing, need nobody's word, or are asked about by staff."""

from datetime import date, datetime
from uuid import UUID

import pytest

from coalition.families.groups import invitation_rows, invitations
from coalition.families.groups.invitation_rows import Invitation, InvitationState
from coalition.families.kin import relationships
from coalition.families.kin.group_refusals import (
    AlreadyInGroup,
    GroupIsSeparating,
    GroupRefused,
    GuardianNeeded,
    GuardianOnly,
    InvalidRelationship,
    InvitationNotOpen,
    NotYourself,
    UnknownInvitation,
)
from coalition.families.kin.speaking import By
from coalition.kernel.database import Engine, transaction
from coalition.ledger.drafts import Posted
from coalition.ledger.refusals import HolderNotActive, UnknownHolder
from coalition.points.pools import PoolAct
from tests.families.groups.world import STAFF, Families, make_families, view
from tests.families.registered import written


async def decline(world: Families, invitation: UUID, by: UUID) -> Invitation:
    return await world.groups.do(
        lambda c, b: invitations.decline(c, invitation, b, by=By.of(by)), world.at
    )


async def withdraw(world: Families, invitation: UUID, by: UUID) -> Invitation:
    return await world.groups.do(
        lambda c, b: invitations.withdraw(c, invitation, b, by=By.of(by)), world.at
    )


async def test_what_is_declined_or_withdrawn_is_over_and_frees_its_place(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"members": {"max": 2}}))
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna)
    first = await world.invite(group, bo, by=anna)
    with pytest.raises(UnknownInvitation):
        await decline(world, first.id, eve)
    with pytest.raises(UnknownInvitation):
        await withdraw(world, first.id, bo)
    declined = await decline(world, first.id, bo)
    assert declined.state is InvitationState.DECLINED
    assert await decline(world, first.id, bo) == declined
    with pytest.raises(InvitationNotOpen):
        await world.accept(first.id, bo)
    second = await world.invite(group, eve, by=anna)
    assert (await withdraw(world, second.id, anna)).state is InvitationState.WITHDRAWN
    with pytest.raises(InvitationNotOpen):
        await decline(world, second.id, eve)
    third = await world.invite(group, bo, by=anna)
    async with transaction() as connection:
        found = await invitation_rows.open_of(connection, [bo, eve], world.at)
    assert [one.id for one in found] == [third.id]
    assert [one["member_id"] for one in await world.events("invitation_declined")] == [str(bo)]


async def test_who_belongs_to_the_group_is_not_invited_and_joins_once(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo)
    for member in (anna, bo):
        with pytest.raises(AlreadyInGroup):
            await world.invite(group, member, by=anna)
    with pytest.raises(InvalidRelationship):
        await world.invite(group, eve, by=anna, relationship="No Word")
    invited = await world.invite(group, eve, by=anna)
    place = await world.join(group, eve)
    accepted = await world.accept(invited.id, eve)
    assert (accepted.invitation.state, accepted.place) == (InvitationState.JOINED, place)
    assert len((await world.show(group)).places) == 3
    assert await world.proved()


async def test_where_nobody_has_to_accept_inviting_is_joining(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    named = written("nominee_only", group={"nominees": {"max": 1}}, join={"accept": "nobody"})
    await world.rules("home", named)
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna)
    assert made.state is InvitationState.JOINED
    assert {one.member_id for one in (await world.show(group)).places} == {anna, bo}


async def test_who_is_no_member_or_frozen_is_not_invited(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna)
    with pytest.raises(UnknownHolder):
        await world.invite(group, group, by=anna)
    await world.freeze(bo)
    with pytest.raises(HolderNotActive):
        await world.invite(group, bo, by=anna)


async def test_a_member_of_the_group_cannot_accept_for_another(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo)
    made = await world.invite(group, eve, by=anna)
    with pytest.raises(NotYourself):
        await world.accept(made.id, bo)


async def test_an_open_invitation_waits_until_a_separation_is_settled(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna, bo)
    made = await world.invite(group, eve, by=anna)
    await world.separate(group, bo)
    with pytest.raises(GroupIsSeparating):
        await world.accept(made.id, eve)


async def test_evidence_is_due_once_staff_have_asked_for_it(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    asks = {"relationships": ["in_law"], "evidence": "on_request"}
    await world.rules("home", view(eligibility=asks))
    anna, bo = await world.adult(), await world.adult()
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna, role="relative", relationship="in_law")
    await world.relate(anna, bo, "in_law")
    await relationships.ask_for_evidence(anna, bo, actor=STAFF.name, at=world.at)
    with pytest.raises(GroupRefused) as refused:
        await world.accept(made.id, bo)
    failures = refused.value.facts["failures"]
    assert isinstance(failures, list)
    assert [one["rule"] for one in failures] == ["eligibility.evidence"]
    await relationships.prove(anna, bo, actor=STAFF.name, at=world.at)
    assert (await world.accept(made.id, bo)).place is not None
    assert await world.logged() != []


async def test_who_may_spend_only_for_itself_is_refused_for_others(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    spend = {"head": {"scope": "pool"}, "member": {"scope": "pool", "only_for_self": True}}
    await world.rules("home", view(group={"spend": spend}, debit={"order": "one_owner"}))
    anna, bo = await world.adult(100), await world.adult(50)
    await world.form("home", anna, bo)
    refused = await world.plan(bo, PoolAct.REDEEM, 80, for_self=False)
    assert isinstance(refused, GroupRefused)
    plan = await world.plan(bo, PoolAct.REDEEM, 80)
    assert (plan.sources.holders, plan.sources.own) == ((anna,), False)
    assert isinstance(await world.redeem(bo, 80), Posted)
    assert (await world.own(anna), await world.own(bo)) == (20, 50)
    assert await world.proved()


async def test_a_minor_without_a_guardian_joins_when_one_is_known_and_accepts(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"adult_from": 16}))
    anna, eve, kid = await world.adult(), await world.adult(), await world.child()
    teen = await world.member(0, born=date(at.year - 17, 1, 1))
    group = await world.form("home", anna)
    made = await world.invite(group, kid, by=anna, role="child")
    with pytest.raises(GuardianNeeded, match="have that noted first"):
        await world.accept(made.id, kid)
    await world.guard(kid, eve)
    with pytest.raises(GuardianOnly):
        await world.accept(made.id, kid)
    assert (await world.accept(made.id, eve)).place is not None
    grown = await world.invite(group, teen, by=anna, role="child")
    assert (await world.accept(grown.id, teen)).place is not None


async def test_who_is_of_age_needs_no_guardian_where_rules_call_it_a_minor(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view(group={"adult_from": 21}))
    anna = await world.adult()
    young = await world.member(0, born=date(at.year - 19, 1, 1))
    group = await world.form("home", anna)
    made = await world.invite(group, young, by=anna)
    assert (await world.accept(made.id, young)).place is not None
