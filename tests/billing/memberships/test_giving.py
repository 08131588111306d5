"""Gifts and grants: paid once and redeemed once, stacked, by two persons, taken back."""

from datetime import datetime, timedelta

import pytest

from billing.subscriptions import granting
from billing.subscriptions.granting import PreparedGrant, PreparedGrantEnd
from billing.subscriptions.refusals import (
    AlreadyMember,
    GiftNotSold,
    NothingToCancel,
    NothingToTakeBack,
    UnknownGift,
)
from billing.subscriptions.views import GiftOrder, GiftState, MembershipState
from coalition.access.refusals import TooManyAttempts
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.oversight.refusals import SecondPersonNeeded
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def bought(club: Club, member: MemberId, months: int = 3) -> str:
    """Let a member buy a gift of Plus; return its code."""
    order = GiftOrder(plan="plus", months=months, currency="SEK")
    gift = await club.memberships.buy_gift(member, order, key=club.key(), at=club.now())
    assert (gift.state, gift.code) == (GiftState.OPEN, None)
    assert gift.url is not None
    await club.pay(gift.url)
    seen = await club.memberships.gifts(member, at=club.now())
    (paid,) = [one for one in seen if one.gift_id == gift.gift_id]
    assert paid.state is GiftState.PAID
    assert paid.code is not None
    return paid.code


async def granted(club: Club, member: MemberId, **keys: object) -> None:
    """Let staff grant months of Plus to a member, two persons."""
    wanted = PreparedGrant(
        **({"member_id": member, "ground": "comped", "plan": "plus", "months": 2,
            "reason": "a complaint"} | keys),  # type: ignore[arg-type]  # by name
    )  # fmt: skip
    approval = await granting.prepare(wanted, prepared_by="staff:anna", at=club.now())
    await granting.approve(approval, kind=granting.GRANT, approved_by="staff:bertil", at=club.now())


async def test_a_gift_is_paid_once_and_gives_its_months_to_who_redeems_it(at: datetime) -> None:
    club = await make_club(at)
    giver, member = await club.enrol("giver"), await club.enrol()
    code = await bought(club, giver)
    assert len(code) == 19
    written = code.lower().replace("-", " ")
    seen = await club.memberships.redeem_gift(member, written, key="r", at=club.now())
    assert (seen.state, seen.plan, seen.ground) == (MembershipState.GIVEN, "plus", "gift")
    assert seen.ends_at == at.replace(year=2027, month=2)
    assert (
        await club.memberships.redeem_gift(member, code, key="again", at=club.now())
    ).ends_at == seen.ends_at
    with pytest.raises(UnknownGift):
        await club.memberships.redeem_gift(giver, code, key="steal", at=club.now())
    (gift,) = await club.memberships.gifts(giver, at=club.now())
    assert (gift.state, gift.price) == (GiftState.REDEEMED, Money(23_700, "SEK"))
    with pytest.raises(NothingToCancel):
        await club.memberships.cancel(member, key="c", at=club.now())

    await club.advance(93 * DAY)
    assert (await club.view(member)).state is MembershipState.ENDED


async def test_gifts_follow_each_other(at: datetime) -> None:
    club = await make_club(at)
    giver, member = await club.enrol("giver"), await club.enrol()
    codes = [await bought(club, giver, 2), await bought(club, giver, 2)]
    ends = [
        (await club.memberships.redeem_gift(member, code, key=code, at=club.now())).ends_at
        for code in codes
    ]
    assert ends == [at.replace(year=2027, month=1), at.replace(year=2027, month=3)]


async def test_a_gift_waits_for_the_end_of_a_membership_that_was_cancelled(at: datetime) -> None:
    club = await make_club(at)
    giver, member = await club.enrol("giver"), await club.joined()
    code = await bought(club, giver, 1)
    receipt = await club.memberships.cancel(member, key=club.key(), at=club.now())
    seen = await club.memberships.redeem_gift(member, code, key=club.key(), at=club.now())
    assert receipt.ends_at == at.replace(month=12)
    assert seen.entitled_until == at.replace(year=2027, month=1)
    await club.advance(31 * DAY)
    assert (await club.view(member)).ground == "gift"


async def test_codes_cannot_be_tried_out(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    refusals = []
    for number in range(20):
        with pytest.raises((UnknownGift, TooManyAttempts)) as why:
            await club.memberships.redeem_gift(
                member, f"AAAA-BBBB-CCCC-{number:04}", key=club.key(), at=club.now()
            )
        refusals.append(why.type)
    assert (refusals[0], refusals[-1]) == (UnknownGift, TooManyAttempts)


async def test_a_code_that_was_not_paid_or_is_too_old_gives_nothing(at: datetime) -> None:
    club = await make_club(at)
    giver, member = await club.enrol("giver"), await club.enrol()
    order = GiftOrder(plan="plus", months=1, currency="EUR")
    with pytest.raises(GiftNotSold):
        await club.memberships.buy_gift(giver, order, key="g", at=at)
    code = await bought(club, giver)
    with pytest.raises(UnknownGift):
        await club.memberships.redeem_gift(member, code, key="r", at=at + 4 * 365 * DAY)


async def test_staff_grant_months_by_two_persons_and_take_them_back(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    wanted = PreparedGrant(
        member_id=member, ground="comped", plan="plus", months=2, reason="a complaint"
    )
    approval = await granting.prepare(wanted, prepared_by="staff:anna", at=at)
    with pytest.raises(SecondPersonNeeded):
        await granting.approve(approval, kind=granting.GRANT, approved_by="staff:anna", at=at)
    await granting.approve(approval, kind=granting.GRANT, approved_by="staff:bo", at=at)
    seen = await club.view(member)
    assert (seen.state, seen.ground, seen.ends_at) == (
        MembershipState.GIVEN,
        "comped",
        at.replace(year=2027, month=1),
    )
    end = PreparedGrantEnd(member_id=member, source=str(approval), reason="a mistake")
    for refused in (False, True):
        ending = await granting.prepare_end(end, prepared_by="staff:anna", at=club.now())
        work = granting.approve(
            ending, kind=granting.GRANT_END, approved_by="staff:bo", at=club.now()
        )
        if refused:
            with pytest.raises(NothingToTakeBack):
                await work
        else:
            await work
    assert (await club.view(member)).state is MembershipState.ENDED


async def test_a_partner_sponsors_months_and_a_paying_member_is_given_none(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    await granted(club, member, ground="sponsored", partner_no=1)
    assert (await club.view(member)).ground == "sponsored"
    with pytest.raises(AlreadyMember):
        await granted(club, await club.joined(name="bo"))


@pytest.mark.parametrize("is_redeemed", [False, True], ids=["waits", "redeemed"])
async def test_a_gift_whose_payment_goes_back_gives_nothing_more(
    at: datetime, *, is_redeemed: bool
) -> None:
    club = await make_club(at)
    giver, member = await club.enrol("giver"), await club.enrol()
    code = await bought(club, giver)
    if is_redeemed:
        await club.memberships.redeem_gift(member, code, key="r", at=club.now())
    async with transaction() as connection:
        payment = await connection.fetchval("SELECT payment FROM gift")
    part, rest = Money(700, "SEK"), Money(23_000, "SEK")
    await club.gateway.refund("part", payment, part, {})
    await club.hear()
    assert (await club.memberships.gifts(giver, at=club.now()))[0].state is not GiftState.REFUNDED
    await club.gateway.refund("rest", payment, rest, {})
    await club.hear()
    (gift,) = await club.memberships.gifts(giver, at=club.now())
    assert (gift.state, gift.code) == (GiftState.REFUNDED, None)
    if is_redeemed:
        assert (await club.view(member)).state is MembershipState.ENDED
    else:
        with pytest.raises(UnknownGift):
            await club.memberships.redeem_gift(member, code, key="r", at=club.now())
