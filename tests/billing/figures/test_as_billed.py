"""What recurs is what Stripe bills: after an upgrade in the midst of a month, and with a coupon."""

from datetime import datetime, timedelta

import pytest

from billing.figures import kpis
from billing.figures.kpis import Recurring
from billing.plans import catalogue as plan_catalogue
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from tests.billing.memberships.world import make_club

pytestmark = pytest.mark.usefixtures("database")


async def recurring(at: datetime, month: str | None = None) -> tuple[Recurring, ...]:
    async with transaction() as connection:
        plans = await plan_catalogue.load(connection)
        known = await catalogue.load(connection)
        return (await kpis.read(connection, month, plans=plans, known=known, at=at)).recurring


async def test_what_recurs_is_what_is_billed_and_a_month_before_an_upgrade_stays_as_it_was(
    at: datetime,
) -> None:
    club = await make_club(at)
    coupon = await club.gateway.post(None, "/v1/coupons", {"percent_off": 50, "duration": "once"})
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    await club.gateway.post(None, "/v1/promotion_codes", {"promotion": promotion, "code": "HALF"})
    anna = await club.joined()
    await club.joined(name="bo", interval="year", promotion="HALF")
    # 79.00 a month, and half of 790.00 a year.
    both = Recurring(memberships=2, monthly=Money(7_900 + 3_292, "SEK"))
    assert await recurring(club.now()) == (both,)
    await club.advance(timedelta(days=17, hours=5))
    premium = await club.price_no("premium")
    said = await club.memberships.preview(anna, premium, at=club.now())
    await club.memberships.change(
        anna, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    await club.hear()
    dearer = Recurring(memberships=2, monthly=Money(14_900 + 3_292, "SEK"))
    assert await recurring(club.now()) == (dearer,)
    assert await recurring(club.now(), f"{at:%Y-%m}") == (both,)
