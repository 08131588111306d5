"""What will expire when: asked for by tills, forecast for staff, told to members in time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from coalition.federation.terms import ExpiryRule
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.ledger import audit, endings, expiry, holders, merging
from coalition.ledger.refusals import UnknownHolder
from coalition.points import expiring
from coalition.points.commands import HoldBody, IssueBody, RedeemBody
from coalition.points.expiring import EXPIRING
from tests.points.world import TERMS, World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def world_with(at: datetime = NOON, **changes: object) -> World:
    """Return a world whose partners have signed these terms."""
    return await make_world(at, terms=msgspec.structs.replace(TERMS, **changes))


def move_to(world: World, at: datetime) -> None:
    world.clock = FixedClock(at)
    world.tills = world.more_tills()


async def issue(world: World, member: UUID, points: int) -> Any:
    return await world.ask(
        IssueBody(receipt=receipt(), occurred_at=world.at, member_id=member, points=points)
    )


async def redeem(world: World, member: UUID, points: int) -> Any:
    return await world.ask(
        RedeemBody(receipt=receipt(), occurred_at=world.at, member_id=member, points=points)
    )


async def notify(world: World, at: datetime) -> int:
    return await expiring.notify((await world.tills.terms()).catalogue, at)


async def told() -> list[tuple[object, ...]]:
    """Return what the outbox tells of expiry: the day, how many days before, the points."""
    async with transaction() as connection:
        rows = await connection.fetch("SELECT payload FROM outbox WHERE kind = $1", EXPIRING)
    facts = [msgspec.json.decode(row[0]) for row in rows]
    return sorted((one["expires_on"], one["days_before"], one["points"]) for one in facts)


async def ends(world: World, member: UUID) -> list[tuple[str, int]]:
    answer = await world.tills.expiring(member)
    return [(one.expires_on.isoformat(), one.points) for one in answer.expiring]


@pytest.mark.parametrize(
    ("rule", "months", "last"),
    [
        (ExpiryRule.MONTHS, 3, "2027-02-21"),
        (ExpiryRule.END_OF_MONTH, 3, "2027-02-28"),
        (ExpiryRule.END_OF_YEAR, 3, "2027-12-31"),
        (ExpiryRule.END_OF_YEAR, 0, "2026-12-31"),
    ],
)
async def test_points_end_by_the_rule_of_their_contract(
    rule: ExpiryRule, months: int, last: str
) -> None:
    world = await world_with(expiry_rule=rule, expiry_months=months)
    anna = await world.member()
    made = await issue(world, anna, 100)
    assert made["lots"] == [{"points": 100, "expires_on": last}]
    assert await ends(world, anna) == [(last, 100)]


async def test_points_of_a_clock_end_later_with_each_activity() -> None:
    world = await world_with(expiry_months=None, inactivity_months=6)
    anna = await world.member()
    await issue(world, anna, 100)
    assert await ends(world, anna) == [("2027-05-21", 100)]
    move_to(world, NOON + timedelta(days=100))
    await redeem(world, anna, 40)
    assert await ends(world, anna) == [("2027-09-01", 60)]


async def test_both_clocks_end_points_at_the_first() -> None:
    world = await world_with(expiry_rule=ExpiryRule.MONTHS, expiry_months=8, inactivity_months=6)
    anna = await world.member()
    await issue(world, anna, 100)
    assert await ends(world, anna) == [("2027-05-21", 100)]
    move_to(world, NOON + timedelta(days=100))
    await issue(world, anna, 1)
    assert await ends(world, anna) == [("2027-07-21", 100), ("2027-09-01", 1)]


async def test_what_is_held_is_not_among_what_ends() -> None:
    world = await world_with(expiry_rule=ExpiryRule.MONTHS, expiry_months=1)
    anna = await world.member()
    await issue(world, anna, 100)
    await world.ask(HoldBody(receipt=receipt(), occurred_at=NOON, member_id=anna, points=30))
    assert await ends(world, anna) == [("2026-12-21", 70)]
    with pytest.raises(UnknownHolder):
        await world.tills.expiring(UUID(int=3))


async def test_a_merged_member_is_told_what_ends_of_the_survivor() -> None:
    world = await world_with(expiry_rule=ExpiryRule.MONTHS, expiry_months=1)
    old, new = await world.member(), await world.member()
    await issue(world, old, 100)
    async with transaction() as connection:
        await merging.merge(
            connection, from_holder=old, into_holder=new, at=NOON, today=NOON.date()
        )
    answer = await world.tills.expiring(old)
    assert (answer.member_id, await ends(world, old)) == (new, [("2026-12-21", 100)])


async def test_a_suspension_moves_what_ends_and_an_open_one_ends_nothing() -> None:
    world = await world_with(expiry_rule=ExpiryRule.MONTHS, expiry_months=1)
    anna = await world.member()
    await issue(world, anna, 100)
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, date(2027, 3, 1))
    assert await ends(world, anna) == [("2027-03-01", 100)]
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, None)
    assert await ends(world, anna) == []


async def test_the_forecast_is_by_month_and_issuer() -> None:
    world = await world_with(expiry_rule=ExpiryRule.MONTHS, expiry_months=1)
    anna, bo = await world.member(), await world.member()
    await issue(world, anna, 100)
    await issue(world, bo, 10)
    body = IssueBody(receipt=receipt(), occurred_at=NOON, member_id=bo, points=5)
    await world.ask(body, partner_no=world.fuel)
    move_to(world, NOON + timedelta(days=15))
    await issue(world, bo, 1)
    async with transaction() as connection:
        found = await endings.forecast(connection, today=date(2026, 12, 1))
        next_month = await endings.forecast(
            connection, today=date(2026, 12, 1), before=date(2027, 1, 1)
        )
    december, january = date(2026, 12, 1), date(2027, 1, 1)
    assert [tuple(one) for one in found] == [
        (december, world.grocer, 1, 110),
        (december, world.fuel, 1, 5),
        (january, world.grocer, 1, 1),
    ]
    assert next_month == found[:2]


class TestNotices:
    async def test_each_notice_day_is_told_once(self) -> None:
        world = await world_with(
            expiry_rule=ExpiryRule.MONTHS, expiry_months=2, expiry_notice_days=(30, 7)
        )
        anna = await world.member()
        await issue(world, anna, 100)
        assert await notify(world, NOON) == 0
        for day in range(1, 60):
            at = NOON + timedelta(days=day)
            assert await notify(world, at) == (day in (31, 54))
            assert await notify(world, at) == 0
        assert await told() == [("2027-01-21", 7, 100), ("2027-01-21", 30, 100)]

    async def test_missed_days_are_told_of_later_unless_the_points_have_ended(self) -> None:
        world = await world_with(
            expiry_rule=ExpiryRule.MONTHS, expiry_months=2, expiry_notice_days=(30, 7, 1)
        )
        anna = await world.member()
        await issue(world, anna, 100)
        await notify(world, NOON)
        assert await notify(world, NOON + timedelta(days=55)) == 2
        assert await notify(world, NOON + timedelta(days=70)) == 0
        assert await told() == [("2027-01-21", 7, 100), ("2027-01-21", 30, 100)]

    async def test_lots_that_end_together_are_told_of_together(self) -> None:
        world = await world_with(expiry_months=1, expiry_notice_days=(10,))
        anna = await world.member()
        await issue(world, anna, 100)
        body = IssueBody(receipt=receipt(), occurred_at=NOON, member_id=anna, points=5)
        await world.ask(body, partner_no=world.fuel)
        await redeem(world, anna, 20)
        await notify(world, datetime(2026, 12, 20, 12, tzinfo=UTC))
        await notify(world, datetime(2026, 12, 21, 12, tzinfo=UTC))
        assert await told() == [("2026-12-31", 10, 85)]

    async def test_a_clock_that_is_set_back_is_told_of_anew(self) -> None:
        world = await world_with(expiry_months=None, inactivity_months=2, expiry_notice_days=(10,))
        anna = await world.member()
        await issue(world, anna, 100)
        await notify(world, NOON + timedelta(days=50))
        await notify(world, NOON + timedelta(days=51))
        move_to(world, NOON + timedelta(days=52))
        await redeem(world, anna, 40)
        for day in (53, 101, 102):
            await notify(world, NOON + timedelta(days=day))
        assert await told() == [("2027-01-21", 10, 100), ("2027-03-12", 10, 60)]

    async def test_who_keeps_its_points_is_not_told(self) -> None:
        world = await world_with(
            expiry_rule=ExpiryRule.MONTHS, expiry_months=1, expiry_notice_days=(10,)
        )
        anna = await world.member()
        await issue(world, anna, 100)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, None)
        await notify(world, NOON)
        assert await notify(world, NOON + timedelta(days=29)) == 0

    async def test_without_notice_days_nothing_is_told(self) -> None:
        world = await world_with(expiry_rule=ExpiryRule.MONTHS, expiry_months=1)
        await issue(world, await world.member(), 100)
        assert await notify(world, NOON + timedelta(days=20)) == 0


@pytest.mark.parametrize(
    ("earned", "last_moment"),
    [
        # The clocks of Stockholm go forward on 28 March 2027 and back on 31 October.
        (datetime(2027, 2, 27, 23, 30, tzinfo=UTC), datetime(2027, 3, 28, 21, 59, tzinfo=UTC)),
        (datetime(2027, 9, 30, 21, 30, tzinfo=UTC), datetime(2027, 10, 30, 21, 59, tzinfo=UTC)),
        (datetime(2027, 9, 30, 22, 30, tzinfo=UTC), datetime(2027, 11, 1, 22, 59, tzinfo=UTC)),
    ],
)
async def test_the_last_day_ends_at_midnight_of_the_zone_also_when_its_clocks_change(
    earned: datetime, last_moment: datetime
) -> None:
    world = await world_with(earned, expiry_rule=ExpiryRule.MONTHS, expiry_months=1)
    anna = await world.member()
    await issue(world, anna, 100)
    zone = (await world.tills.terms()).catalogue.zone
    move_to(world, last_moment)
    assert await expiry.expire(last_moment, last_moment.astimezone(zone).date()) == 0
    assert (await world.tills.balance(anna)).balance == 100
    over = last_moment + timedelta(minutes=1)
    move_to(world, over)
    assert (await world.tills.balance(anna)).balance == 0
    refused = await redeem(world, anna, 1)
    assert refused.code == "not_enough_points"
    assert await expiry.expire(over, over.astimezone(zone).date()) == 100
    assert (await audit.run()).ok
