"""Journey 4: a renewal that fails has its grace, is paid in the portal, or ends to the second."""

from datetime import timedelta

from billing.subscriptions.views import MembershipState
from tests.billing.journeys.club import DAY, SECOND, Books, Club

FAILS = "pm_card_chargeCustomerFail"


async def test_what_is_paid_in_the_portal_within_the_grace_goes_on_without_a_gap(
    club: Club,
) -> None:
    begins = club.now()
    member = await club.bought()
    renews = begins.replace(month=2)
    await club.replace_card(member, FAILS)
    await club.until(renews + 2 * DAY)
    seen = await club.view(member)
    assert (seen.state, seen.ground, seen.entitled_until) == (
        MembershipState.PAST_DUE,
        "grace",
        renews + 7 * DAY,
    )
    assert (await club.at_the_till(member)).plan == "plus"

    await club.pay_in_the_portal(member)
    until = begins.replace(month=3)
    assert await club.books(member) == Books(
        state=MembershipState.ACTIVE,
        held=[("plus", "paid", begins, until), ("plus", "grace", until, until + 7 * DAY)],
        paid=[("payment", 7_900)] * 2,
        points=200,
        told={"started", "grace", "recovered", "renewed"},
    )
    await club.until(until + timedelta(hours=2))
    assert (await club.books(member)).paid == [("payment", 7_900)] * 3
    await club.check()


async def test_what_is_not_paid_ends_to_the_second_with_its_grace(club: Club) -> None:
    begins = club.now()
    member = await club.bought()
    renews = begins.replace(month=2)
    ends = renews + 7 * DAY
    await club.replace_card(member, FAILS)
    await club.until(ends - SECOND)
    assert (await club.at_the_till(member)).plan == "plus"
    assert (await club.view(member)).state is MembershipState.PAST_DUE
    await club.advance(SECOND)
    assert (await club.at_the_till(member)).plan is None
    assert await club.plans_at(member, ends - SECOND, ends) == ["plus", None]
    await club.advance(9 * DAY)
    assert await club.books(member) == Books(
        state=MembershipState.ENDED,
        held=[("plus", "paid", begins, renews), ("plus", "grace", renews, ends)],
        paid=[("payment", 7_900)],
        points=100,
        told={"started", "grace", "suspended", "ended"},
    )
    assert (await club.view(member)).ends_at == ends
    await club.check()
