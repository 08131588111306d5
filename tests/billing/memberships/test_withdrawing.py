"""Withdrawing: two steps, days that were used, the last day, and without signing in."""

from datetime import datetime, timedelta

import pytest

from billing.subscriptions import customers, entries
from billing.subscriptions.refusals import (
    NothingToWithdraw,
    UnknownMembership,
    UnknownWithdrawal,
    WithdrawalTooLate,
)
from billing.subscriptions.views import MembershipState, ReceiptKind
from coalition.access.refusals import TooManyAttempts
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money
from tests.billing.memberships.world import TRIED, make_club
from tests.billing.plans.written import plan

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def net(member: MemberId) -> int:
    """Return what the member has paid in all, in öre."""
    async with transaction() as connection:
        return (await entries.net(connection, member)).get("SEK", 0)


async def test_on_day_thirteen_the_days_that_are_left_come_back(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined(interval="year")
    await club.advance(12 * DAY + timedelta(hours=1))
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    last = at.replace(day=5, month=12, hour=23)
    assert (declared.paid, declared.until) == (Money(79_000, "SEK"), last)
    kept = 79_000 * 13 // 365
    assert (declared.kept_for_days, declared.refund) == (
        Money(kept, "SEK"),
        Money(79_000 - kept, "SEK"),
    )
    assert (await club.view(member)).state is MembershipState.ACTIVE

    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert (receipt.kind, receipt.refund, receipt.ends_at) == (
        ReceiptKind.WITHDRAWN,
        declared.refund,
        club.now(),
    )
    again = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=None, key="x", at=club.now()
    )
    assert again == receipt
    seen = await club.view(member)
    assert (seen.state, seen.ground, await net(member)) == (MembershipState.ENDED, None, kept)
    with pytest.raises(NothingToWithdraw):
        await club.memberships.declare_withdrawal(member, at=club.now())


async def test_the_fourteenth_day_counts_whole_and_the_fifteenth_is_refused_with_the_date(
    at: datetime,
) -> None:
    club = await make_club(at)  # the 21st, noon: the last day is the 5th, in Stockholm
    member = await club.joined()
    await club.advance(datetime(2026, 12, 5, 22, 59, tzinfo=at.tzinfo) - at)
    await club.memberships.declare_withdrawal(member, at=club.now())
    await club.advance(timedelta(minutes=1))
    with pytest.raises(WithdrawalTooLate) as why:
        await club.memberships.declare_withdrawal(member, at=club.now())
    assert why.value.facts["until"] == "2026-12-05T23:00:00+00:00"


async def test_what_was_declared_in_time_is_confirmed_within_a_day(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    other = await club.memberships.declare_withdrawal(member, at=club.now())
    assert other == declared
    late = await club.advance(DAY)
    with pytest.raises(WithdrawalTooLate):
        await club.memberships.confirm_withdrawal(
            declared.withdrawal_id, member=member, key="w", at=late
        )


async def test_a_trial_is_withdrawn_from_without_money(at: datetime) -> None:
    club = await make_club(at, TRIED)
    member = await club.joined("tried")
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    assert declared.refund == Money(0, "SEK")
    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert receipt.refund == Money(0, "SEK")
    assert (await club.view(member)).state is MembershipState.ENDED


async def test_after_an_upgrade_both_payments_give_back(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.advance(2 * DAY)
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    paid = await net(member)
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    assert declared.paid.amount_minor == paid
    assert declared.refund.amount_minor > 7_900  # more than either payment alone
    await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert await net(member) == paid - declared.refund.amount_minor


async def test_of_a_price_with_a_discount_the_days_cost_what_was_paid_for_them(
    at: datetime,
) -> None:
    club = await make_club(at)
    post = club.gateway.post
    coupon = await post(None, "/v1/coupons", {"percent_off": 50, "duration": "once"})
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    await post(None, "/v1/promotion_codes", {"promotion": promotion, "code": "HALF"})
    member = await club.joined(interval="year", promotion="HALF")
    await club.advance(12 * DAY + timedelta(hours=1))
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    assert declared.paid == Money(39_500, "SEK")
    assert declared.kept_for_days == Money(39_500 * 13 // 365, "SEK")


async def test_what_goes_back_as_money_is_no_credit_for_later_invoices_as_well(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined(interval="year")
    await club.advance(3 * DAY)
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    customer = await customers.find(member)
    credit = 79_000 * 362 // 365 + 1 - 14_900  # half an öre counts as one
    assert (await club.gateway.get(f"/v1/customers/{customer}"))["balance"] == -credit
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    assert declared.refund == Money(79_000 - 79_000 * 3 // 365, "SEK")
    await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert (await club.gateway.get(f"/v1/customers/{customer}"))["balance"] == 0
    assert await net(member) == 79_000 * 3 // 365


async def test_what_went_back_since_it_was_declared_does_not_go_back_again(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    charge = await anext(club.gateway.pages("/v1/charges", {}))
    await club.gateway.post(None, "/v1/refunds", {"charge": charge["id"], "amount": 7_000})
    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert receipt.refund == Money(900, "SEK")
    assert await net(member) == 0


async def test_what_was_paid_since_it_was_declared_goes_back_whole(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.advance(2 * DAY)
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    back = declared.refund.amount_minor + said.due_now.amount_minor
    assert receipt.refund == Money(back, "SEK")
    assert await net(member) == declared.kept_for_days.amount_minor


async def test_whoever_has_the_reference_and_the_address_withdraws_without_signing_in(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined()
    reference = (await club.view(member)).membership_id
    assert reference is not None
    declared = await club.memberships.declare_withdrawal_as_stranger(
        reference=reference, email=" Anna@Exempel.Example", at=club.now()
    )
    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=None, key="w", at=club.now()
    )
    assert receipt.membership_id == reference
    with pytest.raises(UnknownWithdrawal):
        await club.memberships.confirm_withdrawal(random_id(), member=None, key="w", at=club.now())


async def test_addresses_cannot_be_tried_out(at: datetime) -> None:
    club = await make_club(at)
    reference = (await club.view(await club.joined())).membership_id
    assert reference is not None
    refusals = []
    for number in range(20):
        with pytest.raises((UnknownMembership, TooManyAttempts)) as why:
            await club.memberships.declare_withdrawal_as_stranger(
                reference=reference, email=f"x{number}@exempel.example", at=club.now()
            )
        refusals.append(why.type)
    assert (refusals[0], refusals[-1]) == (UnknownMembership, TooManyAttempts)


async def test_a_stranger_confirms_nothing_of_another_member(at: datetime) -> None:
    club = await make_club(at)
    member, other = await club.joined(), await club.enrol("bo")
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    with pytest.raises(UnknownWithdrawal):
        await club.memberships.confirm_withdrawal(
            declared.withdrawal_id, member=other, key="w", at=club.now()
        )


async def test_where_the_law_gives_no_right_there_is_none(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined(country="US")
    assert (await club.view(member)).withdrawal is None
    with pytest.raises(NothingToWithdraw):
        await club.memberships.declare_withdrawal(member, at=club.now())


async def test_of_a_plan_that_says_so_all_comes_back_of_what_nobody_used(at: datetime) -> None:
    club = await make_club(at, plan(refund_unused=True))
    member = await club.joined()
    await club.advance(12 * DAY)
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    assert (declared.kept_for_days.amount_minor, declared.refund) == (0, declared.paid)
    await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert await net(member) == 0
