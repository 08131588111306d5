"""Stripe's own client on a sandbox in memory, and a mailbox for the webhooks that it sends."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx
import stripe

from billing.sandbox import Delivery, Sandbox
from billing.sandbox.app import Application
from billing.sandbox.contract import Contract

TEST_KEY = "sk_test_sandbox"


class AsgiClient(stripe.HTTPXClient):
    """Stripe's HTTP client, which calls an application in this process."""

    def __init__(self, application: Application) -> None:
        super().__init__(verify_ssl_certs=False)
        transport = httpx.ASGITransport(app=application)
        self._client_async = httpx.AsyncClient(transport=transport)

    def _get_request_args_kwargs(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> list[Any]:
        arguments: list[Any] = super()._get_request_args_kwargs(method, url, headers, post_data)
        # httpx wants a body that is ready as `content`.
        arguments[1]["content"] = arguments[1].pop("data") or None
        return arguments


def client_of(application: Application, *, key: str = TEST_KEY) -> stripe.StripeClient:
    """Return Stripe's client, which repeats nothing by itself."""
    return stripe.StripeClient(key, http_client=AsgiClient(application), max_network_retries=0)


class Mailbox:
    """Collects webhooks; hands them on as they came, or shuffled, doubled or with some lost."""

    def __init__(self, *, status: int = 200) -> None:
        self.status = status
        self.deliveries: list[Delivery] = []
        self.came = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> int:
        self.deliveries.append(delivery)
        self.came.set()
        return self.status

    def types(self) -> list[str]:
        """Return the types of the events that came, in order."""
        return [delivery.event_type for delivery in self.deliveries]

    def emptied(
        self, *, dice: random.Random | None = None, doubled: bool = False, lost: float = 0.0
    ) -> list[Delivery]:
        """Take out all deliveries: shuffled by the dice, all twice, and a part of them lost."""
        taken, self.deliveries = self.deliveries, []
        if doubled:
            taken = taken * 2
        if dice is not None:
            taken = [delivery for delivery in taken if dice.random() >= lost]
            dice.shuffle(taken)
        return taken


def sandbox_at(now: Callable[[], datetime], mailbox: Mailbox | None = None) -> Sandbox:
    """Return a sandbox in memory whose ids are the same in each run."""
    return Sandbox(None, now=now, deliver=mailbox, seed="tests", contract=Contract())
