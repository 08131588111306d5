"""What a member gets agrees with its entitlements: written in advance, ended early, never twice."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.benefits.entitlements import Ground
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import standings
from coalition.members.refusals import UnknownMember
from coalition.points.commands import IssueBody, Purchase
from tests.billing.benefits.world import (
    DOUBLE,
    EARLY,
    Club,
    counted,
    day,
    make_club,
    plan,
)
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")

SECOND = timedelta(seconds=1)
WRITTEN = ("standing", "earning_bonus", "benefit_entitlement", "benefit_schedule")


async def club(at: datetime, **double: Any) -> Club:
    return await make_club(
        at, plan("plus", DOUBLE | double, EARLY), plan("basic", rank=0), reversal_policy="recover"
    )


async def earned(club: Club, at: datetime, amount_minor: int = 10_000) -> int:
    """Return what a purchase at the grocer earns at an instant."""
    club.world.clock.advance(at - club.world.at)
    body = IssueBody(
        member_id=club.member,
        receipt=receipt(),
        occurred_at=at,
        purchase=Purchase(amount_minor=amount_minor, currency="SEK"),
    )
    answer = await club.world.ask(body)
    points: int = answer["points"]
    return points


async def test_benefits_hold_for_what_is_entitled_and_stop_without_a_job(at: datetime) -> None:
    anna = await club(at)
    paid = anna.entitled(day(1), day(1, 12))
    grace = anna.entitled(day(1, 12), day(8, 12), ground=Ground.GRACE)
    assert await anna.apply(paid, grace, at=at)
    ends = day(8, 12)
    assert await anna.plan_at(day(1) - SECOND, day(1), ends - SECOND, ends) == [
        None,
        "plus",
        "plus",
        None,
    ]
    async with transaction() as connection:
        held = await standings.read(connection, [anna.member], day(7, 12))
    assert held[anna.member].flags == {"early-access"}
    assert [await earned(anna, moment) for moment in (at, ends - SECOND, ends)] == [200, 200, 100]


async def test_the_same_again_writes_nothing(at: datetime) -> None:
    anna = await club(at)
    paid = anna.entitled(day(1), day(1, 12))
    await anna.apply(paid, at=at)
    before = await counted(WRITTEN)
    assert not await anna.apply(paid, at=at + timedelta(days=1))
    assert await counted(WRITTEN) == before


async def test_a_renewal_goes_on_without_a_gap_and_without_earning_twice(at: datetime) -> None:
    anna = await club(at)
    first, second = anna.entitled(day(1), day(1, 12)), anna.entitled(day(1, 12), day(1, 1, 2027))
    grace = anna.entitled(day(1, 12), day(8, 12), ground=Ground.GRACE)
    await anna.apply(first, grace, at=at)
    await anna.apply(first, second, at=day(1, 12))
    moments = (day(30), day(1, 12), day(5, 12), day(20, 12), day(1, 1, 2027))
    assert await anna.plan_at(*moments) == [*["plus"] * 4, None]
    assert [await earned(anna, moment) for moment in moments] == [200, 200, 200, 200, 100]


async def test_what_ends_early_ends_then_and_comes_back_when_a_dispute_is_won(
    at: datetime,
) -> None:
    anna = await club(at)
    whole, cut = anna.entitled(day(1), day(1, 12)), anna.entitled(day(1), day(22))
    shorter = anna.entitled(day(1), day(21))
    moments = (day(20), day(21), day(23))
    for applied, plans, points in (
        (whole, ["plus"] * 3, [200, 200, 200]),
        (cut, ["plus", "plus", None], [200, 200, 100]),
        (shorter, ["plus", None, None], [200, 100, 100]),
        (whole, ["plus"] * 3, [200, 200, 200]),
        (cut, ["plus", "plus", None], [200, 200, 100]),
    ):
        await anna.apply(applied, at=at)
        assert await anna.plan_at(*moments) == plans
        assert [await earned(anna, moment) for moment in moments] == points


async def test_a_change_of_plan_holds_from_its_instant(at: datetime) -> None:
    anna = await club(at)
    await anna.apply(anna.entitled(day(1), day(1, 12), plan="basic"), at=at)
    before = anna.entitled(day(1), day(21), plan="basic")
    await anna.apply(before, anna.entitled(day(21), day(21, 12)), at=at)
    moments = (day(20), day(21), day(20, 12), day(21, 12))
    assert await anna.plan_at(*moments) == ["basic", "plus", "plus", None]
    assert [await earned(anna, moment) for moment in moments] == [100, 200, 200, 100]


async def test_what_staff_granted_outlives_the_membership(at: datetime) -> None:
    anna = await club(at)
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=anna.member,
            kind="flag",
            value="early-access",
            valid_from=day(10),
            valid_until=day(1, 12),
            source="staff:anna",
            at=at,
        )
    await anna.apply(anna.entitled(day(1), day(28)), at=at)
    await anna.apply(anna.entitled(day(1), day(20)), at=at)
    async with transaction() as connection:
        pairs = {(anna.member, moment) for moment in (day(9), day(25), day(2, 12))}
        found = await standings.read_each(connection, pairs)
    flags = {moment: found[anna.member, moment].flags for _, moment in found}
    assert flags == {day(9): {"early-access"}, day(25): {"early-access"}}


async def test_a_multiplier_is_paid_by_the_funders_that_its_plan_names(at: datetime) -> None:
    funding = {"Fuel": 1, "operator": 1, "issuer": 2}
    anna = await club(at, partner="Grocer", funding=funding)
    await anna.apply(anna.entitled(day(1), day(1, 12)), at=at)
    assert await earned(anna, at) == 200
    async with transaction() as connection:
        told = await connection.fetchval("SELECT explanation FROM purchase_earning WHERE no = 1")
        assert told == "Plus: 2 times the 100 points of the base rate, so 100 more"
        rows = await connection.fetch("SELECT funder_no, points_in FROM lot ORDER BY funder_no")
    # A hundred are the grocer's own; of the hundred more it pays half, as whoever sells.
    assert [tuple(row) for row in rows] == [
        (0, 25),
        (anna.world.grocer, 150),
        (anna.world.fuel, 25),
    ]


async def test_nothing_is_applied_to_who_is_no_member(at: datetime) -> None:
    anna = await club(at)
    with pytest.raises(UnknownMember):
        await anna.apply(at=at, member=MemberId(anna.membership))
