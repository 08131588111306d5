"""A shop at the sandbox: two plans, customers with cards, and what the webhooks told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import stripe

from billing.sandbox import Sandbox
from tests.support.stripe_sandbox import Mailbox, client_of, sandbox_at

START = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)


class Shop:
    """A sandbox with its client, on a clock that only `advance` moves."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.mailbox = Mailbox()
        self.sandbox: Sandbox = sandbox_at(lambda: start, self.mailbox)
        self.client = client_of(self.sandbox.application).v1
        self.browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.sandbox.application), base_url="http://sandbox"
        )

    async def listen(self) -> None:
        """Have all events sent."""
        await self.client.webhook_endpoints.create_async(
            {"url": "http://shop/hooks", "enabled_events": ["*"]}
        )

    async def price(
        self, amount: int, interval: str = "month", *, name: str = "Plus", **more: Any
    ) -> str:
        """Return a recurring price of a new product, in öre."""
        product = await self.client.products.create_async({"name": name})
        wish: Any = {"product": product.id, "currency": "sek", "unit_amount": amount}
        wish |= {"recurring": {"interval": interval}, **more}
        return (await self.client.prices.create_async(wish)).id

    async def customer(self, card: str | None = "pm_card_visa", **more: Any) -> str:
        """Return a customer with a card for invoices, or none."""
        wish: Any = {"email": "anna@example.org", **more}
        customer = await self.client.customers.create_async(wish)
        if card is not None:
            await self.keep_card(customer.id, card)
        return customer.id

    async def keep_card(self, customer: str, card: str) -> str:
        """Attach a card to a customer and charge invoices to it."""
        method = await self.client.payment_methods.attach_async(card, {"customer": customer})
        await self.client.customers.update_async(
            customer, {"invoice_settings": {"default_payment_method": method.id}}
        )
        return method.id

    async def subscribe(self, customer: str, price: str, **more: Any) -> stripe.Subscription:
        """Return a new subscription in flexible billing mode."""
        wish: Any = {"customer": customer, "items": [{"price": price}], **more}
        wish |= {"billing_mode": {"type": "flexible"}}
        return await self.client.subscriptions.create_async(wish)

    async def update(self, subscription: str, **wish: Any) -> stripe.Subscription:
        """Change a subscription and return it."""
        given: Any = wish
        return await self.client.subscriptions.update_async(subscription, given)

    async def swap(self, subscription: stripe.Subscription, price: str, **more: Any) -> Any:
        """Change to another price, as an upgrade does, and return the subscription."""
        item = subscription["items"].data[0].id
        wish = {"proration_behavior": "always_invoice", **more}
        return await self.update(subscription.id, items=[{"id": item, "price": price}], **wish)

    async def preview(self, subscription: stripe.Subscription, price: str, at: int) -> Any:
        """Return the invoice that a change to a price would make."""
        item = subscription["items"].data[0].id
        return await self.client.invoices.create_preview_async(
            {
                "subscription": subscription.id,
                "subscription_details": {
                    "items": [{"id": item, "price": price}],
                    "proration_behavior": "always_invoice",
                    "proration_date": at,
                },
            }
        )

    async def again(self, subscription: stripe.Subscription) -> stripe.Subscription:
        """Fetch a subscription again."""
        return await self.client.subscriptions.retrieve_async(subscription.id)

    async def advance(self, **until: Any) -> None:
        """Move on by days, hours and so on."""
        await self.sandbox.advance(self.sandbox.now() + timedelta(**until))

    async def invoices(self, subscription: str) -> list[stripe.Invoice]:
        """Return the invoices of a subscription, oldest first."""
        found = await self.client.invoices.list_async(
            {"subscription": subscription, "limit": 100, "expand": ["data.payments"]}
        )
        return list(reversed(found.data))

    async def told(self) -> list[str]:
        """Return the types of the events since the last time, in order."""
        await self.sandbox.deliver_due()
        types = self.mailbox.types()
        self.mailbox.deliveries.clear()
        return types


def day(instant: int | None) -> str:
    """Return a day as text, of an instant in seconds."""
    assert instant is not None
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d}"
