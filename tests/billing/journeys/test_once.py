"""Journey 9: two tabs, two workers, answers that fail before and after: one of each, charged once.

What a killed process leaves is told in tests/faults.
"""

import asyncio

from billing.sandbox.faults import Kind
from billing.subscriptions.refusals import ActInProgress, AlreadyMember, CheckoutOpen
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import CheckoutView, MembershipState
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from tests.billing.journeys import stripe_books
from tests.billing.journeys.club import DAY, Books, Club
from tests.billing.journeys.unsteady import Unsteady
from tests.billing.memberships.world import HOME, VISA


async def test_of_two_tabs_at_two_services_one_orders_and_pays_once(club: Club) -> None:
    club.workers = 2
    begins, member = club.now(), await club.enrol()
    services = [club.memberships, Memberships(club.another_gateway(), club.keys, home=HOME)]
    orders = [await club.order("plus"), await club.order("premium")] * 2

    async def tab(number: int) -> CheckoutView | Refused:
        try:
            return await services[number % 2].checkout(
                member, orders[number], key=f"tab-{number}", at=begins
            )
        except Refused as refused:
            return refused

    tried = await asyncio.gather(*(tab(number) for number in range(4)))
    opened = [one for one in tried if isinstance(one, CheckoutView)]
    assert len({one.checkout_id for one in opened}) == 1
    refused = [one for one in tried if isinstance(one, Refused)]
    assert {type(one) for one in refused} <= {ActInProgress, CheckoutOpen}

    await asyncio.gather(*(club.pay(opened[0].url) for _ in range(3)))

    async def back(service: Memberships) -> MembershipState:
        return (await service.returned(member, opened[0].checkout_id, at=begins)).state

    backs = [back(each) for each in services * 2]
    states, _, _ = await asyncio.gather(asyncio.gather(*backs), club.drain(), club.drain())
    assert set(states) == {MembershipState.ACTIVE}
    await club.hear()
    assert {type(await tab(number)) for number in (0, 3)} == {AlreadyMember}
    theirs = await stripe_books.read(club.gateway)
    assert (len(theirs.customers), len(theirs.subscriptions), len(theirs.charges)) == (1, 1, 1)
    found = await club.books(member)
    assert (len(found.paid), found.points) == (1, 100 if opened[0].plan == "plus" else 250)
    await club.check()


async def test_two_workers_do_everything_once(club: Club) -> None:
    club.workers = 2
    begins = club.now()
    cards = {"anna": VISA, "bo": "5555555555554444"}
    members = [await club.bought("tried", name=name, card=cards[name]) for name in cards]
    await club.advance(75 * DAY)
    tried, paid = begins + 14 * DAY, begins.replace(month=4, day=30)
    for member in members:
        assert await club.books(member) == Books(
            state=MembershipState.ACTIVE,
            held=[
                ("tried", "trial", begins, tried),
                ("tried", "paid", tried, paid),
                ("tried", "grace", paid, paid + 7 * DAY),
            ],
            paid=[("payment", 7_900)] * 3,
            points=300,
            told={"started", "renewed"},
        )
        assert (await club.told(member))["started"] == 1
    await club.check()


async def _a_life(club: Club, member: MemberId) -> None:
    """Join, go up, cancel, come back, renew, think of going down, pause, and leave."""
    await club.order_and_pay(member)
    await club.change(member, "premium")
    await club.memberships.cancel(member, key=club.key(), at=club.now())
    await club.hear()
    await club.memberships.uncancel(member, key=club.key(), at=club.now())
    await club.advance(32 * DAY)
    await club.change(member, "plus")
    await club.memberships.keep_plan(member, key=club.key(), at=club.now())
    await club.memberships.pause(member, months=1, key=club.key(), at=club.now())
    await club.hear()
    await club.memberships.resume(member, key=club.key(), at=club.now())
    await club.memberships.cancel(member, key=club.key(), at=club.now())
    await club.advance(40 * DAY)


async def test_a_stripe_that_fails_twice_of_three_times_is_not_noticed(shaken: Club) -> None:
    begins, member = shaken.now(), await shaken.enrol()
    await _a_life(shaken, member)
    ends = begins.replace(month=3)
    books = await shaken.books(member)
    # The first two are of one second, in which there is no order.
    assert books._replace(paid=[*sorted(books.paid[:2]), *books.paid[2:]]) == Books(
        state=MembershipState.ENDED,
        held=[("premium", "paid", begins, ends)],
        paid=[("payment", 7_000), ("payment", 7_900), ("payment", 14_900)],
        points=500,
        told={"started", "changed", "renewed", "ended"},
    )
    faults = shaken.sandbox.faults
    assert isinstance(faults, Unsteady)
    assert faults.struck.keys() == {(kind, after) for kind in Kind for after in (False, True)}
    await shaken.check()
