"""Returns of what a member bought who was merged since: the survivor is told, and caps count."""

from datetime import datetime
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.ledger import audit
from coalition.ledger import merging as ledger
from coalition.ledger.partitions import ensure_partition
from coalition.points import merging
from coalition.points.commands import (
    IssueBody,
    Purchase,
    PurchaseLine,
    RedeemBody,
    ReturnedLine,
    ReverseBody,
)
from tests.points.bonuses.world import activated, document
from tests.points.world import World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


def purchase(world: World, member: UUID) -> IssueBody:
    bought = Purchase(amount_minor=1_000, currency="SEK")
    return IssueBody(receipt(), world.at, member_id=member, purchase=bought)


async def merge(gone: UUID, kept: UUID, at: datetime) -> None:
    await ensure_partition(at)
    async with transaction() as connection:
        await ledger.merge(connection, from_holder=gone, into_holder=kept, at=at, today=at.date())
        await merging.take_over(connection, MemberId(gone), MemberId(kept), at)


async def used(member: UUID) -> int:
    async with transaction() as connection:
        found = await connection.fetchval(
            "SELECT sum(points)::int8 FROM earning_usage WHERE member = $1", member
        )
    assert isinstance(found, int)
    return found


async def test_the_survivor_may_earn_again_what_a_return_gave_back_of_a_cap(at: datetime) -> None:
    world = await make_world(at)
    effect = {"kind": "bonus", "points": 30}
    await activated(document("capped", effect=effect, caps={"day": 50}), at)
    anna, double = await world.member(), await world.member()
    made = await world.ask(purchase(world, double))
    await world.ask(purchase(world, anna))
    await merge(double, anna, at)
    assert await used(anna) == 60
    answer = await world.ask(ReverseBody(), target=UUID(made["posting_id"]))
    assert (answer["member_id"], answer["points"], answer["balance"]) == (str(anna), 40, 40)
    assert await used(anna) == 30
    assert (await world.ask(purchase(world, anna)))["points"] == 30
    assert (await audit.run()).ok


async def test_a_line_goes_back_and_one_without_points_names_the_survivor(at: datetime) -> None:
    world = await make_world(at)
    anna, double = await world.member(), await world.member()
    lines = [PurchaseLine(amount_minor=1_000), PurchaseLine(amount_minor=10)]
    bought = structs.replace(
        purchase(world, double), purchase=Purchase(amount_minor=1_010, currency="SEK"), lines=lines
    )
    made = await world.ask(bought)
    assert made["points"] == 10
    await merge(double, anna, at)
    target = UUID(made["posting_id"])
    nothing = await world.ask(ReverseBody(lines=[ReturnedLine(2)]), target=target)
    assert nothing["posting_id"] is None
    assert (nothing["member_id"], nothing["balance"]) == (str(anna), 10)
    back = await world.ask(ReverseBody(lines=[ReturnedLine(1)]), target=target)
    assert (back["member_id"], back["points"], back["balance"]) == (str(anna), 10, 0)
    assert (await audit.run()).ok


async def test_a_payment_by_points_comes_back_to_the_survivor(at: datetime) -> None:
    world = await make_world(at)
    anna, double = await world.member(), await world.member()
    await world.ask(purchase(world, double))
    paid = await world.ask(RedeemBody(receipt(), at, 7, double))
    await merge(double, anna, at)
    back = await world.ask(ReverseBody(points=5), target=UUID(paid["posting_id"]))
    assert (back["member_id"], back["points"], back["balance"]) == (str(anna), 5, 8)
    assert (await audit.run()).ok
