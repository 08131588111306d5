"""A sandbox in memory with Stripe's client on it, a browser, and a mailbox for its webhooks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import stripe
from stripe.params import CustomerCreateParams, WebhookEndpointCreateParams

from billing.sandbox import Sandbox
from billing.sandbox.contract import Contract
from tests.support.stripe_sandbox import Mailbox, client_of

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Account:
    """One account at the sandbox, whose time stands still until it is moved."""

    def __init__(self, path: Path | None = None) -> None:
        self.at = START
        self.mailbox = Mailbox()
        self.sandbox = Sandbox(
            path, now=lambda: self.at, deliver=self.mailbox, seed="tests", contract=Contract()
        )
        self.stripe = client_of(self.sandbox.application)
        transport = httpx.ASGITransport(app=self.sandbox.application)
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://sandbox")

    def wait(self, step: timedelta) -> None:
        """Let time pass."""
        self.at += step

    async def customer(self, *, clock: str | None = None) -> str:
        """Make a customer and return its id."""
        params: CustomerCreateParams = {"email": "ada@example.com"}
        if clock is not None:
            params["test_clock"] = clock
        return (await self.stripe.v1.customers.create_async(params)).id

    async def endpoint(self, *types: str, url: str = "http://us/hooks") -> stripe.WebhookEndpoint:
        """Make an endpoint for some types of events, or for all."""
        params = {"url": url, "enabled_events": list(types) or ["*"]}
        return await self.stripe.v1.webhook_endpoints.create_async(
            cast("WebhookEndpointCreateParams", params)
        )

    async def events(self) -> list[str]:
        """Return the types of all events, oldest first."""
        listed = await self.stripe.v1.events.list_async({"limit": 100})
        return [event.type for event in reversed(listed.data)]

    async def count(self, type_: str) -> int:
        """Return how many events of a type there are."""
        return (await self.events()).count(type_)
