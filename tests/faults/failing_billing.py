"""A process that looks at Stripe, or changes something there, and dies once it has the answer.

    python -m tests.faults.failing_billing <time> <database> <sandbox's file> drain
    python -m tests.faults.failing_billing <time> <database> <sandbox's file> upgrade <id> <price>

Only tests start this program.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx

from billing.gateway import draining, intents
from billing.gateway.client import Gateway
from billing.gateway.shapes import Subscription
from billing.sandbox import Sandbox
from billing.subscriptions.handling import Handler
from coalition.kernel.database import open_database
from server.apps import APPS

KEY = "upgrade-1"
KIND = "upgrade"


class DyingGateway(Gateway):
    """Dies with the answer in its hands: Stripe has done it, and nobody here knows."""

    deadly = ""

    async def ask(
        self, method: str, path: str, asked: Mapping[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Ask, and die where that was the call."""
        answer = await super().ask(method, path, asked, key)
        if f"{method} {path}".startswith(self.deadly):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def gateway_of(sandbox: Sandbox, kind: type[Gateway] = Gateway) -> Gateway:
    """Return a gateway to a sandbox in this process."""
    return kind(
        "sk_test_sandbox", transport=httpx.ASGITransport(app=cast("Any", sandbox.application))
    )


async def upgrade(gateway: Gateway, subscription: str, price: str, at: datetime) -> Subscription:
    """Change to a price as the product does: the intent first, then the call, then its answer."""
    shown = (await gateway.picture(subscription)).subscription

    async def call() -> Subscription:
        return await gateway.change_price(KEY, shown, price, proration_at=at)

    request = {"subscription": subscription, "price": price}
    return await intents.perform(KIND, KEY, request, call, answer=Subscription, at=at)


async def _main(now: str, url: str, path: str, what: str, *named: str) -> None:
    at = datetime.fromisoformat(now)
    engine = await open_database(url, apps=APPS, pool_size=4)
    gateway = gateway_of(Sandbox(Path(path), now=lambda: at), DyingGateway)
    if what == "upgrade":
        DyingGateway.deadly = "post /v1/subscriptions/"
        subscription, price = named
        await upgrade(gateway, subscription, price, at)
    else:
        DyingGateway.deadly = "get /v1/charges"
        await draining.drain(at, Handler(gateway).handle)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
