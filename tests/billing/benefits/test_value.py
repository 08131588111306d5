"""The value meter: points at their issue price, money at its face, nothing that was returned."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from billing.benefits import granting, uses, value
from billing.benefits.uses import Wanted
from billing.benefits.value import Saved, Saving, Stretch
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from coalition.points.commands import IssueBody, Purchase, ReverseBody
from tests.billing.benefits.world import DOUBLE, MONTHLY, SHIPPING, Club, day, make_club, plan
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")

FUNDED = {**MONTHLY, "funding": {"Fuel": 1}}


async def club(at: datetime) -> Club:
    anna = await make_club(
        at, plan("plus", DOUBLE, FUNDED, {**MONTHLY, "code": "gift", "points": 300}, SHIPPING)
    )
    await anna.apply(anna.entitled(day(1), day(1, 12)), at=at)
    return anna


async def buy(club: Club, amount_minor: int) -> str:
    body = IssueBody(
        member_id=club.member,
        receipt=receipt(),
        occurred_at=club.world.at,
        purchase=Purchase(amount_minor=amount_minor, currency="SEK"),
    )
    posting: str = (await club.world.ask(body))["posting_id"]
    return posting


async def saved(club: Club, begins: datetime, ends: datetime) -> tuple[Saved, ...]:
    async with transaction() as connection:
        return await value.saved_in(
            connection,
            club.member,
            club.membership,
            Stretch(begins, ends),
            known=await catalogue.load(connection),
            currency="SEK",
        )


async def test_each_benefit_is_worth_what_it_saved(at: datetime) -> None:
    anna = await club(at)
    await granting.grant_due(at)
    await buy(anna, 20_000)
    # Half of the next is returned: half of what it earned more counts.
    posting = await buy(anna, 10_000)
    back = ReverseBody(points=100)
    await anna.world.ask(back, target=UUID(posting))
    wanted = Wanted(
        anna.member, anna.world.fuel, None, "shipping", "R-1", Money(4_900, "SEK"), None, at
    )
    async with transaction() as connection:
        known = await catalogue.load(connection)
        await uses.use(connection, wanted, plans=anna.plans, known=known, at=at)
    minute = timedelta(minutes=1)
    found = await saved(anna, at, at + minute)
    # A point is worth 0.01 of a krona here, one öre, whoever gives it.
    assert found == (
        Saved(benefit="double", kind=Saving.EARNING, points=250, uses=0, value=Money(250, "SEK")),
        Saved(benefit="gift", kind=Saving.MONTHLY, points=300, uses=0, value=Money(300, "SEK")),
        Saved(benefit="monthly", kind=Saving.MONTHLY, points=100, uses=0, value=Money(100, "SEK")),
        Saved(benefit="shipping", kind=Saving.USE, points=0, uses=1, value=Money(4_900, "SEK")),
    )
    assert await saved(anna, at + minute, at + 2 * minute) == ()
    async with transaction() as connection:
        used = await value.used_in(
            connection,
            anna.member,
            anna.membership,
            Stretch(at, at + minute),
            known=known,
            currency="SEK",
        )
    assert used == Money(5_150, "SEK")
    assert value.point_price(known, "EUR", at) == Decimal(0)
