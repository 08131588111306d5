"""A membership's life at Stripe, told again with each answer lost, broken or refused in passing.

The sandbox must be left as it is when nothing goes wrong: one customer, one subscription, one
charge each, whatever the client had to ask twice.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from billing.gateway.client import Gateway
from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.plans.catalogue import PlanPrice
from billing.sandbox import Sandbox
from billing.sandbox.contract import Contract
from billing.sandbox.faults import Kind
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from tests.support.stripe_sandbox import TEST_KEY, client_of

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MEMBER = MemberId(UUID(int=7))
FACTS = {"member_id": str(MEMBER)}


class Life:
    """Tells one life of a membership; before each act of writing a fault is planned."""

    def __init__(self, kind: Kind | None, *, after: bool) -> None:
        self.sandbox = Sandbox(None, now=lambda: START, seed="life", contract=Contract())
        transport = httpx.ASGITransport(app=self.sandbox.application)
        self.gateway = Gateway(TEST_KEY, transport=transport, pauses_s=(0.0, 0.0))
        self.stripe = client_of(self.sandbox.application).v1
        self._kind, self._after = kind, after

    async def do(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do an act of which two answers fail."""
        if self._kind is not None:
            for method in ("POST", "DELETE"):
                self.sandbox.faults.add(self._kind, times=2, method=method, after=self._after)
        done = await act()
        self.sandbox.faults.planned.clear()
        return done

    async def tell(self) -> Subscription:
        """Buy, change, schedule, pause, cancel, refund; return the subscription as it ended."""
        do, gateway = self.do, self.gateway
        customer = await do(
            lambda: gateway.customer("c", member_id=MEMBER, email="a@b.example", country="SE")
        )
        product = await do(lambda: gateway.product("p", "plus", "Plus"))
        cheap = await do(lambda: gateway.price("p1", product, price(1, 7900)))
        dear = await do(lambda: gateway.price("p2", product, price(2, 9900)))
        bought = await self._buy(customer, cheap)
        changed = await do(lambda: gateway.change_price("up", bought, dear, proration_at=START))
        await do(lambda: gateway.schedule_price("down", changed, cheap))
        changed = await self._again(changed)
        await do(lambda: gateway.drop_schedule("stay", changed))
        await do(lambda: gateway.pause("rest", changed.id, START + timedelta(days=90)))
        await do(lambda: gateway.resume("go", changed.id))
        await do(lambda: gateway.cancel_at_period_end("end", changed.id, cancel=True))
        await do(lambda: gateway.cancel_at_period_end("on", changed.id, cancel=False))
        paid = (await gateway.picture(changed.id)).invoices[-1]
        back = Money(1000, "SEK")
        (payment,) = paid.payment_intent_ids
        await do(lambda: gateway.refund("back", payment, back, {}))
        await do(lambda: gateway.cancel_now("over", changed.id))
        return await self._again(changed)

    async def _buy(self, customer: str, price_id: str) -> Subscription:
        pages = {"success_url": "http://us/ok", "cancel_url": "http://us/no"}
        await self.do(
            lambda: self.gateway.open_payment_checkout(
                "gift",
                customer_id=None,
                money=Money(5000, "SEK"),
                what="Gift",
                metadata={},
                **pages,
            )
        )
        checkout = await self.do(
            lambda: self.gateway.open_checkout(
                "buy",
                customer_id=customer,
                price_id=price_id,
                trial_days=0,
                metadata=FACTS,
                success_url=pages["success_url"],
                cancel_url=pages["cancel_url"],
            )
        )
        await self.do(lambda: self.gateway.expire_checkout("shut", checkout.id))
        card = await self.stripe.payment_methods.attach_async(
            "pm_card_visa", {"customer": customer}
        )
        await self.stripe.subscriptions.create_async(
            {
                "customer": customer,
                "items": [{"price": price_id}],
                "default_payment_method": card.id,
                "billing_mode": {"type": "flexible"},
                "metadata": FACTS,
            }
        )
        (bought,) = await self.gateway.subscriptions_of(customer)
        return bought

    async def _again(self, subscription: Subscription) -> Subscription:
        return (await self.gateway.picture(subscription.id)).subscription

    def left(self) -> list[Any]:
        """Return all that the sandbox holds, but what names a single request."""
        rows = self.sandbox.store.connection.execute("SELECT kind FROM document ORDER BY seq")
        kinds = dict.fromkeys(kind for (kind,) in rows)
        with self.sandbox.store.snapshot() as snapshot:
            return [
                {name: value for name, value in document.items() if name != "request"}
                for kind in kinds
                for document in snapshot.all(kind)
            ]


def price(no: int, amount: int) -> PlanPrice:
    """Return a price of so many öre a month."""
    return PlanPrice(
        no=no,
        plan_no=1,
        interval="month",
        money=Money(amount, "SEK"),
        eligibility=None,
        valid_from=START,
        valid_until=None,
        stripe_price_id=None,
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
async def test_whatever_fails_in_passing_the_same_is_left(kind: Kind, *, after: bool) -> None:
    quiet, troubled = Life(None, after=False), Life(kind, after=after)
    ended = await quiet.tell()
    assert ended.status is SubscriptionStatus.CANCELED
    assert await troubled.tell() == ended
    assert troubled.left() == quiet.left()
