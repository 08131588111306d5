"""Debts at the till and in staff's hands: what a contract says of points that were spent."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from coalition.federation import contracts
from coalition.federation.terms import ReversalPolicy
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import audit
from coalition.ledger.refusals import NotEnoughPoints, NothingOwed, UnknownHolder
from coalition.members import service as members
from coalition.oversight.refusals import ReasonNeeded, SecondPersonNeeded
from coalition.points import debts
from coalition.points.commands import IssueBody, RedeemBody, ReverseBody
from coalition.points.debts import Act
from tests.points.world import ACTOR, TERMS, World, answered, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

ANNA, BO = "staff:anna", "staff:bo"
RECOVER = msgspec.structs.replace(TERMS, reversal_policy=ReversalPolicy.RECOVER, recover_percent=50)
DEBT = msgspec.structs.replace(TERMS, reversal_policy=ReversalPolicy.DEBT)


async def issued(world: World, member: UUID, points: int, **more: Any) -> Any:
    body = IssueBody(receipt=receipt(), occurred_at=world.at, points=points, member_id=member)
    return await world.ask(body, **more)


async def spent(world: World, member: UUID, points: int) -> Any:
    body = RedeemBody(receipt=receipt(), occurred_at=world.at, points=points, member_id=member)
    return await world.ask(body, partner_no=world.fuel)


async def in_debt(world: World, *, points: int = 100, left: int = 30) -> tuple[UUID, UUID]:
    """Return a member who owes, and the issue that was reversed."""
    member = await world.member()
    made = await issued(world, member, points)
    await spent(world, member, points - left)
    target = UUID(made["posting_id"])
    await world.ask(ReverseBody(), target=target)
    return member, target


async def check_books() -> None:
    assert (await audit.run()).breaches == []


async def test_the_till_hears_what_went_back_and_what_is_owed(at: datetime) -> None:
    world = await make_world(at, terms=RECOVER)
    member = await world.member()
    made = await issued(world, member, 100)
    await spent(world, member, 70)
    answer = await world.ask(ReverseBody(reason="goods back"), target=UUID(made["posting_id"]))
    assert answer["posting_id"] is not None
    assert (answer["points"], answer["debt"], answer["balance"]) == (30, 70, 0)
    assert answer["reasons"] == [
        {"rule": "reversal", "points": 30, "text": "goods back"},
        {"rule": "debt", "points": 70, "text": "spent before, so they are owed"},
    ]
    await check_books()


async def test_a_debt_without_a_posting_is_answered_200_and_again_the_same(at: datetime) -> None:
    world = await make_world(at, terms=DEBT)
    member = await world.member()
    made = await issued(world, member, 100)
    await spent(world, member, 100)
    request = world.request(ReverseBody(), target=UUID(made["posting_id"]), key="once")
    first = await world.tills.post(request)
    again = await world.tills.post(request)
    assert (first.status, again.status, again.replayed) == (200, 200, True)
    assert again.body == first.body
    said = answered(first)
    assert (said["posting_id"], said["points"], said["debt"]) == (None, 0, 100)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT sum(booked)::int FROM debt") == 100
    await check_books()


async def test_the_contract_of_the_issue_decides_and_not_that_of_today(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    made = await issued(world, member, 100)
    await spent(world, member, 100)
    approval = await contracts.prepare(
        partner_no=world.grocer,
        terms=DEBT,
        valid_from=(at + timedelta(days=1)).date(),
        prepared_by=ANNA,
        at=at,
    )
    await contracts.sign(approval, approved_by=BO, at=at)
    world.clock.advance(timedelta(days=2))
    refused = await world.ask(ReverseBody(), target=UUID(made["posting_id"]))
    assert refused.code == "points_already_spent"
    later = await issued(world, member, 40)
    await spent(world, member, 40)
    owed = await world.ask(ReverseBody(), target=UUID(later["posting_id"]))
    assert owed["debt"] == 40
    await check_books()


async def test_a_later_issue_says_what_it_paid(at: datetime) -> None:
    world = await make_world(at, terms=RECOVER)
    member, _ = await in_debt(world)
    answer = await issued(world, member, 61, partner_no=world.fuel)
    assert (answer["points"], answer["balance"]) == (61, 31)
    assert [(reason["rule"], reason["points"]) for reason in answer["reasons"]] == [
        ("given", 61),
        ("recovery", -30),
    ]
    balance = await world.tills.balance(member)
    assert (balance.balance, balance.debt) == (31, 40)
    await check_books()


async def test_the_event_counts_the_postings_that_paid(at: datetime) -> None:
    world = await make_world(at, terms=RECOVER)
    member, _ = await in_debt(world)
    await issued(world, member, 60)
    async with transaction() as connection:
        payload = await connection.fetchval(
            "SELECT payload FROM outbox WHERE kind = 'points.posted' ORDER BY id DESC LIMIT 1"
        )
    assert msgspec.json.decode(payload)["postings"] == 2


async def test_staff_let_points_pay_two_persons_together(at: datetime) -> None:
    world = await make_world(at, terms=DEBT)
    member, issue = await in_debt(world)
    await issued(world, member, 50)
    approval = await debts.prepare(
        act=Act.RECOVER, member=member, reason="agreed", prepared_by=ANNA, at=at
    )
    with pytest.raises(SecondPersonNeeded):
        await debts.approve(approval, approved_by=ANNA, at=at)
    settled = await debts.approve(approval, approved_by=BO, at=at)
    assert (settled.points, settled.owes) == (50, 20)
    (left,) = await debts.list_open(member)
    assert (left.posting, left.issuer_no, left.points) == (issue, world.grocer, 20)
    await check_books()


async def test_staff_write_a_debt_off_also_of_a_frozen_member(at: datetime) -> None:
    world = await make_world(at, terms=RECOVER)
    member, issue = await in_debt(world)
    await members.freeze(MemberId(member), actor=ACTOR, at=at)
    wanted = {"act": Act.WRITE_OFF, "member": member, "prepared_by": ANNA, "at": at}
    for points in (20, None):
        approval = await debts.prepare(
            **wanted,  # type: ignore[arg-type]  # the same each time
            points=points,
            issue=issue,
            reason="hardship",
        )
        settled = await debts.approve(approval, approved_by=BO, at=at)
        assert settled.owes == (50 if points else 0)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT points, actor, reason, posting FROM debt_entry WHERE kind = 3 ORDER BY points"
        )
    assert [tuple(row) for row in rows] == [
        (20, BO, "hardship", None),
        (50, BO, "hardship", None),
    ]
    assert await debts.list_open() == []
    await check_books()


async def test_what_staff_cannot_do_is_refused(at: datetime) -> None:
    world = await make_world(at, terms=DEBT)
    member, issue = await in_debt(world)
    fine = {
        "act": Act.RECOVER,
        "member": member,
        "reason": "agreed",
        "prepared_by": ANNA,
        "at": at,
    }
    for refusal, wrong in (
        (NothingOwed, {"points": 71}),
        (NothingOwed, {"issue": random_id()}),
        (NothingOwed, {"currency_no": 2}),
        (NothingOwed, {"member": await world.member()}),
        (UnknownHolder, {"member": random_id()}),
        (ReasonNeeded, {"reason": ""}),
    ):
        with pytest.raises(refusal):
            await debts.prepare(**(fine | wrong))  # type: ignore[arg-type]  # one is wrong
    recover = await debts.prepare(**fine)  # type: ignore[arg-type]  # all are right
    with pytest.raises(NotEnoughPoints):
        await debts.approve(recover, approved_by=BO, at=at)
    write_off = await debts.prepare(**(fine | {"act": Act.WRITE_OFF}))  # type: ignore[arg-type]  # likewise
    await debts.approve(write_off, approved_by=BO, at=at)
    with pytest.raises(NothingOwed):
        await debts.approve(recover, approved_by=BO, at=at)
    assert issue is not None


async def test_two_tills_reverse_one_issue_at_once_and_a_third_issues(at: datetime) -> None:
    world = await make_world(at, terms=RECOVER)
    member = await world.member()
    made = await issued(world, member, 100)
    await spent(world, member, 70)
    houses = [world.more_tills() for _ in range(4)]
    target = UUID(made["posting_id"])
    answers = await asyncio.gather(
        *(world.ask(ReverseBody(), target=target, tills=house) for house in houses),
        *(issued(world, member, 20, tills=house) for house in houses),
    )
    done = [answer for answer in answers[:4] if isinstance(answer, dict)]
    assert len(done) == 1
    assert done[0]["points"] + done[0]["debt"] == 100
    await check_books()
