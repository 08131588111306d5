"""What can happen to a subscription at Stripe: its member, its bank and its staff act there."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Picture
from billing.sandbox.engine import disputes
from tests.billing.subscriptions.world import Club

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"
ACTS = (
    *("fail", "mend", "cancel", "uncancel", "upgrade", "downgrade", "pause", "resume"),
    *("refund", "refund some", "dispute", "dispute", "win", "lose"),
)
"""What can happen, beside its `end`, and that time goes on (`days`)."""


class Happenings:
    """What happens to one subscription."""

    def __init__(self, club: Club, subscription: str) -> None:
        self.club, self.subscription, self.no = club, subscription, 0

    async def act(self, kind: str, number: int) -> None:
        """Do one thing at Stripe; what it does not allow is not done."""
        self.no += 1
        key = f"{self.subscription}-{self.no}"
        gateway, one = self.club.gateway, (await self.picture()).subscription
        acts: dict[str, Callable[[], Any]] = {
            "days": lambda: self.club.advance(days=number),
            "fail": lambda: self.club.keep_card(one.customer_id, BAD),
            "mend": lambda: self.mend(one.customer_id),
            "cancel": lambda: gateway.cancel_at_period_end(key, one.id, cancel=True),
            "uncancel": lambda: gateway.cancel_at_period_end(key, one.id, cancel=False),
            "end": lambda: gateway.cancel_now(key, one.id),
            "upgrade": lambda: gateway.change_price(
                key, one, self.club.prices["prime/month"], proration_at=self.club.at
            ),
            "downgrade": lambda: gateway.schedule_price(key, one, self.club.prices["plus/month"]),
            "pause": lambda: gateway.pause(key, one.id, one.period_end + timedelta(days=number)),
            "resume": lambda: gateway.resume(key, one.id),
            "refund": lambda: self.refund(key, whole=True),
            "refund some": lambda: self.refund(key, whole=False),
            "dispute": self.dispute,
            "win": lambda: self.decide("winning_evidence"),
            "lose": lambda: self.decide("losing_evidence"),
        }
        with suppress(StripeRefused):
            await acts[kind]()

    async def mend(self, customer: str) -> None:
        """Bring a card that works, and pay what is open with it."""
        await self.club.keep_card(customer, GOOD)
        for invoice in (await self.picture()).invoices:
            if invoice.status == "open":
                await self.club.stripe.invoices.pay_async(invoice.id)

    async def refund(self, key: str, *, whole: bool) -> None:
        """Give the last payment back, or a part of it."""
        paid = [one for one in (await self.picture()).invoices if one.payment_intent_ids]
        if paid and paid[-1].status == "paid":
            money = paid[-1].amount_paid
            part = money if whole else type(money)(money.amount_minor // 3 or 1, money.currency)
            await self.club.gateway.refund(key, paid[-1].payment_intent_ids[0], part, {})

    async def dispute(self) -> None:
        """Let the cardholder's bank take the last payment back, if nothing of it has gone back."""
        shown = await self.picture()
        back = {one.payment_intent_id for one in shown.refunds}
        back |= {one.payment_intent_id for one in shown.disputes}
        paid = [one for one in shown.invoices if one.status == "paid" and one.payment_intent_ids]
        if not paid or back & set(paid[-1].payment_intent_ids):
            return
        asked = {"payment_intent": paid[-1].payment_intent_ids[0]}
        charge = await anext(self.club.gateway.pages("/v1/charges", asked))
        with self.club.sandbox.store.transaction() as making:
            world = self.club.sandbox.world(making)
            disputes.open_one(world, world.get("charge", charge["id"]), reason="fraudulent")

    async def decide(self, word: str) -> None:
        """Let the bank decide the disputes that are open."""
        evidence = {"evidence": {"uncategorized_text": word}, "submit": True}
        for one in (await self.picture()).disputes:
            if one.is_open:
                await self.club.gateway.post(None, f"/v1/disputes/{one.id}", evidence)

    async def picture(self) -> Picture:
        """Return the subscription as Stripe has it."""
        return await self.club.gateway.picture(self.subscription)
