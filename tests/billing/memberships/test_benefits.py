"""Benefits follow what happens at Stripe: given by the month, and taken back with the money."""

from datetime import datetime, timedelta

import pytest

from billing.benefits import granting
from billing.subscriptions import register
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.members import standings
from partners.settlement import draining, statements
from server.proof import prove
from tests.billing.memberships.world import Club, make_club
from tests.billing.plans.written import DOUBLE, MONTHLY, YEARLY, plan
from tests.support.ledger import balance

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
FUEL = 2
POINTS = {
    "benefit": "monthly_points",
    "code": "monthly",
    "points": 1_000,
    "funding": {"Fuel": 3, "operator": 1},
}
MORE = POINTS | {"points": 1_500}
PLUS = plan(prices=[MONTHLY, YEARLY], benefits=[DOUBLE, POINTS], trial_days=0)
PREMIUM = plan(
    "premium",
    rank=20,
    prices=[MONTHLY | {"amount_minor": 14_900}, YEARLY | {"amount_minor": 149_000}],
    benefits=[DOUBLE, MORE],
)


async def work(club: Club) -> None:
    """Do what the worker does each minute."""
    await granting.grant_due(club.now())


async def owed_by_fuel(club: Club) -> int:
    """Return what the fuel chain owes for points that it promised, in öre."""
    await draining.drain_all(club.now())
    live = await statements.live(FUEL, club.now())
    return live.net_minor.get("SEK", 0)


async def plan_of(club: Club, member: MemberId) -> str | None:
    async with transaction() as connection:
        found = await standings.read(connection, [member], club.now())
    return found[member].plan if member in found else None


async def test_a_withdrawal_ends_benefits_and_gives_funders_their_money_back(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    await work(club)
    assert (await plan_of(club, member), await balance(member, club.now())) == ("plus", 1_000)
    assert await owed_by_fuel(club) == 750
    await club.advance(12 * DAY)
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    # Points that go back are not kept for.
    assert declared.kept_for_use == Money(0, "SEK")
    await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    await work(club)
    assert (await plan_of(club, member), await balance(member, club.now())) == (None, 0)
    assert await owed_by_fuel(club) == 0
    assert (await prove()).breaches == []


async def test_twelve_months_of_a_year_are_given_one_by_one(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined(interval="year")
    for month in range(1, 13):
        await work(club)
        assert await balance(member, club.now()) == 1_000 * month
        if month < 12:
            await club.advance(31 * DAY)
    assert (await prove()).breaches == []


async def test_an_upgrade_gives_the_difference(at: datetime) -> None:
    club = await make_club(at, PLUS, PREMIUM)
    member = await club.joined()
    await work(club)
    price = await club.price_no("premium")
    preview = await club.memberships.preview(member, price, at=club.now())
    await club.memberships.change(
        member, price, previewed_at=preview.previewed_at, key=club.key(), at=club.now()
    )
    await work(club)
    assert await plan_of(club, member) == "premium"
    assert await balance(member, club.now()) == 1_500
    assert (await prove()).breaches == []


async def test_a_refunded_month_takes_its_points_back_and_leaves_the_one_before(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    await work(club)
    await club.advance(31 * DAY)
    await work(club)
    assert await balance(member, club.now()) == 2_000
    async with transaction() as connection:
        live = await register.live(connection, member)
    assert live is not None
    assert live.subscription is not None
    picture = await club.gateway.picture(live.subscription)
    last = max(picture.invoices, key=lambda one: one.created_at)
    await club.gateway.refund("k", last.payment_intent_ids[0], last.total, {})
    await club.hear()
    await work(club)
    assert (await plan_of(club, member), await balance(member, club.now())) == (None, 1_000)
    assert await owed_by_fuel(club) == 750
    assert (await prove()).breaches == []


async def test_points_wait_while_a_bank_holds_the_payment_back(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined(card="4000000000000259")
    await club.advance(timedelta(minutes=1))
    await work(club)
    assert (await plan_of(club, member), await balance(member, club.now())) == (None, 0)
