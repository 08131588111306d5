"""Credit that a change leaves at Stripe is told, follows it, and is used by the next invoices."""

from datetime import datetime, timedelta

import pytest

from billing.subscriptions import arrivals, customers, reconciling
from coalition.kernel.money import Money
from tests.billing.memberships.gifted import ledger
from tests.billing.memberships.world import make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
LEFT = 79_000 * 362 // 365 + 1 - 14_900


async def test_credit_left_by_a_change_is_told_and_pays_the_next_invoices(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined(interval="year")
    assert (await club.view(member)).credit is None
    await club.advance(3 * DAY)
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    changed = await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    assert changed.credit == Money(LEFT, "SEK")
    await club.advance(40 * DAY)
    assert (await club.view(member)).credit == Money(LEFT - 14_900, "SEK")
    # The months that credit pays for are no money that came in.
    assert await ledger(member) == [("payment", 79_000, "SEK")]

    customer = await customers.find(member)
    for lost, minor in ((False, 10_000), (True, 20_000)):
        club.loses_webhooks = lost
        await club.gateway.post(None, f"/v1/customers/{customer}", {"balance": -minor})
        await club.hear()
        if lost:
            handler = arrivals.handler(club.memberships.house)
            await reconciling.reconcile(handler, club.now(), whole=False)
        assert (await club.view(member)).credit == Money(minor, "SEK")


async def test_credit_that_changes_after_a_subscription_has_ended_is_no_drift_of_it(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined(interval="year")
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=at)
    await club.memberships.change(member, premium, previewed_at=said.previewed_at, key="up", at=at)
    listed = await anext(club.gateway.every_subscription())
    await club.gateway.cancel_now("end", listed.subscription.id)
    await club.hear()
    customer = await customers.find(member)
    await club.gateway.post(None, f"/v1/customers/{customer}", {"balance": -500})
    await club.hear()
    handler = arrivals.handler(club.memberships.house)
    report = await reconciling.reconcile(handler, club.now(), whole=True, dry_run=True)
    assert (report.drifts, report.unexplained) == ((), ())
