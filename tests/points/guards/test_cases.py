"""Cases: decided once, by a person who says why; a member frozen from one; cards forgotten."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger.refusals import HolderNotActive
from coalition.oversight import audit_log
from coalition.oversight.refusals import ReasonNeeded
from coalition.points.commands import IssueBody
from coalition.points.guards import cases, keeping
from coalition.points.guards.cases import Case, CaseState
from coalition.points.guards.refusals import CaseDecided, CaseWithoutMember, UnknownCase
from tests.points.guards.world import (
    ANNA,
    activate,
    issue,
    open_cases,
    quiet_world,
    redeem,
    rich,
    watch,
)
from tests.points.world import World, receipt

pytestmark = pytest.mark.usefixtures("database")


async def a_case(world: World) -> tuple[Case, UUID]:
    """Return an open case and its member, whose every redemption is a hit."""
    await activate(world.at, most=0)
    anna = await rich(world)
    await world.ask(redeem(anna, 1, world.at))
    await watch(world)
    (case,) = await open_cases()
    return case, anna


async def all_cases() -> list[Case]:
    async with transaction() as connection:
        return await cases.list_cases(connection, state=None)


@pytest.mark.parametrize("state", [CaseState.CLEARED, CaseState.CONFIRMED], ids=str)
async def test_a_case_is_decided_once_with_a_note(at: datetime, state: CaseState) -> None:
    world = await quiet_world(at)
    case, _ = await a_case(world)
    with pytest.raises(ReasonNeeded):
        await cases.decide(case.id, state, actor=ANNA, note=" ", at=at)
    await cases.decide(case.id, state, actor=ANNA, note="looked into", at=at)
    (decided,) = await all_cases()
    assert (decided.state, decided.decided_by, decided.note) == (state, ANNA, "looked into")
    with pytest.raises(CaseDecided):
        await cases.decide(case.id, CaseState.CLEARED, actor=ANNA, note="again", at=at)
    async with transaction() as connection:
        last = await audit_log.last(connection, f"guard.case_{state}")
        assert await cases.count_open(connection) == 0
    assert last is not None
    assert last.facts == '{"note":"looked into"}'


async def test_what_goes_on_after_a_decision_opens_another_case(at: datetime) -> None:
    world = await quiet_world(at)
    case, anna = await a_case(world)
    await cases.decide(case.id, CaseState.CLEARED, actor=ANNA, note="once is nothing", at=at)
    world.clock.advance(timedelta(minutes=2))
    await world.ask(redeem(anna, 1, world.at))
    await watch(world)
    (again,) = await open_cases()
    assert again.id != case.id
    assert len(await all_cases()) == 2


async def test_a_member_is_frozen_and_unfrozen_from_a_case(at: datetime) -> None:
    world = await quiet_world(at)
    case, anna = await a_case(world)
    assert await cases.freeze(case.id, actor=ANNA, at=at) == anna
    assert isinstance(await world.ask(redeem(anna, 1, at)), HolderNotActive)
    assert await cases.unfreeze(case.id, actor=ANNA, at=at) == anna
    assert not isinstance(await world.ask(redeem(anna, 1, at)), Refused)
    async with transaction() as connection:
        actions = await connection.fetch("SELECT action FROM audit_log ORDER BY no DESC LIMIT 4")
    assert [row[0] for row in actions] == [
        *("guard.case_unfroze", "member.unfrozen"),
        *("guard.case_froze", "member.frozen"),
    ]


async def test_a_case_of_a_cashier_freezes_only_whom_somebody_names(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, measure="issues", subject=["cashier"], most=0)
    anna = await world.member()
    await world.ask(issue(anna, 1, at, cashier="kim"))
    await watch(world)
    (case,) = await open_cases()
    with pytest.raises(CaseWithoutMember):
        await cases.freeze(case.id, actor=ANNA, at=at)
    assert await cases.freeze(case.id, actor=ANNA, at=at, member_id=anna) == anna
    assert isinstance(await world.ask(issue(anna, 1, at)), HolderNotActive)


async def test_an_unknown_case_is_refused(at: datetime) -> None:
    unknown = random_id()
    with pytest.raises(UnknownCase):
        await cases.decide(unknown, CaseState.CLEARED, actor=ANNA, note="what", at=at)
    with pytest.raises(UnknownCase):
        await cases.freeze(unknown, actor=ANNA, at=at)
    async with transaction() as connection:
        with pytest.raises(UnknownCase):
            await cases.show(connection, unknown)


async def test_cases_are_listed_by_state_and_partner(at: datetime) -> None:
    world = await quiet_world(at)
    case, anna = await a_case(world)
    await activate(at, name="fuel", most=0, partner=world.fuel)
    await world.ask(redeem(anna, 1, at), partner_no=world.fuel)
    await watch(world)
    async with transaction() as connection:
        at_fuel = await cases.list_cases(connection, partner_no=world.fuel)
        first = await cases.list_cases(connection, limit=1)
        cleared = await cases.list_cases(connection, state=CaseState.CLEARED)
    assert [(one.rule, one.partner_no) for one in at_fuel] == [("fuel", world.fuel)]
    assert len(first) == 1
    assert cleared == []
    assert case.id in {one.id for one in await all_cases()}


async def test_an_erased_members_cards_leave_the_cases(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, measure="issues", subject=["card"], most=0)
    anna = await world.member("97520001")
    await world.ask(IssueBody(receipt=receipt(), occurred_at=at, card="97520001", points=5))
    await watch(world)
    (case,) = await open_cases()
    async with transaction() as connection:
        exported = [piece async for piece in keeping.export(connection, MemberId(anna), at)]
        rows = [row async for row in exported[0][1]]  # type: ignore[attr-defined]  # an iterator
        for _ in range(2):
            await keeping.erase(connection, MemberId(anna), at)
    assert [row["id"] for row in rows] == [case.id]
    (erased,) = await open_cases()
    assert erased.subject == f"card:erased/{case.id}"
