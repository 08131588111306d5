"""Whatever happens at the sandbox, the newest event of each object shows it so, and sums agree.

Our billing lives by events: a change that none tells would never be looked at. The walks are made
of dice, the seeds are fixed; `SEEDS` may be widened by hand.
"""

import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import stripe

from billing.sandbox.documents import Document, at_path
from tests.billing.sandbox.shop import Shop

SEEDS = range(6)
STEPS = 14
TOLD = {
    "subscription": (
        *("status", "cancel_at_period_end", "cancel_at", "canceled_at", "ended_at", "trial_end"),
        *("pause_collection", "items", "pending_update", "schedule"),
    ),
    "invoice": ("status", "amount_due", "amount_paid", "attempt_count", "next_payment_attempt"),
    "charge": ("status", "amount_refunded", "disputed", "refunded"),
    "payment_intent": ("status", "amount_received", "latest_charge"),
    "refund": ("status", "amount"),
    "dispute": ("status",),
    "customer": ("email", "metadata", "invoice_settings"),
    "subscription_schedule": ("status", "phases"),
}


class Walk:
    """A shop with one customer, to whom things happen."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.shop = Shop()
        self.prices: list[str] = []
        self.customer = ""
        self.subscription = ""

    async def begin(self) -> None:
        """Subscribe with a card that pays, or that only seems to."""
        self.prices = [await self.shop.price(7900), await self.shop.price(9900)]
        card = self.dice.choice(["pm_card_visa", "pm_card_authenticationRequiredOnSetup"])
        self.customer = await self.shop.customer(card)
        trial = self.dice.choice([None, 14])
        more = {} if trial is None else {"trial_period_days": trial}
        made = await self.shop.subscribe(self.customer, self.prices[0], **more)
        self.subscription = made.id

    async def step(self) -> str:
        """Let one thing happen, which may be refused, and return its name."""
        acts: list[Callable[[], Awaitable[Any]]] = [
            *(self.wait_a_day, self.wait_a_month, self.wait_a_month, self.swap, self.cancel),
            *(self.keep, self.pause, self.resume, self.break_card, self.mend_card, self.refund),
            *(self.pay, self.schedule),
        ]
        act = self.dice.choice(acts)
        with suppress(stripe.InvalidRequestError, stripe.CardError):
            await act()
        return act.__name__

    async def wait_a_day(self) -> None:
        await self.shop.advance(days=1)

    async def wait_a_month(self) -> None:
        await self.shop.advance(days=31)

    async def swap(self) -> None:
        found = await self.shop.client.subscriptions.retrieve_async(self.subscription)
        await self.shop.swap(
            found, self.dice.choice(self.prices), payment_behavior="pending_if_incomplete"
        )

    async def cancel(self) -> None:
        await self.shop.update(self.subscription, cancel_at_period_end=True)

    async def keep(self) -> None:
        await self.shop.update(self.subscription, cancel_at_period_end=False)

    async def pause(self) -> None:
        until = int((self.shop.sandbox.now() + timedelta(days=40)).timestamp())
        await self.shop.update(
            self.subscription, pause_collection={"behavior": "void", "resumes_at": until}
        )

    async def resume(self) -> None:
        await self.shop.update(self.subscription, pause_collection="")

    async def break_card(self) -> None:
        await self.shop.keep_card(self.customer, "pm_card_chargeCustomerFail")

    async def mend_card(self) -> None:
        await self.shop.keep_card(self.customer, "pm_card_visa")

    async def pay(self) -> None:
        for invoice in await self.shop.invoices(self.subscription):
            if invoice.status == "open":
                await self.shop.client.invoices.pay_async(invoice.id)

    async def refund(self) -> None:
        charges = await self.shop.client.charges.list_async({"customer": self.customer})
        for charge in charges.data[:1]:
            await self.shop.client.refunds.create_async({"charge": charge.id, "amount": 500})

    async def schedule(self) -> None:
        await self.shop.client.subscription_schedules.create_async(
            {"from_subscription": self.subscription}
        )

    def silent(self) -> list[str]:
        """Name each object whose newest event shows it otherwise than it is."""
        with self.shop.sandbox.store.snapshot() as snapshot:
            world = self.shop.sandbox.world(snapshot)
            newest: dict[str, Document] = {}
            for event in snapshot.all("event"):
                shown = event["data"]["object"]
                newest[shown.get("id", "")] = shown
            return [
                f"{kind}.{field} is {at_path(now, field)!r}, told {at_path(told, field)!r}"
                for kind, fields in TOLD.items()
                for now in map(world.show, snapshot.all(kind))
                for told in [newest.get(now["id"], {})]
                for field in fields
                if json.dumps(at_path(now, field)) != json.dumps(at_path(told, field))
            ]

    def books(self) -> list[str]:
        """Name each sum of money that does not agree with another."""
        with self.shop.sandbox.store.snapshot() as snapshot:
            charges = snapshot.all("charge", {"status": "succeeded"})
            refunds = snapshot.all("refund", {"status": "succeeded"})
            booked = snapshot.all("balance_transaction")
            sums = {
                "charged": sum(each["amount"] for each in charges),
                "paid": sum(each["amount_paid"] for each in snapshot.all("invoice")),
                "booked in": sum(each["amount"] for each in booked if each["amount"] > 0),
                "refunded": sum(each["amount"] for each in refunds),
                "taken back": sum(each["amount_refunded"] for each in charges),
                "booked out": -sum(each["amount"] for each in booked if each["amount"] < 0),
            }
        pairs = [("charged", "paid"), ("charged", "booked in")]
        pairs += [("refunded", "taken back"), ("refunded", "booked out")]
        return [f"{a} {sums[a]}, {b} {sums[b]}" for a, b in pairs if sums[a] != sums[b]]


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_newest_events_show_what_is_and_the_sums_agree(seed: int) -> None:
    walk = Walk(seed)
    await walk.begin()
    happened = ["begin"]
    assert walk.silent() == [], happened
    for _ in range(STEPS):
        happened.append(await walk.step())
        assert walk.silent() == [], happened
        assert walk.books() == [], happened
