"""What returns, holds that are given up and captures of a part give back of limits on spending."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from coalition.families.evaluator.acts import DayUse, UsageKey, UsageWanted
from coalition.families.pools import coming_back
from coalition.families.rule_sets.vocabulary import Event
from coalition.families.transfers import usage
from coalition.kernel.database import transaction
from coalition.points.commands import CaptureBody, HoldBody, VoidBody
from server import upkeep
from tests.families.groups.test_at_the_till import give_back, redeem, shop, till
from tests.families.groups.world import Families, view
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")

CAPS = [
    {"subject": "group", "measure": "amount", "window": "calendar_month", "max": 1000,
     "on": "redeem"},
    {"subject": "member", "measure": "count", "window": "calendar_month", "max": 2, "on": "redeem"},
]  # fmt: skip


async def _home(at: datetime) -> tuple[Families, UUID, UUID, UUID]:
    world = await shop(at)
    await world.rules("home", view(limits=CAPS))
    anna, bo = await world.adult(2000), await world.adult(2000)
    return world, await world.form("home", anna, bo), anna, bo


async def _used(subject: UUID, side: str, at: datetime) -> tuple[int, int]:
    """Return points and times of this month that are counted of a group or a member."""
    wanted = UsageWanted(UsageKey(subject, side, Event.REDEEM), at.date().replace(day=1), at.date())
    async with transaction() as connection:
        by_days = await usage.read(connection, [wanted])
        sums = await usage.read_sums(connection, [wanted])
    days: tuple[DayUse, ...] = by_days.days.get(wanted.key, ())
    told = sum(one.amount for one in days), sum(one.times for one in days)
    (whole,) = sums.days.get(wanted.key, (DayUse(at.date(), subject, 0, 0),))
    assert (whole.amount, whole.times) == told
    return told


async def _reserve(world: Families, member: UUID, points: int) -> Any:
    body = HoldBody(
        receipt=receipt(), occurred_at=world.at, member_id=member, points=points, expires_in_s=600
    )
    return await world.world.ask(body, partner_no=world.world.fuel)


async def _resolve(world: Families, held: Any, body: CaptureBody | VoidBody) -> Any:
    target = UUID(held["hold_id"])
    return await world.world.ask(body, partner_no=world.world.fuel, target=target)


async def test_a_return_gives_back_what_was_used_on_its_day_a_part_at_a_time(at: datetime) -> None:
    world, group, anna, _ = await _home(at)
    bought = await redeem(world, anna, 700)
    assert await _used(group, "group", at) == (700, 1)
    for points, left in ((200, (500, 1)), (499, (1, 1)), (1, (0, 0))):
        back = await give_back(world, bought, points)
        assert back["points"] == points
        assert await _used(group, "group", at) == left
        assert await _used(anna, "member", at) == left
    assert (await redeem(world, anna, 1000))["points"] == 1000
    assert await world.proved()


async def test_what_comes_back_next_month_is_given_back_to_the_month_in_which_it_was_used(
    at: datetime,
) -> None:
    world, group, anna, _ = await _home(at)
    first = await redeem(world, anna, 700)
    world.advance(days=31)
    await redeem(world, anna, 900)
    await give_back(world, first)
    assert await _used(group, "group", at) == (0, 0)
    assert await _used(group, "group", world.at) == (900, 1)
    assert await world.proved()


async def test_the_same_return_asked_twice_or_at_once_gives_back_once(at: datetime) -> None:
    world, group, anna, bo = await _home(at)
    bought = [await redeem(world, anna, 400), await redeem(world, bo, 500)]
    other = till(world)
    asked = [(world.world.tills, one, 100) for one in bought] + [
        (other, one, 100) for one in bought
    ]

    async def back(tills: Any, one: Any, points: int) -> Any:
        world.world.tills = tills
        return await give_back(world, one, points)

    await asyncio.gather(*(back(*one) for one in asked * 2))
    assert await _used(group, "group", at) == (100, 1)
    assert await _used(anna, "member", at) == (0, 0)
    assert await _used(bo, "member", at) == (100, 1)
    assert await world.proved()


async def test_a_hold_that_is_given_up_gives_back_what_it_used(at: datetime) -> None:
    world, group, anna, _ = await _home(at)
    held = await _reserve(world, anna, 800)
    assert await _used(group, "group", at) == (800, 1)
    await _resolve(world, held, VoidBody())
    assert await _used(group, "group", at) == (0, 0)
    assert await world.proved()


async def test_what_is_captured_of_a_hold_stays_counted_and_its_return_gives_it_back(
    at: datetime,
) -> None:
    world, group, anna, _ = await _home(at)
    held = await _reserve(world, anna, 800)
    paid = await _resolve(world, held, CaptureBody(points=300))
    assert await _used(group, "group", at) == (300, 1)
    await give_back(world, paid, 100)
    assert await _used(group, "group", at) == (200, 1)
    await give_back(world, paid)
    assert await _used(anna, "member", at) == (0, 0)
    assert await world.proved()


async def test_a_hold_whose_time_is_over_gives_back_what_it_used_once(at: datetime) -> None:
    world, group, anna, bo = await _home(at)
    await _reserve(world, anna, 800)
    world.advance(minutes=11)
    assert await coming_back.of_expired_holds(world.at) == 0
    assert await upkeep.let_holds_go(world.at) == 1
    assert [await coming_back.of_expired_holds(world.at) for _ in range(2)] == [1, 0]
    assert await _used(group, "group", at) == (0, 0)
    assert (await redeem(world, bo, 1000))["points"] == 1000
    assert await world.proved()


async def test_who_has_left_since_gives_back_to_the_group_all_the_same(at: datetime) -> None:
    world, group, anna, bo = await _home(at)
    bought = await redeem(world, bo, 600)
    await world.leave(group, bo)
    await give_back(world, bought)
    assert await _used(group, "group", at) == (0, 0)
    assert (await redeem(world, anna, 900))["points"] == 900
    assert await world.proved()
