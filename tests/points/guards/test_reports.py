"""Reports over many postings: ratios by cashier, and sales that look posted twice."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.points.commands import ReverseBody
from coalition.points.guards import reports
from tests.points.guards.world import issue, quiet_world, redeem, rich

pytestmark = pytest.mark.usefixtures("database")


async def test_a_cashier_who_gives_to_one_card_stands_out(at: datetime) -> None:
    world = await quiet_world(at)
    mine, others = await world.member(), [await world.member() for _ in range(3)]
    for member in (*others, mine, mine):
        await world.ask(issue(member, 100, at, cashier="kim"))
    made = await world.ask(issue(mine, 400, at, cashier="kim"))
    await world.ask(ReverseBody(cashier="alex"), target=UUID(made["posting_id"]))
    await world.ask(redeem(mine, 50, at, cashier="alex"))
    await world.ask(issue(mine, 1, at), partner_no=world.fuel)
    async with transaction() as connection:
        found = await reports.by_cashier(connection, at - timedelta(days=30))
        elsewhere = await reports.by_cashier(
            connection, at - timedelta(days=30), partner_no=world.fuel
        )
        later = await reports.by_cashier(connection, at + timedelta(minutes=1))
    assert (elsewhere, later) == ([], [])
    kim, alex = sorted(found, key=lambda one: one.cashier, reverse=True)
    assert (kim.cashier, kim.issues, kim.issued_points, kim.members) == ("kim", 6, 900, 4)
    assert (kim.manual_percent, kim.member, kim.member_percent) == (100, mine, 66)
    assert (alex.cashier, alex.redemptions, alex.redeemed_points) == ("alex", 1, 50)
    assert (alex.reversals, alex.reversal_percent) == (1, 100)
    assert (alex.manual_percent, alex.member_percent) == (0, 0)


async def test_the_same_sale_on_two_receipts_within_minutes_is_reported(at: datetime) -> None:
    world = await quiet_world(at)
    anna, bo = await rich(world), await rich(world)
    early, late = at - timedelta(minutes=20), at - timedelta(minutes=12)
    await asyncio.gather(
        world.ask(redeem(anna, 70, early, receipt="A1")),
        world.ask(redeem(anna, 70, late, receipt="A2")),
        world.ask(redeem(anna, 71, late, receipt="A3")),
        world.ask(redeem(bo, 70, late, receipt="A4")),
        world.ask(redeem(anna, 70, at, receipt="A5")),
        world.ask(redeem(anna, 70, late, receipt="A6"), partner_no=world.fuel),
    )

    async def pairs(minutes: int) -> list[tuple[str, str]]:
        async with transaction() as connection:
            found = await reports.nearly_twice(
                connection, at - timedelta(days=1), within=timedelta(minutes=minutes)
            )
        assert {one.member for one in found} <= {anna}
        return sorted((one.first_receipt, one.second_receipt) for one in found)

    assert await pairs(7) == []
    assert await pairs(10) == [("A1", "A2")]
    assert await pairs(12) == [("A1", "A2"), ("A2", "A5")]
