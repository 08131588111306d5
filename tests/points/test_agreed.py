"""What is agreed for one issue beside contract and rules: its last day, and who pays for it."""

from datetime import datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from coalition.federation.refusals import NoContract
from coalition.kernel.database import transaction
from coalition.points.commands import Agreed, IssueBody
from tests.points.world import World, answered, day, make_world, receipt

_LOTS = "SELECT funder_no, points_in, expires_on, prefunded_share FROM lot ORDER BY funder_no"


async def issue(world: World, points: int, agreed: Agreed) -> list[tuple[object, ...]]:
    """Issue points as agreed; return the lots by funder: number, points, last day, share."""
    member: UUID = await world.member()
    body = IssueBody(receipt=receipt(), occurred_at=world.at, member_id=member, points=points)
    request = world.request(body)
    answered(await world.tills.post(replace(request, asked=replace(request.asked, agreed=agreed))))
    async with transaction() as connection:
        return [tuple(row) for row in await connection.fetch(_LOTS)]


@pytest.mark.usefixtures("database")
async def test_an_issue_ends_on_the_day_that_was_agreed_for_it(at: datetime) -> None:
    world = await make_world(at)

    ((funder, points, last_day, _),) = await issue(world, 70, Agreed(day("2026-12-24")))

    assert (funder, points, last_day) == (world.grocer, 70, day("2026-12-24"))


@pytest.mark.usefixtures("database")
async def test_funders_pay_whole_points_by_weight_and_largest_remainder(at: datetime) -> None:
    world = await make_world(at)

    lots = await issue(world, 100, Agreed(funding=((0, 2), (world.grocer, 1), (world.fuel, 3))))

    # 100 by 2 : 1 : 3 is 33.33, 16.67 and 50.
    assert [lot[:2] for lot in lots] == [(0, 33), (world.grocer, 17), (world.fuel, 50)]
    # The operator pays at issue, the partners as their contracts say; the expiry is the contract's.
    assert [lot[3] for lot in lots] == [1, 1, 1]
    assert {lot[2] for lot in lots} == {day("2027-11-30")}


@pytest.mark.usefixtures("database")
async def test_a_share_of_no_point_is_no_lot(at: datetime) -> None:
    world = await make_world(at)

    lots = await issue(world, 1, Agreed(funding=((world.grocer, 1), (world.fuel, 1))))

    assert [lot[:2] for lot in lots] == [(world.grocer, 1)]


@pytest.mark.usefixtures("database")
async def test_a_funder_has_a_contract(at: datetime) -> None:
    world = await make_world(at)

    with pytest.raises(NoContract):
        await issue(world, 10, Agreed(funding=((99, 1),)))
