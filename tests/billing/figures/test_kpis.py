"""Figures of memberships, each worked out by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.benefits import granting, uses
from billing.benefits.entitlements import Ground
from billing.benefits.uses import Wanted
from billing.figures import kpis, meter
from billing.figures.kpis import (
    Churn,
    Cost,
    Figures,
    Margin,
    PlanStanding,
    PriceEffect,
    Recurring,
    Spend,
)
from billing.figures.refusals import MonthAhead
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.points.commands import ReverseBody
from tests.billing.benefits.world import DOUBLE, MONTHLY, SHIPPING, Club, make_club, plan
from tests.billing.figures.world import buy, pay, subscribe

pytestmark = pytest.mark.usefixtures("database")

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC) - timedelta(hours=2)
"""In Stockholm, where the coalition is; the clock goes back on the 25th."""
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(hours=1)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC) - timedelta(hours=1)
DAY = timedelta(days=1)
FUNDED = {**MONTHLY, "funding": {"Fuel": 1}}
SHARED = {**SHIPPING, "funding": {"Fuel": 1, "Grocer": 3}}


def sek(amount_minor: int) -> Money:
    return Money(amount_minor, "SEK")


async def club(at: datetime) -> Club:
    return await make_club(at, plan("plus", DOUBLE, FUNDED, SHARED), plan("basic", rank=0))


async def more(club: Club) -> MemberId:
    return MemberId(await club.world.member())


async def figures(club: Club, at: datetime, month: str | None = None) -> Figures:
    async with transaction() as connection:
        known = await catalogue.load(connection)
        return await kpis.read(connection, month, plans=club.plans, known=known, at=at)


async def test_who_holds_plans_who_left_and_what_they_bring(at: datetime) -> None:
    world = await club(at)
    anna, bo, cecilia, david, eva = [world.member, *[await more(world) for _ in range(4)]]
    paid, grace = Ground.PAID, Ground.GRACE
    year = NOVEMBER - 60 * DAY, NOVEMBER + 305 * DAY
    await subscribe(world, anna, (year, paid), interval="year")
    await subscribe(world, bo, ((OCTOBER, NOVEMBER + 10 * DAY), paid), ended_at=at)
    ended = NOVEMBER - 10 * DAY, NOVEMBER + 15 * DAY
    await subscribe(world, cecilia, (ended, paid), ((ended[1], ended[1] + 7 * DAY), grace))
    await subscribe(world, david, ((at, at + 30 * DAY), Ground.TRIAL), plan="basic")
    await subscribe(world, eva, ((OCTOBER, at + DAY), Ground.COMPED), plan="basic")
    found = await figures(world, at)
    assert (found.month, found.begins, found.ends) == ("2026-11", NOVEMBER, at)
    assert found.plans == (
        PlanStanding(plan="basic", active=1, trialing=1, in_grace=0, shared=0),
        PlanStanding(plan="plus", active=1, trialing=0, in_grace=1, shared=0),
    )
    # Anna, Bo and Cecilia paid when the month began; Bo has nothing any more.
    assert found.churn == Churn(begun=3, lost=1, percent=Decimal("33.33"))
    # A year of 990 is 82.50 a month, and Cecilia's month of 99.00 is in grace.
    assert found.recurring == (Recurring(memberships=2, monthly=sek(18_150)),)
    monthly, yearly = world.plans.by_code("plus").prices
    assert [one for one in found.prices if one.plan == "plus"] == [
        PriceEffect(
            price_no=monthly.no,
            plan="plus",
            interval="month",
            price=sek(9_900),
            begun=2,
            lost=1,
            changed=0,
            joined=0,
            churn_percent=Decimal("50.00"),
        ),
        PriceEffect(
            price_no=yearly.no,
            plan="plus",
            interval="year",
            price=sek(99_000),
            begun=1,
            lost=0,
            changed=0,
            joined=0,
            churn_percent=Decimal("0.00"),
        ),
    ]
    with pytest.raises(MonthAhead):
        await figures(world, at, "2026-12")


async def test_what_recurred_in_a_month_is_the_same_whoever_has_left_since(at: datetime) -> None:
    world = await club(at)
    held = (OCTOBER, NOVEMBER + 10 * DAY), Ground.PAID
    await subscribe(world, world.member, held, ended_at=NOVEMBER + 10 * DAY)
    then = await figures(world, at, "2026-10")
    assert then.recurring == (Recurring(memberships=1, monthly=sek(9_900)),)
    assert (await figures(world, at)).recurring == ()


async def test_what_members_spend_and_what_their_benefits_cost_whom(at: datetime) -> None:
    world = await club(at)
    anna, bo = world.member, await more(world)
    membership = await subscribe(world, anna, ((at - 5 * DAY, at + 20 * DAY), Ground.PAID))
    await granting.grant_due(at)
    await buy(world, anna, 20_000, at - 10 * DAY)
    await buy(world, anna, 30_000, at)
    returned = await buy(world, anna, 10_000, at)
    await world.world.ask(ReverseBody(points=100), target=returned)
    await buy(world, bo, 8_000, at)
    sent = Wanted(
        member=anna,
        partner_no=world.world.grocer,
        store_no=None,
        benefit="shipping",
        receipt="R-1",
        saved=sek(4_000),
        price=None,
        used_at=at,
    )
    async with transaction() as connection:
        known = await catalogue.load(connection)
        await uses.use(connection, sent, plans=world.plans, known=known, at=at)
    # Thirty days for 120.00 and a quarter of it tax: sixteen of them lie in November so far.
    await pay(anna, membership, 12_000, (at - 5 * DAY, at + 25 * DAY), tax_minor=3_000)
    found = await figures(world, at + DAY)
    assert found.spend == (
        Spend(
            currency="SEK",
            entitled_members=1,
            entitled=sek(40_000),
            entitled_mean=sek(40_000),
            other_members=2,
            others=sek(28_000),
            others_mean=sek(14_000),
        ),
    )
    # 300 points beyond the base, and half of 100; the plan names nobody, so the operator pays.
    # A point costs an öre everywhere here.
    operator, grocer, fuel = found.costs
    assert (operator.partner, operator.earning_minor, operator.total_minor) == (None, 350, 350)
    assert (grocer.partner_no, grocer.money_minor) == (world.world.grocer, 3_000)
    assert fuel == Cost(
        partner="Fuel",
        partner_no=world.world.fuel,
        currency="SEK",
        earning_minor=0,
        monthly_minor=100,
        money_minor=1_000,
        total_minor=1_100,
    )
    # Six of thirty days of 90.00 are 18.00, less 3.50.
    assert found.margins == (
        Margin(
            earned=sek(1_800), cost=sek(350), margin=sek(1_450), members=1, per_member=sek(1_450)
        ),
    )


async def test_a_payment_is_earned_over_its_period_and_a_refund_takes_it_back(
    at: datetime,
) -> None:
    world = await club(at)
    period = NOVEMBER, NOVEMBER + 60 * DAY
    membership = await subscribe(world, world.member, (period, Ground.PAID))
    await pay(world.member, membership, 60_000, period)
    found = await figures(world, DECEMBER + 15 * DAY, "2026-11")
    assert (found.ends, found.margins[0].earned) == (DECEMBER, sek(30_000))
    assert (await figures(world, DECEMBER + 15 * DAY)).margins[0].earned == sek(15_000)
    await pay(world.member, membership, -20_000, period, kind="refund")
    assert (await figures(world, DECEMBER, "2026-11")).margins[0].earned == sek(20_000)


async def test_nothing_sold_is_no_figure(at: datetime) -> None:
    found = await figures(await club(at), at)
    assert found.churn == Churn(begun=0, lost=0, percent=None)
    assert (found.plans, found.recurring, found.spend, found.costs, found.margins) == ((),) * 5


async def test_a_member_sees_saved_beside_paid_and_what_would_suit_it(at: datetime) -> None:
    world = await club(at)
    period = at - 20 * DAY, at + 10 * DAY
    membership = await subscribe(world, world.member, (period, Ground.PAID))
    await pay(world.member, membership, 9_900, period)
    await buy(world, world.member, 10_000, at)

    async def shown(member: MemberId) -> meter.MeterView | None:
        async with transaction() as connection:
            known = await catalogue.load(connection)
            return await meter.read(connection, member, plans=world.plans, known=known, at=at)

    found = await shown(world.member)
    assert found is not None
    assert (found.plan, found.paid, found.saved) == ("plus", sek(9_900), sek(100))
    # 66.00 of the price have passed; the plan beneath costs as much and gives nothing.
    assert found.advice is not None
    assert (found.advice.kind, found.advice.better_by) == ("pause", sek(6_500))
    assert await shown(await more(world)) is None
