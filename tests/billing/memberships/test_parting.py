"""A member who leaves the coalition pays no more, and what Stripe knows of it is forgotten."""

from datetime import datetime, timedelta

import pytest

from billing.gateway.refusals import StripeUnavailable
from billing.gateway.shapes import SubscriptionStatus
from billing.sandbox.faults import Kind
from billing.subscriptions import keeping, recovering, register
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from tests.billing.memberships.world import make_club

pytestmark = pytest.mark.usefixtures("database")

SOON = timedelta(minutes=3)


async def test_whoever_leaves_is_charged_no_more(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    async with transaction() as connection:
        live = await register.live(connection, member)
        await keeping.leave(connection, member, club.now())
        await keeping.leave(connection, member, club.now())
    assert live is not None
    assert live.subscription is not None
    assert await recovering.recover(club.gateway, club.now()) == 0
    await club.advance(SOON)
    assert await recovering.recover(club.gateway, club.now()) == 1
    assert await recovering.recover(club.gateway, club.now()) == 0
    ended = (await club.gateway.picture(live.subscription)).subscription
    assert ended.status is SubscriptionStatus.CANCELED
    await club.hear()
    assert (await club.view(member)).state is MembershipState.ENDED


async def test_an_order_that_waits_can_be_paid_no_more(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    opened = await club.memberships.checkout(member, await club.order(), key="k", at=at)
    async with transaction() as connection:
        await keeping.leave(connection, member, club.now())
    await club.advance(SOON)
    await recovering.recover(club.gateway, club.now())
    assert (await club.gateway.checkout(opened.checkout_id)).status == "expired"
    assert (await club.view(member)).state is MembershipState.NONE


async def test_a_member_gets_a_copy_and_stripe_forgets_it(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.memberships.cancel(member, key="c", at=club.now())
    async with transaction() as connection:
        copy = {name: part async for name, part in keeping.KEEPER.export(connection, member, at)}
        await keeping.KEEPER.erase(connection, member, club.now())
    assert set(copy) >= {
        *("memberships", "membership_payments", "membership_orders", "membership_receipts"),
        *("membership_withdrawals", "gifts", "customers_at_stripe"),
    }
    assert all(isinstance(part, list) for part in copy.values())
    await club.advance(SOON)
    await recovering.recover(club.gateway, club.now())
    customers = copy["customers_at_stripe"]
    assert isinstance(customers, list)
    found = await club.gateway.get(f"/v1/customers/{customers[0]}")
    assert found.get("deleted")


async def test_a_withdrawal_that_was_broken_off_is_ended_by_the_worker(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    club.sandbox.faults.add(Kind.BROKEN, times=20, path="/v1/refunds")
    with pytest.raises(StripeUnavailable):
        await club.memberships.confirm_withdrawal(
            declared.withdrawal_id, member=member, key="w", at=club.now()
        )
    club.sandbox.faults.planned.clear()
    await club.advance(SOON)
    assert await recovering.recover(club.gateway, club.now()) == 2
    await club.hear()
    assert (await club.view(member)).state is MembershipState.ENDED
    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key="w", at=club.now()
    )
    assert receipt.refund == declared.refund
