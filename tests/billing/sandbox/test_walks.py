"""Whatever is done to a subscription in whatever order: its books agree, and nothing breaks."""

import asyncio
import random
from itertools import pairwise
from typing import Any

import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing.sandbox.shop import Shop

_CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
_BEHAVIORS = ("always_invoice", "create_prorations", "none")
_PAYMENTS = (
    *("allow_incomplete", "default_incomplete", "error_if_incomplete"),
    "pending_if_incomplete",
)


class Walk:
    """One customer with one subscription, to whom dice do things."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.shop = Shop()
        self.customer = ""
        self.prices: list[str] = []
        self.subscription: stripe.Subscription

    async def begin(self) -> None:
        self.customer = await self.shop.customer()
        amounts = (("month", 2801), ("month", 9900), ("month", 0), ("year", 79_999), ("week", 333))
        self.prices = [await self.shop.price(amount, interval) for interval, amount in amounts]
        more: dict[str, Any] = self.dice.choice([{}, {"trial_period_days": 10}])
        self.subscription = await self.shop.subscribe(
            self.customer, self.dice.choice(self.prices), **more
        )

    async def step(self) -> None:
        act = self.dice.choice(
            [
                *(self.move, self.move, self.move, self.change, self.change),
                *(self.card, self.end, self.pause, self.refund, self.schedule),
            ]
        )
        try:
            await act()
        except (stripe.CardError, stripe.InvalidRequestError):
            # A no of Stripe's is an answer like others; that nothing is half done shows below.
            self.subscription = await self.shop.again(self.subscription)

    async def move(self) -> None:
        await self.shop.advance(hours=self.dice.choice([1, 7, 23, 24 * 5, 24 * 20]))
        self.subscription = await self.shop.again(self.subscription)

    async def change(self) -> None:
        self.subscription = await self.shop.swap(
            self.subscription,
            self.dice.choice(self.prices),
            proration_behavior=self.dice.choice(_BEHAVIORS),
            payment_behavior=self.dice.choice(_PAYMENTS),
        )

    async def card(self) -> None:
        await self.shop.keep_card(self.customer, self.dice.choice(_CARDS))

    async def end(self) -> None:
        if self.dice.random() < 0.15:
            subscriptions = self.shop.client.subscriptions
            self.subscription = await subscriptions.cancel_async(
                self.subscription.id, {"prorate": True, "invoice_now": self.dice.random() < 0.5}
            )
            return
        leaves = self.dice.random() < 0.4
        self.subscription = await self.shop.update(
            self.subscription.id, cancel_at_period_end=leaves
        )

    async def pause(self) -> None:
        wish: Any = self.dice.choice(["", {"behavior": "void"}, {"behavior": "keep_as_draft"}])
        self.subscription = await self.shop.update(self.subscription.id, pause_collection=wish)

    async def refund(self) -> None:
        charges = await self.shop.client.charges.list_async({"customer": self.customer})
        if charges.data:
            charge = self.dice.choice(charges.data)
            await self.shop.client.refunds.create_async({"charge": charge.id, "amount": 500})

    async def schedule(self) -> None:
        schedules = self.shop.client.subscription_schedules
        if self.subscription.schedule is not None:
            await schedules.release_async(str(self.subscription.schedule))
            return
        made = await schedules.create_async({"from_subscription": self.subscription.id})
        first = made.phases[0]
        now: Any = {
            "items": [{"price": str(item.price)} for item in first["items"]],
            "start_date": first.start_date,
            "end_date": first.end_date,
        }
        then: Any = {"items": [{"price": self.dice.choice(self.prices)}]}
        await schedules.update_async(made.id, {"phases": [now, then]})

    async def judge(self) -> None:
        """Hold invoices against their lines, charges and the customer's balance."""
        invoices = await self.shop.invoices(self.subscription.id)
        for invoice in invoices:
            assert invoice.total == sum(line.amount for line in invoice.lines.data)
            if invoice.status == "paid":
                assert (invoice.amount_paid, invoice.amount_remaining) == (invoice.amount_due, 0)
        final = [invoice for invoice in invoices if invoice.status not in {"draft", "void"}]
        customer = await self.shop.client.customers.retrieve_async(self.customer)
        assert customer.balance == sum(invoice.total - invoice.amount_due for invoice in final)
        found = await self.shop.client.charges.list_async({"customer": self.customer, "limit": 100})
        taken = sum(charge.amount_captured for charge in found.data)
        assert taken == sum(invoice.amount_paid for invoice in final)
        renewed = sorted(
            (line.period.start, line.period.end)
            for invoice in invoices
            if invoice.billing_reason == "subscription_cycle"
            for line in invoice.lines.data
            if line.parent is not None
            and line.parent.subscription_item_details is not None
            and not line.parent.subscription_item_details.proration
        )
        assert all(earlier[0] < later[0] for earlier, later in pairwise(renewed))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_books_agree_after_any_walk(seed: int) -> None:
    async def tell() -> None:
        walk = Walk(seed)
        await walk.begin()
        for _ in range(12):
            await walk.step()
        await walk.judge()

    asyncio.run(tell())
