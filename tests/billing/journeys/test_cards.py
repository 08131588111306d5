"""Journey 3: a card that is declined or asks for 3-D Secure gives nothing before it has paid."""

from datetime import timedelta

from billing.subscriptions.views import MembershipState
from tests.billing.journeys.club import DAY, Books, Club
from tests.billing.memberships.world import DECLINES, WANTS_3DS

NOTHING = Books(state=MembershipState.NONE, held=[], paid=[], points=0, told=set())


async def test_a_declined_card_gives_nothing_and_the_order_comes_to_an_end(club: Club) -> None:
    member = await club.enrol()
    await club.order_and_pay(member, card=DECLINES)
    assert await club.books(member) == NOTHING._replace(state=MembershipState.CHECKOUT)
    assert (await club.at_the_till(member)).plan is None
    await club.advance(2 * DAY)
    assert await club.books(member) == NOTHING
    await club.order_and_pay(member)
    assert (await club.books(member)).paid == [("payment", 7_900)]
    await club.check()


async def test_a_bank_that_is_not_answered_gives_nothing_and_the_start_expires(club: Club) -> None:
    member = await club.enrol()
    await club.order_and_pay(member, card=WANTS_3DS)
    assert await club.books(member) == NOTHING._replace(state=MembershipState.CHECKOUT)
    await club.advance(2 * DAY)
    assert await club.books(member) == NOTHING
    assert await club.plans_at(member, club.now()) == [None]
    await club.check()


async def test_a_bank_that_says_no_and_then_yes_gives_what_is_paid_from_then_on(
    club: Club,
) -> None:
    member = await club.enrol()
    order = await club.order("premium")
    opened = await club.memberships.checkout(member, order, key="k", at=club.now())
    await club.ask_the_bank(await club.pay(opened.url, WANTS_3DS), agrees=False)
    await club.hear()
    assert (await club.at_the_till(member)).plan is None
    await club.advance(timedelta(minutes=20))
    await club.ask_the_bank(await club.pay(opened.url, WANTS_3DS), agrees=True)
    await club.hear()
    assert (await club.at_the_till(member)).plan == "premium"
    found = await club.books(member)
    assert (found.state, found.paid, found.points, found.told) == (
        MembershipState.ACTIVE,
        [("payment", 14_900)],
        250,
        {"started"},
    )
    await club.check()
