"""Months that were given and what is paid follow each other: nothing is paid for twice, or lost."""

from datetime import datetime, timedelta

import pytest

from billing.gateway.refusals import StripeUnavailable
from billing.sandbox.faults import Kind
from billing.subscriptions import recovering, register
from billing.subscriptions.refusals import AlreadyMember, GiftWaits
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from server.proof import prove
from tests.billing.memberships.gifted import PLUS, give, ledger, points, refund
from tests.billing.memberships.world import Club, make_club
from tests.billing.plans.written import MONTHLY, plan

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
TRIED = plan(prices=[MONTHLY], trial_days=14)


def later(at: datetime, months: int) -> datetime:
    """Return the same day so many months later; tests begin on a day that each month has."""
    years, month = divmod(at.month - 1 + months, 12)
    return at.replace(year=at.year + years, month=month + 1)


async def given(club: Club, member: MemberId, months: int = 2) -> None:
    """Let somebody give months of Plus to a member, who redeems them."""
    giver = await club.enrol(f"giver-{club.key()}")
    gift = await give(club, giver, months)
    await club.memberships.redeem_gift(member, gift.code or "", key=club.key(), at=club.now())


@pytest.mark.parametrize("interval", ["month", "year"])
async def test_a_gift_puts_off_a_renewal_and_follows_what_is_paid(
    at: datetime, interval: str
) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined("plus", interval)
    paid_until = later(at, 1 if interval == "month" else 12)
    await club.advance(5 * DAY)
    await given(club, member)
    seen = await club.view(member)
    assert (seen.state, seen.ground, seen.trial_ends_at) == (MembershipState.ACTIVE, "paid", None)
    assert seen.renews_at == later(paid_until, 2)
    await given(club, member, 1)
    seen = await club.view(member)
    ends = later(paid_until, 3)
    assert (seen.renews_at, seen.period_end) == (ends, paid_until)
    # With the days in which the renewal is awaited.
    assert seen.entitled_until == ends + 7 * DAY

    await club.sandbox.advance(paid_until)
    await club.advance(DAY)
    assert (await club.view(member)).ground == "gift"
    before = len(await ledger(member))
    await club.sandbox.advance(ends)
    await club.hear()
    assert (before, (await club.view(member)).state) == (1, MembershipState.ACTIVE)
    await club.advance(DAY)
    seen = await club.view(member)
    assert (seen.state, seen.ground, seen.period_start) == (MembershipState.ACTIVE, "paid", ends)
    assert len(await ledger(member)) == 2
    assert (await prove()).breaches == []


async def test_an_order_during_a_gift_is_charged_when_the_gift_ends(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.enrol()
    await given(club, member, 1)
    with_points = await points(club, member)
    await club.advance(5 * DAY)
    seen = await club.join(member)
    ends = later(at, 1)
    assert (seen.state, seen.ground, seen.renews_at, seen.trial_ends_at) == (
        *(MembershipState.ACTIVE, "gift", ends, None),
    )
    assert await ledger(member) == []
    with pytest.raises(AlreadyMember):
        await club.memberships.checkout(member, await club.order(), key="k", at=club.now())
    await club.sandbox.advance(ends)
    await club.advance(DAY)
    assert (await club.view(member)).ground == "paid"
    assert await ledger(member) == [("payment", 7_900, "SEK")]
    assert await points(club, member) == with_points + 100
    assert (await prove()).breaches == []


async def test_an_order_in_a_gifts_last_days_begins_as_soon_as_stripe_lets_it(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    member = await club.enrol()
    await given(club, member, 1)
    await club.sandbox.advance(later(at, 1) - DAY)
    await club.hear()
    seen = await club.join(member)
    assert seen.renews_at == later(at, 1) + timedelta(hours=25)
    # The day between is free.
    assert seen.entitled_until is not None
    assert seen.entitled_until >= seen.renews_at
    await club.advance(3 * DAY)
    assert (await club.view(member)).ground == "paid"
    assert (await prove()).breaches == []


async def test_a_trial_that_was_ordered_is_kept_whole_beside_a_gift(at: datetime) -> None:
    club = await make_club(at, TRIED)
    member = await club.joined()
    await club.advance(4 * DAY)
    await given(club, member, 1)
    seen = await club.view(member)
    trial_ends = at + 14 * DAY
    assert (seen.state, seen.trial_ends_at) == (MembershipState.TRIALING, trial_ends)
    assert seen.renews_at == later(trial_ends, 1)
    other = await club.enrol("other")
    await given(club, other, 1)
    ordered = await club.join(other, card="5555555555554444")
    gift_ends = later(at + 4 * DAY, 1)
    assert (ordered.ground, ordered.renews_at) == ("gift", gift_ends + 14 * DAY)
    await club.sandbox.advance(gift_ends)
    await club.advance(DAY)
    assert (await club.view(other)).state is MembershipState.TRIALING
    assert (await club.view(member)).ground == "gift"
    await club.advance(20 * DAY)
    assert [(await club.view(one)).ground for one in (member, other)] == ["paid", "paid"]
    assert (await prove()).breaches == []


async def test_whoever_restores_a_membership_with_a_gift_pays_after_it(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    await club.memberships.cancel(member, key="c", at=club.now())
    await given(club, member)
    await club.advance(DAY)
    await club.memberships.uncancel(member, key="u", at=club.now())
    assert (await club.view(member)).renews_at == later(at, 3)


async def test_a_gift_waits_while_something_else_is_under_way(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    await club.memberships.pause(member, months=1, key="p", at=club.now())
    with pytest.raises(GiftWaits) as why:
        await given(club, member)
    assert why.value.facts["until"] is not None
    await club.memberships.resume(member, key="r", at=club.now())
    await club.replace_card(member, "pm_card_chargeCustomerFail")
    await club.sandbox.advance(later(at, 1) + DAY)
    await club.hear()
    with pytest.raises(GiftWaits):
        await given(club, member)


async def test_a_gift_that_is_given_back_puts_a_renewal_off_no_more(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.joined()
    gift = await give(club, giver)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    assert (await club.view(member)).renews_at == later(at, 4)
    await club.advance(3 * DAY)
    await refund(club, giver, 3 * 7_900)
    await club.hear()
    assert await recovering.recover(club.gateway, club.now() + timedelta(minutes=5)) == 1
    await club.hear()
    seen = await club.view(member)
    assert (seen.ground, seen.renews_at) == ("paid", later(at, 1))
    await club.sandbox.advance(later(at, 1) + DAY)
    await club.hear()
    assert (await club.view(member)).ground == "paid"
    assert (await prove()).breaches == []


async def test_a_renewal_that_was_put_off_and_fails_has_grace(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    await given(club, member, 1)
    await club.replace_card(member, "pm_card_chargeCustomerFail")
    ends = later(at, 2)
    await club.sandbox.advance(ends + DAY)
    await club.hear()
    seen = await club.view(member)
    assert (seen.state, seen.ground) == (MembershipState.PAST_DUE, "grace")
    assert seen.entitled_until == ends + 7 * DAY


@pytest.mark.parametrize("is_after", [False, True], ids=["before it is done", "answer lost"])
async def test_a_renewal_is_put_off_also_when_stripe_is_lost_after_the_gift(
    at: datetime, *, is_after: bool
) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.joined()
    gift = await give(club, giver, 2)
    code = gift.code or ""
    async with transaction() as connection:
        live = await register.live(connection, member)
    assert live is not None
    path = f"/v1/subscriptions/{live.subscription}"
    club.sandbox.faults.add(Kind.LOST, times=20, method="POST", path=path, after=is_after)
    with pytest.raises(StripeUnavailable):
        await club.memberships.redeem_gift(member, code, key="r", at=club.now())
    club.sandbox.faults.planned.clear()
    await club.memberships.redeem_gift(member, code, key="r", at=club.now())
    await club.advance(timedelta(minutes=3))
    assert await recovering.recover(club.gateway, club.now()) == 1
    await club.hear()
    seen = await club.view(member)
    assert seen.renews_at == later(at, 3)
    await club.advance(80 * DAY)
    assert await ledger(member) == [("payment", 7_900, "SEK")]
    assert (await prove()).breaches == []
