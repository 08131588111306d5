"""Transfers in a member's own history; a partner is told of none, since none of them is its own."""

from datetime import datetime
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger.refusals import UnknownPosting
from coalition.points import history
from coalition.points.commands import IssueBody
from coalition.points.history import Direction, PostingKind, PostingView
from tests.ledger.transfer_world import moved, transfer, undo
from tests.points.world import World, make_world

pytestmark = pytest.mark.usefixtures("database")


async def of_member(world: World, member: UUID) -> list[tuple[int, PostingView]]:
    terms = await world.tills.terms()
    async with transaction() as connection:
        return await history.list_of_member(
            connection, member, terms=terms, after=UUID(int=0), limit=20
        )


async def test_a_member_sees_what_it_sent_and_what_that_cost(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = await world.member(), await world.member()
    await world.ask(IssueBody("r1", at, member_id=anna, points=100))
    made = await moved(transfer(anna, bo, 60, at, fee=5), at)
    shown = {view.kind: (partner_no, view) for partner_no, view in await of_member(world, anna)}
    partner_no, sent = shown[PostingKind.TRANSFER]
    assert (partner_no, sent.points, sent.direction) == (0, 60, Direction.DEBIT)
    assert (sent.linked, sent.store, sent.receipt) == (made.into_posting, None, None)
    assert [reason.points for reason in sent.reasons] == [60]
    _, fee = shown[PostingKind.FEE]
    assert (fee.points, fee.direction, fee.linked) == (5, Direction.DEBIT, made.posting)
    ((_, received),) = await of_member(world, bo)
    assert (received.kind, received.points) == (PostingKind.TRANSFER, 60)
    assert received.direction is Direction.CREDIT
    assert [lot.points for lot in received.lots] == [60]


async def test_a_member_sees_that_a_transfer_was_undone(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = await world.member(), await world.member()
    await world.ask(IssueBody("r1", at, member_id=anna, points=100))
    made = await moved(transfer(anna, bo, 60, at), at)
    await moved(undo(made, at), at)
    shown = {view.kind: view for _, view in await of_member(world, anna)}
    assert shown[PostingKind.TRANSFER].reversed_points == 60
    assert shown[PostingKind.REVERSAL].reverses == made.posting
    assert shown[PostingKind.REVERSAL].direction is Direction.CREDIT


async def test_no_partner_sees_a_transfer(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = await world.member(), await world.member()
    await world.ask(IssueBody("r1", at, member_id=anna, points=100))
    made = await moved(transfer(anna, bo, 60, at, fee=5), at)
    terms = await world.tills.terms()
    for partner_no in (world.grocer, world.fuel):
        page = await history.list_postings(
            partner_no=partner_no, terms=terms, cursor=None, limit=10
        )
        assert {view.kind for view in page.items} <= {PostingKind.ISSUE}
        with pytest.raises(UnknownPosting):
            await history.show_posting(made.posting, partner_no=partner_no, terms=terms)
