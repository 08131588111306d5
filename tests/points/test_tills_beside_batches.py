"""Tills beside batches of lines: what both lock is locked in one order, and counted once."""

import asyncio
from datetime import datetime

import pytest
from msgspec.structs import replace

from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer
from coalition.ledger import audit
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED_FOR_LINES, POSTER_ROLE
from coalition.ledger.refusals import DuplicateReceipt
from coalition.points.commands import Command, IssueBody, RedeemBody
from tests.points.world import TERMS, World, answered, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_IMPATIENT = PINNED_FOR_LINES | {"lock_timeout": "200ms"}


def sent(world: World, *commands: Command) -> list[asyncio.Future[Answer | Refused]]:
    """Send commands that come together; the futures hold answers, or refusals."""

    async def answer(command: Command) -> Answer | Refused:
        try:
            return await world.tills.post(world.request(command))
        except Refused as refusal:
            return refusal

    return [asyncio.ensure_future(answer(command)) for command in commands]


async def is_waited(connection: Connection) -> None:
    """Return when another session waits for a lock."""
    while not await connection.fetchval(_WAITING):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.005)


async def post_lines(world: World, connection: Connection, *commands: Command) -> None:
    asked = [world.asked(command) for command in commands]
    answers = await world.tills.post_lines(connection, asked, world.at)
    assert not any(isinstance(answer, Refused) for answer in answers)


@pytest.mark.parametrize("months", [None, 6], ids=["no clock", "a clock"])
async def test_who_waits_for_a_receipt_keeps_no_lot_from_others(
    at: datetime, months: int | None
) -> None:
    world = await make_world(at, terms=replace(TERMS, inactivity_months=months))
    anna, bo = await world.member(), await world.member()
    await world.ask(IssueBody(receipt(), at, member_id=anna, points=1))
    used = receipt()
    await ensure_partition(at)
    async with transaction(_IMPATIENT, role=POSTER_ROLE) as connection:
        await post_lines(world, connection, IssueBody(used, at, member_id=bo, points=10))
        crowd = sent(
            world,
            IssueBody(receipt(), at, member_id=anna, points=10),
            IssueBody(used, at, member_id=anna, points=10),
        )
        await is_waited(connection)
        await post_lines(world, connection, IssueBody(receipt(), at, member_id=anna, points=5))
    posted, refused = await asyncio.gather(*crowd)
    assert answered(posted)["balance"] == 16
    assert isinstance(refused, DuplicateReceipt)
    assert (await audit.run()).breaches == []


async def test_what_is_redeemed_comes_out_of_lots_that_have_grown_meanwhile(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = await world.member(), await world.member()
    for member in (anna, bo):
        await world.ask(IssueBody(receipt(), at, member_id=member, points=100))
    await ensure_partition(at)
    async with transaction(_IMPATIENT, role=POSTER_ROLE) as connection:
        await post_lines(world, connection, IssueBody(receipt(), at, member_id=anna, points=10))
        crowd = sent(
            world,
            RedeemBody(receipt(), at, 70, member_id=anna),
            IssueBody(receipt(), at, member_id=bo, points=7),
        )
        await is_waited(connection)
    redeemed, issued = await asyncio.gather(*crowd)
    assert answered(redeemed)["balance"] == 30, "what was given meanwhile is not in it"
    assert answered(issued)["balance"] == 107
    assert [(await world.tills.balance(one)).balance for one in (anna, bo)] == [40, 107]
    assert (await audit.run()).breaches == []
