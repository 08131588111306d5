"""Leaving: cancelled with a receipt and restored, paused and resumed, unpaid and ended."""

from datetime import datetime, timedelta

import pytest

from billing.subscriptions import entries
from billing.subscriptions.refusals import (
    NothingToCancel,
    NothingToRestore,
    NotPaused,
    PauseNotPossible,
)
from billing.subscriptions.views import MembershipState, ReceiptKind
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from tests.billing.memberships.world import TRIED, Club, make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def payments(member: MemberId) -> int:
    """Return how many times the member has paid."""
    async with transaction() as connection:
        found = await entries.of_member(connection, member)
    return len([one for one in found if one.kind == "payment"])


async def cancelled(club: Club, member: MemberId) -> datetime:
    """Cancel; return when it ends."""
    receipt = await club.memberships.cancel(member, key=club.key(), at=club.now())
    assert receipt.ends_at is not None
    return receipt.ends_at


async def test_a_membership_is_cancelled_in_two_steps_with_a_receipt_and_ends_once(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined("premium")
    offer = await club.memberships.cancel_offer(member, at=club.now())
    assert (offer.instead, offer.smaller_plan) == ("smaller_plan", "plus")

    receipt = await club.memberships.cancel(member, key="bye", at=club.now())
    assert (receipt.kind, receipt.at, receipt.ends_at) == (
        ReceiptKind.CANCELLED,
        club.now(),
        offer.ends_at,
    )
    assert await club.memberships.cancel(member, key="bye", at=club.now()) == receipt
    assert await club.memberships.cancel(member, key="again", at=club.now()) == receipt
    assert await club.memberships.receipts(member) == (receipt,)
    seen = await club.view(member)
    assert (seen.state, seen.ends_at, seen.renews_at) == (
        MembershipState.ENDING,
        offer.ends_at,
        None,
    )
    assert seen.entitled_until == offer.ends_at

    await club.advance(31 * DAY)
    seen = await club.view(member)
    assert (seen.state, seen.ends_at, await payments(member)) == (
        MembershipState.ENDED,
        offer.ends_at,
        1,
    )
    with pytest.raises(NothingToCancel):
        await club.memberships.cancel(member, key="late", at=club.now())


async def test_a_cancelled_membership_goes_on_when_the_member_wants(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    with pytest.raises(NothingToRestore):
        await club.memberships.uncancel(member, key=club.key(), at=club.now())
    await cancelled(club, member)
    receipt = await club.memberships.uncancel(member, key=club.key(), at=club.now())
    assert receipt.kind is ReceiptKind.UNCANCELLED
    await club.advance(31 * DAY)
    assert (await club.view(member)).state is MembershipState.ACTIVE
    assert await payments(member) == 2


async def test_who_has_the_lowest_plan_is_offered_a_pause(at: datetime) -> None:
    club = await make_club(at)
    offer = await club.memberships.cancel_offer(await club.joined(), at=club.now())
    assert (offer.instead, offer.pause_months) == ("pause", (1, 2, 3))


async def test_a_trial_that_is_cancelled_is_never_charged(at: datetime) -> None:
    club = await make_club(at, TRIED)
    member = await club.joined("tried")
    ends = await cancelled(club, member)
    assert ends == (await club.view(member)).trial_ends_at
    await club.advance(20 * DAY)
    assert ((await club.view(member)).state, await payments(member)) == (MembershipState.ENDED, 0)


async def test_a_paused_membership_rests_from_the_end_of_what_is_paid_and_goes_on(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined()
    receipt = await club.memberships.pause(member, months=1, key=club.key(), at=club.now())
    seen = await club.view(member)
    assert (seen.state, seen.entitled_until) == (MembershipState.PAUSED, seen.period_end)
    with pytest.raises(PauseNotPossible):
        await club.memberships.pause(member, months=1, key=club.key(), at=club.now())

    await club.advance(35 * DAY)  # in the month of rest
    resting = await club.view(member)
    assert (resting.state, resting.ground) == (MembershipState.PAUSED, None)
    assert await payments(member) == 1
    assert receipt.paused_until is not None
    await club.advance(receipt.paused_until - club.now() + 2 * DAY)
    seen = await club.view(member)
    assert (seen.state, seen.ground, await payments(member)) == (
        MembershipState.ACTIVE,
        "paid",
        2,
    )


async def test_a_pause_ends_when_the_member_wants(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    with pytest.raises(NotPaused):
        await club.memberships.resume(member, key=club.key(), at=club.now())
    await club.memberships.pause(member, months=3, key=club.key(), at=club.now())
    receipt = await club.memberships.resume(member, key=club.key(), at=club.now())
    assert receipt.kind is ReceiptKind.RESUMED
    await club.advance(31 * DAY)
    assert await payments(member) == 2


async def test_who_pays_by_the_year_or_tries_or_leaves_cannot_pause(at: datetime) -> None:
    club = await make_club(at)
    yearly = await club.joined(interval="year")
    leaving = await club.joined(name="bo")
    await cancelled(club, leaving)
    for member in (yearly, leaving):
        with pytest.raises(PauseNotPossible):
            await club.memberships.pause(member, months=1, key=club.key(), at=club.now())
    with pytest.raises(PauseNotPossible):
        await club.memberships.pause(yearly, months=4, key=club.key(), at=club.now())


async def test_a_renewal_that_fails_has_its_grace_and_ends_at_once_when_cancelled(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.replace_card(member, "pm_card_chargeCustomerFail")
    await club.advance(31 * DAY)
    seen = await club.view(member)
    assert (seen.state, seen.ground) == (MembershipState.PAST_DUE, "grace")
    assert seen.payment_url is not None
    assert await cancelled(club, member) == club.now()
    assert (await club.view(member)).state is MembershipState.ENDED
