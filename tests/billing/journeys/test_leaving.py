"""Journey 6: cancelled in two steps with a receipt, restored, and in the end ended once."""

from datetime import timedelta

import pytest

from billing.subscriptions.refusals import NothingToCancel
from billing.subscriptions.views import MembershipState, ReceiptKind
from tests.billing.journeys.club import DAY, SECOND, Books, Club


async def test_a_membership_is_cancelled_restored_cancelled_again_and_ends_once(
    club: Club,
) -> None:
    begins = club.now()
    member = await club.bought("premium")
    offer = await club.memberships.cancel_offer(member, at=club.now())
    assert (offer.instead, offer.smaller_plan) == ("smaller_plan", "plus")
    receipt = await club.memberships.cancel(member, key="bye", at=club.now())
    await club.hear()
    until = begins.replace(month=2)
    assert (receipt.at, receipt.ends_at) == (begins, until)
    seen = await club.view(member)
    assert (seen.state, seen.entitled_until) == (MembershipState.ENDING, until)

    await club.advance(DAY)
    await club.memberships.uncancel(member, key="stay", at=club.now())
    await club.until(until + timedelta(hours=2))
    assert (await club.view(member)).state is MembershipState.ACTIVE

    last = await club.memberships.cancel(member, key="for good", at=club.now())
    assert await club.memberships.cancel(member, key="for good", at=club.now()) == last
    ends = begins.replace(month=3)
    await club.until(ends - SECOND)
    assert (await club.at_the_till(member)).plan == "premium"
    await club.until(ends + 30 * DAY)
    assert await club.books(member) == Books(
        state=MembershipState.ENDED,
        held=[("premium", "paid", begins, ends)],
        paid=[("payment", 14_900)] * 2,
        points=500,
        told={"started", "renewed", "ended"},
    )
    assert (await club.told(member))["ended"] == 1
    assert [one.kind for one in await club.memberships.receipts(member)] == [
        ReceiptKind.CANCELLED,
        ReceiptKind.UNCANCELLED,
        ReceiptKind.CANCELLED,
    ]
    with pytest.raises(NothingToCancel):
        await club.memberships.cancel(member, key="late", at=club.now())
    await club.check()


async def test_a_trial_that_is_cancelled_ends_with_its_last_second_and_costs_nothing(
    club: Club,
) -> None:
    begins = club.now()
    member = await club.bought("tried")
    await club.memberships.cancel(member, key="bye", at=club.now())
    await club.hear()
    ends = begins + 14 * DAY
    assert await club.plans_at(member, ends - SECOND, ends) == ["tried", None]
    await club.until(ends + DAY)
    assert await club.books(member) == Books(
        state=MembershipState.ENDED,
        held=[("tried", "trial", begins, ends)],
        paid=[],
        points=0,
        told={"started", "ended"},
    )
    await club.check()
