"""Journeys 1, 2 and 6 in short, on a test clock: of the sandbox, and of the real Stripe with a key.

    COALITION_STRIPE_KEY=sk_test_… pytest -m stripe tests/billing/journeys

What a browser does on Stripe's pages is done by calls here; looks are those that webhooks ask for.
"""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from billing.gateway.calls import seconds
from billing.gateway.client import Gateway
from billing.sandbox import Sandbox
from billing.sandbox.contract import Contract
from billing.subscriptions import arrivals, entries, register, selling
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import MemberId
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from tests.billing.memberships.world import HOME
from tests.billing.plans.written import on_sale, plan
from tests.points.world import make_world
from tests.support.http import SETTINGS
from tests.support.stripe_sandbox import TEST_KEY

OPENS = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
LONGEST_LOOKS = 90


class Account:
    """A member with a customer on a test clock, and the house that looks at it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.at = gateway, OPENS
        self.memberships = Memberships(gateway, MemberKeys.of(SETTINGS), home=HOME)
        self.clock = self.subscription = ""
        self.member: MemberId | None = None

    async def open(self, price: str, **more: Any) -> MemberId:
        """Put the plan on sale, and let a member subscribe to a price as a checkout would."""
        await make_world(self.at)
        await on_sale(plan("plus"), self.at)
        await selling.bring(self.gateway, at=self.at, afresh=True)
        keys = MemberKeys.of(SETTINGS)
        wanted = Enrolment(email="anna@example.com", country="SE")
        enrolled = await service.enrol(wanted, partner_no=1, keys=keys, at=self.at)
        member = self.member = enrolled.member_id
        clock = {"frozen_time": seconds(self.at), "name": "coalition's journeys"}
        made = await self.gateway.post(None, "/v1/test_helpers/test_clocks", clock)
        self.clock = made["id"]
        customer = await self.gateway.customer(
            f"journey-{member}",
            member_id=member,
            email="anna@example.com",
            country="SE",
            clock_id=self.clock,
        )
        card = {"customer": customer}
        method = await self.gateway.post(None, "/v1/payment_methods/pm_card_visa/attach", card)
        wish = {
            "customer": customer,
            "items": [{"price": await self._price(price)}],
            "default_payment_method": method["id"],
            "billing_mode": {"type": "flexible"},
            "metadata": {"member_id": str(member)},
        }
        begun = await self.gateway.post(f"begin-{member}", "/v1/subscriptions", wish | more)
        self.subscription = begun["id"]
        await self.look()
        return member

    async def _price(self, interval: str) -> str:
        house = self.memberships.house
        (found,) = [
            one.stripe_price_id
            for one in (await house.plans()).by_code("plus", self.at).prices
            if one.interval == interval
        ]
        assert found is not None
        return found

    async def until(self, instant: datetime) -> None:
        """Let the clock go on, and look when Stripe is ready."""
        path = f"/v1/test_helpers/test_clocks/{self.clock}"
        asked = {"frozen_time": seconds(instant)}
        clock = await self.gateway.post(None, f"{path}/advance", asked)
        looks, is_ready = 0, clock["status"] == "ready"
        while not is_ready:
            looks += 1
            assert looks < LONGEST_LOOKS, "the clock of Stripe stands still"
            await asyncio.sleep(2)
            is_ready = (await self.gateway.get(path))["status"] == "ready"
        self.at = instant
        await self.look()

    async def look(self) -> None:
        """Look at the subscription, as a webhook would have it."""
        handler = arrivals.handler(self.memberships.house)
        await handler.handle(self.subscription, self.at)

    async def paid(self) -> list[int]:
        """Return what our ledger has, once it is compared with Stripe's invoices."""
        asked = {"subscription": self.subscription}
        invoices = [one async for one in self.gateway.pages("/v1/invoices", asked)]
        theirs = {one["id"]: one["amount_paid"] for one in invoices if one["amount_paid"]}
        assert self.member is not None
        async with transaction() as connection:
            ours = await entries.of_member(connection, self.member)
        assert {one.source: one.amount.amount_minor for one in ours} == theirs
        return [one.amount.amount_minor for one in ours]

    async def close(self) -> None:
        """Delete the clock, and with it the customer and all that it has."""
        if self.clock:
            path = f"/v1/test_helpers/test_clocks/{self.clock}"
            await self.gateway.ask("delete", path, {}, None)


def _gateway(kind: str) -> Gateway:
    if kind == "sandbox":
        sandbox = Sandbox(None, now=lambda: OPENS, seed="real", contract=Contract())
        return Gateway(TEST_KEY, transport=httpx.ASGITransport(app=sandbox.application))
    key = os.environ.get("COALITION_STRIPE_KEY", "")
    if not key.startswith(("sk_test_", "rk_test_")):
        pytest.skip("the real Stripe is asked only with COALITION_STRIPE_KEY=sk_test_…")
    return Gateway(key)


@pytest.fixture(params=["sandbox", pytest.param("stripe", marks=pytest.mark.stripe)])
def account(
    request: pytest.FixtureRequest, runner: asyncio.Runner, database: Engine
) -> Iterator[Account]:
    assert database.pool is not None
    made = Account(_gateway(request.param))
    yield made
    runner.run(made.close())


async def test_a_year_begins_with_its_trial_and_is_paid_once(account: Account) -> None:
    member = await account.open("year", trial_period_days=14)
    seen = await account.memberships.membership(member, at=account.at)
    assert (seen.state, seen.plan) == (MembershipState.TRIALING, "plus")
    assert await account.paid() == []
    await account.until(OPENS + 15 * DAY)
    seen = await account.memberships.membership(member, at=account.at)
    assert (seen.state, await account.paid()) == (MembershipState.ACTIVE, [79_000])


async def test_renewals_keep_to_the_ends_of_months(account: Account) -> None:
    member = await account.open("month")
    for number, ends in enumerate([(2, 28), (3, 31), (4, 30)], 1):
        renews = OPENS.replace(month=ends[0], day=ends[1])
        seen = await account.memberships.membership(member, at=account.at)
        assert (seen.state, seen.renews_at) == (MembershipState.ACTIVE, renews)
        assert await account.paid() == [7_900] * number
        await account.until(renews + timedelta(hours=3))


async def test_cancelled_restored_cancelled_and_ended_once(account: Account) -> None:
    member = await account.open("month")
    acts = account.memberships
    await acts.cancel(member, key="bye", at=account.at)
    assert (await acts.membership(member, at=account.at)).state is MembershipState.ENDING
    await acts.uncancel(member, key="stay", at=account.at)
    assert (await acts.membership(member, at=account.at)).state is MembershipState.ACTIVE
    receipt = await acts.cancel(member, key="for good", at=account.at)
    assert receipt.ends_at == OPENS.replace(month=2, day=28)
    await account.until(receipt.ends_at + timedelta(hours=3))
    async with transaction() as connection:
        (ended,) = await register.of_member(connection, member)
    assert (ended.state, ended.ended_at) == ("ended", receipt.ends_at)
    assert await account.paid() == [7_900]
