"""Adjustments: two of the staff give points to a member, or take some; everything says so after."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from coalition.federation.refusals import UnknownPartner
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import audit
from coalition.ledger.refusals import NotEnoughPoints, UnknownHolder
from coalition.members import service as members
from coalition.oversight import approvals
from coalition.oversight.refusals import ReasonNeeded, SecondPersonNeeded
from coalition.points import adjusting, history
from coalition.points.commands import IssueBody, RedeemBody
from coalition.points.refusals import InvalidAdjustment, NotInContract
from tests.points.world import ACTOR, TERMS, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

ANNA, BO = "staff:anna", "staff:bo"


async def lots() -> list[tuple[object, ...]]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT issuer_no, contract_no, funder_no, issue_price, expires_on, "
            "points_in - points_out FROM lot ORDER BY id"
        )
    return [tuple(row) for row in rows]


async def test_the_operator_gives_points_that_nobody_pays_for(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    approval = await adjusting.prepare(
        member=member, points=50, reason="sorry", prepared_by=ANNA, at=at
    )
    assert await lots() == []
    with pytest.raises(SecondPersonNeeded):
        await adjusting.approve(approval, approved_by=ANNA, at=at)
    adjusted = await adjusting.approve(approval, approved_by=BO, at=at)
    assert (adjusted.points, adjusted.balance) == (50, 50)
    assert await lots() == [(0, 0, 0, Decimal(0), None, 50)]
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT kind, account, account_partner_no, direction, points, reason FROM posting"
        )
        events = await connection.fetchval("SELECT count(*) FROM outbox")
    assert tuple(row or ()) == (5, 4, 0, 1, 50, "sorry")
    assert events == 1
    assert (await audit.run()).breaches == []


async def test_points_of_the_operator_are_spent_like_any_and_shown_to_the_partner(
    at: datetime,
) -> None:
    world = await make_world(at)
    member = await world.member()
    soon = (at + timedelta(days=3)).date()
    await adjusting.adjust(
        member=member,
        points=50,
        reason="sorry",
        prepared_by=ANNA,
        approved_by=BO,
        at=at,
        expires_on=soon,
    )
    spent = await world.ask(
        RedeemBody(receipt=receipt(), occurred_at=at, points=30, member_id=member)
    )
    page = await history.list_postings(
        partner_no=world.grocer, terms=await world.tills.terms(), cursor=None, limit=10
    )
    assert str(page.items[0].posting_id) == spent["posting_id"]
    assert [(lot.issuer_id, lot.points, lot.expires_on) for lot in page.items[0].lots] == [
        (None, 30, soon)
    ]


async def test_a_partner_gives_under_its_contract(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    await adjusting.adjust(
        member=member,
        points=20,
        reason="a lost receipt",
        prepared_by=ANNA,
        approved_by=BO,
        at=at,
        partner_no=world.grocer,
    )
    (lot,) = await lots()
    assert (lot[0], lot[2], lot[3], lot[5]) == (world.grocer, world.grocer, Decimal("0.01"), 20)
    assert lot[4] is not None
    page = await history.list_postings(
        partner_no=world.grocer, terms=await world.tills.terms(), cursor=None, limit=10
    )
    (shown,) = page.items
    assert (shown.kind, shown.points) == (history.PostingKind.ADJUSTMENT, 20)
    assert shown.reasons[0].text == "a lost receipt"
    assert (await audit.run()).breaches == []


async def test_a_partner_that_issues_no_points_gives_none(at: datetime) -> None:
    world = await make_world(at, terms=msgspec.structs.replace(TERMS, issues=False))
    member = await world.member()
    with pytest.raises(NotInContract):
        await adjusting.prepare(
            member=member,
            points=5,
            reason="x",
            prepared_by=ANNA,
            at=at,
            partner_no=world.grocer,
        )


async def test_points_are_taken_in_spending_order_and_never_below_zero(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    await world.ask(IssueBody(receipt=receipt(), occurred_at=at, points=40, member_id=member))
    approval = await adjusting.prepare(
        member=member, points=-30, reason="a mistake", prepared_by=ANNA, at=at
    )
    taken = await adjusting.approve(approval, approved_by=BO, at=at)
    assert (taken.points, taken.balance) == (-30, 10)
    with pytest.raises(NotEnoughPoints) as refused:
        await adjusting.adjust(
            member=member,
            points=-11,
            reason="a mistake",
            prepared_by=ANNA,
            approved_by=BO,
            at=at,
        )
    assert refused.value.facts == {"points": 11, "balance": 10}
    assert await approvals.waiting(at=at, kind=adjusting.KIND) == ()
    assert (await audit.run()).breaches == []


async def test_what_is_refused_on_approval_still_waits(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    approval = await adjusting.prepare(
        member=member, points=-5, reason="a mistake", prepared_by=ANNA, at=at
    )
    with pytest.raises(NotEnoughPoints):
        await adjusting.approve(approval, approved_by=BO, at=at)
    await world.ask(IssueBody(receipt=receipt(), occurred_at=at, points=40, member_id=member))
    assert (await adjusting.approve(approval, approved_by=BO, at=at)).balance == 35


async def test_what_cannot_be_adjusted_is_refused_at_once(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    yesterday = (at - timedelta(days=1)).date()
    fine = {"member": member, "points": 5, "reason": "x", "prepared_by": ANNA, "at": at}
    for refusal, wrong in (
        (InvalidAdjustment, {"points": 0}),
        (InvalidAdjustment, {"points": 2**31}),
        (InvalidAdjustment, {"points": -5, "partner_no": world.grocer}),
        (InvalidAdjustment, {"points": -5, "expires_on": at.date()}),
        (InvalidAdjustment, {"partner_no": world.grocer, "expires_on": at.date()}),
        (InvalidAdjustment, {"expires_on": yesterday}),
        (ReasonNeeded, {"reason": " "}),
        (UnknownPartner, {"partner_no": 99}),
        (UnknownHolder, {"member": random_id()}),
    ):
        with pytest.raises(refusal):
            await adjusting.prepare(**(fine | wrong))  # type: ignore[arg-type]  # one is wrong
    await members.freeze(MemberId(member), actor=ACTOR, at=at)
    with pytest.raises(Exception, match="frozen"):
        await adjusting.prepare(**fine)  # type: ignore[arg-type]  # all are right
