"""What benefits keep of a member: copied, ended with it, forgotten, and never merged away."""

from datetime import datetime

import pytest

from billing.benefits import entitlement_rows, granting, keeping
from billing.benefits.refusals import PlanOfMerged
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from tests.billing.benefits.world import MONTHLY, Club, day, make_club, plan

pytestmark = pytest.mark.usefixtures("database")


async def club(at: datetime) -> Club:
    anna = await make_club(at, plan("plus", MONTHLY))
    await anna.apply(anna.entitled(day(1), at), anna.entitled(at, day(1, 12)), at=at)
    await granting.grant_due(at)
    return anna


async def test_a_member_has_a_copy_of_all_of_it(at: datetime) -> None:
    anna = await club(at)
    async with transaction() as connection:
        kept = [piece async for piece in keeping.KEEPER.export(connection, anna.member, at)]
    told = dict(kept)
    assert [sorted(name for name, _ in kept)] == [
        ["benefit_points", "benefit_uses", "entitlements"]
    ]
    assert told["benefit_points"] == [
        {"benefit": "monthly", "points": 100, "granted_at": at, "taken_back_at": None}
    ]


async def test_who_leaves_is_entitled_to_nothing_and_given_nothing(at: datetime) -> None:
    anna = await club(at)
    async with transaction() as connection:
        await keeping.leave(connection, anna.member, at)
        held = await entitlement_rows.read(connection, anna.member)
    assert [(one.begins, one.ends) for _, one in held] == [(day(1), at)]
    assert await granting.grant_due(day(25, 12)) == 0


async def test_who_is_forgotten_leaves_what_was_given_in_the_books(at: datetime) -> None:
    anna = await club(at)
    async with transaction() as connection:
        for _ in range(2):
            await keeping.KEEPER.erase(connection, anna.member, at)
        assert len(await entitlement_rows.read(connection, anna.member)) == 2
        assert await connection.fetchval("SELECT sum(points) FROM benefit_grant") == 100


async def test_nobody_is_merged_away_while_a_plan_holds(at: datetime) -> None:
    anna = await club(at)
    other = MemberId(await anna.world.member())
    async with transaction() as connection:
        with pytest.raises(PlanOfMerged):
            await keeping.take_over(connection, anna.member, other, at)
        await keeping.take_over(connection, other, anna.member, at)
        await keeping.take_over(connection, anna.member, other, day(1, 12))
