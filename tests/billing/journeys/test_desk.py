"""Journey 7, by the desk: a member calls, and has its money back and no membership."""

from decimal import Decimal

from billing.subscriptions.desk import ending, refunding
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.desk.refunding import Wanted
from billing.subscriptions.views import MembershipState
from partners.settlement import draining
from tests.billing.journeys.club import DAY, SECOND, Books, Club
from tests.partners.settlement.world import book


async def test_staff_end_a_membership_and_give_the_last_payment_back(steady: Club) -> None:
    club = steady
    begins, member = club.now(), await club.bought("premium")
    house = club.memberships.house
    await club.advance(33 * DAY)
    renewed = begins.replace(month=2, day=17)
    asked = Asked("staff:anna", "she called", "k")
    ended = club.now()
    await ending.cancel(house, member, asked, at_once=True, at=ended)
    await club.hear()
    assert (await club.view(member)).state is MembershipState.ENDED

    await club.advance(DAY)
    await refunding.look(house, member, at=club.now())
    wanted = Wanted(member, "was charged too late")
    approval = await refunding.prepare(wanted, prepared_by="staff:anna", at=club.now())
    await refunding.approve(house, approval, approved_by="staff:bo", at=club.now())
    await club.hear()
    assert await club.books(member) == Books(
        state=MembershipState.ENDED,
        held=[("premium", "paid", begins, ended)],
        paid=[("payment", 14_900), ("payment", 14_900), ("refund", -14_900)],
        points=250,
        told={"started", "renewed", "refunded", "ended"},
    )
    assert await club.plans_at(member, renewed, ended - SECOND, ended) == [
        "premium", "premium", None,
    ]  # fmt: skip
    # The points of the month that went back are taken of whoever gave them.
    await draining.drain_all(club.now())
    assert (await book())[("partner", club.world.fuel)] == Decimal("2.5")
    await club.check()
