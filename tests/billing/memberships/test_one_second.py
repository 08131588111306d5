"""What is paid and given back, or changed, in one and the same second."""

from datetime import datetime

import pytest

from billing.benefits.entitlements import Ground
from billing.subscriptions import register
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from server.proof import prove
from tests.billing.memberships.gifted import PLUS, decide, dispute, points
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")


async def payment_of(club: Club, member: MemberId) -> str:
    """Return by what a member's membership was paid first."""
    async with transaction() as connection:
        live = await register.live(connection, member)
    assert live is not None
    picture = await club.gateway.picture(str(live.subscription))
    return picture.invoices[0].payment_intent_ids[0]


@pytest.mark.parametrize("how", ["refund", "withdrawal", "dispute"])
async def test_what_is_given_back_in_the_second_of_its_payment_takes_its_points_back(
    at: datetime, how: str
) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    assert await points(club, member) == 100
    if how == "refund":
        await club.gateway.refund("r", await payment_of(club, member), Money(7_900, "SEK"), {})
    elif how == "withdrawal":
        told = await club.memberships.declare_withdrawal(member, at=club.now())
        await club.memberships.confirm_withdrawal(
            told.withdrawal_id, member=member, key="w", at=club.now()
        )
    else:
        await dispute(club)
        await club.hear()
        assert await points(club, member) == 100
        await decide(club, is_won=False)
    for _ in range(2):
        await club.hear()
        assert await points(club, member) == 0
    assert (await club.view(member)).entitled_until is None
    assert (await prove()).breaches == []


async def test_a_switch_to_the_year_in_the_second_of_the_start_is_the_year(at: datetime) -> None:
    club = await make_club(at, PLUS)
    for name in ("anna", "bo", "cy"):
        member = await club.joined(name=name)
        year = await club.price_no("plus", "year")
        previewed = await club.memberships.preview(member, year, at=club.now())
        await club.memberships.change(
            member, year, previewed_at=previewed.previewed_at, key=club.key(), at=club.now()
        )
        await club.hear()
        seen = await club.view(member)
        assert (seen.state, seen.ground, seen.price_no) == (
            MembershipState.ACTIVE,
            Ground.PAID,
            year,
        )
        assert (seen.period_start, seen.period_end) == (at, at.replace(year=at.year + 1))
