"""What we ask Stripe: how something stands there now, whole."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import cast

import msgspec

from billing.gateway import mapping
from billing.gateway.amounts import money_of
from billing.gateway.calls import Calls, Raw, seconds
from billing.gateway.shapes import (
    Checkout,
    Customer,
    Dispute,
    EventRow,
    Payment,
    Picture,
    Preview,
    Refund,
    Subscription,
)


class Readings(Calls):
    """The questions of billing to Stripe."""

    async def checkout(self, checkout_id: str) -> Checkout:
        """Return a hosted page as it stands."""
        return mapping.checkout_of(await self.get(f"/v1/checkout/sessions/{checkout_id}"))

    async def picture(self, subscription_id: str) -> Picture:
        """Return a subscription with its invoices, their refunds and disputes, and credit left."""
        expanded = {"expand": ["schedule", "customer"]}
        raw = await self.get(f"/v1/subscriptions/{subscription_id}", expanded)
        subscription = mapping.subscription_of(raw)
        asked = {"subscription": subscription_id, "expand": ["data.payments"]}
        found = [one async for one in self.pages("/v1/invoices", asked)]
        invoices = [mapping.invoice_of(one, await self.lines_of(one)) for one in found]
        payments = {payment for one in invoices for payment in one.payment_intent_ids}
        refunds, disputes = await self._taken_back(subscription.customer_id, payments)
        return Picture(
            subscription=subscription,
            invoices=tuple(sorted(invoices, key=lambda one: (one.created_at, one.id))),
            refunds=tuple(sorted(refunds, key=lambda one: (one.created_at, one.id))),
            disputes=tuple(sorted(disputes, key=lambda one: (one.created_at, one.id))),
            credit=mapping.credit_of(raw["customer"]),
        )

    async def lines_of(self, invoice: Raw) -> Sequence[Raw]:
        """Return all lines of an invoice, which itself holds the first ones alone."""
        lines = invoice["lines"]
        if not lines.get("has_more"):
            return cast("Sequence[Raw]", lines["data"])
        return [one async for one in self.pages(f"/v1/invoices/{invoice['id']}/lines", {})]

    async def _taken_back(
        self, customer_id: str, payments: set[str]
    ) -> tuple[list[Refund], list[Dispute]]:
        """Return the refunds and disputes of `payments`, from the charges of their customer.

        One call tells which charges have any; asking for each payment would be two calls each.
        """
        refunds: list[Refund] = []
        disputes: list[Dispute] = []
        if not payments:
            return refunds, disputes
        asked = {"customer": customer_id, "expand": ["data.refunds"]}
        async for charge in self.pages("/v1/charges", asked):
            payment = charge.get("payment_intent")
            if payment not in payments:
                continue
            given = charge.get("refunds") or {"data": (), "has_more": False}
            some: Sequence[Raw] = given["data"]
            if given.get("has_more"):
                whole = {"charge": charge["id"]}
                some = [one async for one in self.pages("/v1/refunds", whole)]
            refunds += [mapping.refund_of(one, payment_intent_id=payment) for one in some]
            if charge.get("disputed"):
                asked = {"charge": charge["id"]}
                disputes += [
                    mapping.dispute_of(one, payment_intent_id=payment)
                    async for one in self.pages("/v1/disputes", asked)
                ]
        return refunds, disputes

    async def subscriptions_of(self, customer_id: str) -> tuple[Subscription, ...]:
        """Return all subscriptions of a customer, ended ones too."""
        asked = {"customer": customer_id, "status": "all"}
        pages = self.pages("/v1/subscriptions", asked)
        return tuple([mapping.subscription_of(one) async for one in pages])

    async def preview_change(
        self, subscription: Subscription, price_id: str, at: datetime
    ) -> Preview:
        """Return what `change_price` at `at` would charge; Stripe counts in whole seconds."""
        asked = {
            "subscription": subscription.id,
            "subscription_details": {
                "items": [{"id": subscription.item_id, "price": price_id}],
                "proration_behavior": "always_invoice",
                "proration_date": seconds(at),
            },
        }
        raw = await self.post(None, "/v1/invoices/create_preview", asked)
        return mapping.preview_of(raw, raw["lines"]["data"], mapping.instant(seconds(at)))

    async def events_since(self, created: datetime) -> AsyncIterator[EventRow]:
        """Yield the events that Stripe made at `created` or later, the latest first.

        Stripe keeps them for 30 days.
        """
        async for raw in self.pages("/v1/events", {"created": {"gte": seconds(created)}}):
            payload = msgspec.json.encode(raw)
            yield EventRow(
                id=raw["id"], created_at=mapping.instant(raw["created"]), payload=payload
            )

    async def customer_as_it_is(self, customer_id: str) -> Customer | None:
        """Return a customer; None for one that was deleted. Raises `StripeRefused`."""
        raw = await self.get(f"/v1/customers/{customer_id}")
        return None if raw.get("deleted") else mapping.customer_of(raw)

    async def card_fingerprint(self, customer_id: str) -> str | None:
        """Return what tells a customer's card from others without its number; None without one."""
        path = f"/v1/customers/{customer_id}/payment_methods"
        async for one in self.pages(path, {}):
            if card := one.get("card"):
                return cast("str | None", card.get("fingerprint"))
        return None

    async def payment(self, payment_intent_id: str) -> Payment | None:
        """Return a payment that is for no subscription; None where no money has come by it."""
        asked = {"payment_intent": payment_intent_id}
        charges = [one async for one in self.pages("/v1/charges", asked)]
        taken = [one for one in charges if one["status"] == "succeeded" and one["captured"]]
        if not taken:
            return None
        (charge, *_) = taken
        refunds = [
            mapping.refund_of(one, payment_intent_id=payment_intent_id)
            async for one in self.pages("/v1/refunds", asked)
        ]
        disputes = [
            mapping.dispute_of(one, payment_intent_id=payment_intent_id)
            async for one in self.pages("/v1/disputes", asked)
        ]
        return Payment(
            id=payment_intent_id,
            amount=money_of(charge["amount_captured"], charge["currency"]),
            paid_at=mapping.instant(charge["created"]),
            refunds=tuple(sorted(refunds, key=lambda one: (one.created_at, one.id))),
            disputes=tuple(sorted(disputes, key=lambda one: (one.created_at, one.id))),
        )

    async def promotion_code(self, code: str) -> str | None:
        """Return the id of the promotion code of that word which is good now, in any case."""
        asked = {"code": code, "active": True}
        async for one in self.pages("/v1/promotion_codes", asked):
            return str(one["id"])
        return None

    async def subscription_of_payment(self, payment_intent_id: str) -> str | None:
        """Return the subscription whose invoice a payment has paid; None for any other payment."""
        invoice = await self.invoice_of_payment(payment_intent_id)
        return None if invoice is None else await self.subscription_of_invoice(invoice)

    async def invoice_of_payment(self, payment_intent_id: str) -> str | None:
        """Return the invoice that a payment has paid, or is for; None for any other payment."""
        payment = {"type": "payment_intent", "payment_intent": payment_intent_id}
        async for one in self.pages("/v1/invoice_payments", {"payment": payment}):
            return str(one["invoice"])
        return None

    async def subscription_of_invoice(self, invoice_id: str) -> str | None:
        """Return the subscription that an invoice is for; None for any other invoice."""
        raw = await self.get(f"/v1/invoices/{invoice_id}")
        return mapping.invoice_of(raw).subscription_id
