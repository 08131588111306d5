"""What a partner is told of a receipt afterwards: all that it earned and paid, once, no more."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from coalition.federation import stores
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from coalition.points import history
from coalition.points.commands import Command, IssueBody, RedeemBody
from coalition.points.history import PostingKind
from tests.points.world import ACTOR, World, make_world

pytestmark = pytest.mark.usefixtures("database")


async def post_at_once(world: World, commands: list[Command], store_no: int | None = None) -> None:
    """Post `commands` in one batch; none is refused."""
    await ensure_partition(world.at)
    asked = [replace(world.asked(command), store_no=store_no) for command in commands]
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        answers = await world.tills.post_lines(connection, asked, world.at)
    assert not [answer for answer in answers if isinstance(answer, Refused)]


async def on_receipt(
    world: World, at: datetime, *, store: str | None = None, bound_no: int | None = None
) -> list[tuple[PostingKind, int]]:
    terms = await world.tills.terms()
    page = await history.list_on_receipt(
        partner_no=world.grocer,
        terms=terms,
        store=store,
        receipt="r1",
        day=terms.day(at),
        bound_no=bound_no,
    )
    return sorted((view.kind, view.points) for view in page.items)


async def test_a_receipt_that_earned_and_paid_in_one_batch_lists_each_posting_once(
    at: datetime,
) -> None:
    world = await make_world(at)
    anna = await world.member()
    await post_at_once(
        world,
        [
            IssueBody("r1", at, member_id=anna, points=30),
            RedeemBody("r1", at, 20, member_id=anna),
        ],
    )
    assert await on_receipt(world, at) == [(PostingKind.ISSUE, 30), (PostingKind.REDEEM, 20)]


async def test_another_days_posting_of_the_same_number_and_batch_is_another_receipt(
    at: datetime,
) -> None:
    world = await make_world(at)
    anna = await world.member()
    midnight = at.replace(hour=23) - timedelta(days=1)  # in Stockholm, where the coalition is
    moments = (midnight - timedelta(seconds=1), midnight)
    await post_at_once(
        world,
        [
            IssueBody("r1", moment, member_id=anna, points=points)
            for moment, points in zip(moments, (10, 20), strict=True)
        ],
    )
    assert [await on_receipt(world, moment) for moment in moments] == [
        [(PostingKind.ISSUE, 10)],
        [(PostingKind.ISSUE, 20)],
    ]


async def test_a_client_that_is_bound_to_a_store_finds_its_own_receipts(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    store = await stores.create_store(
        partner_no=world.grocer, code="north", name="north", actor=ACTOR, at=at
    )
    await post_at_once(world, [IssueBody("r1", at, member_id=anna, points=10)], store.no)
    earned = [(PostingKind.ISSUE, 10)]
    assert await on_receipt(world, at, bound_no=store.no) == earned
    assert await on_receipt(world, at) == []
    await stores.close_store(store_no=store.no, reason="sold", actor=ACTOR, at=at)
    assert await on_receipt(world, at, store="north") == earned
