"""A process that looks at Stripe, or changes something there, and dies once it has the answer.

    python -m tests.faults.failing_billing <time> <database> <sandbox's file> drain
    python -m tests.faults.failing_billing <time> <database> <sandbox's file> upgrade <id> <price>
    python -m tests.faults.failing_billing <time> <database> <sandbox's file> end <member>
    python -m tests.faults.failing_billing <time> <database> <sandbox's file> refund <approval>

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
from uuid import UUID

import httpx

from billing.gateway import draining, intents
from billing.gateway.client import Gateway
from billing.gateway.shapes import Subscription
from billing.sandbox import Sandbox
from billing.subscriptions.desk import ending, refunding
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.handling import Handler
from billing.subscriptions.house import House
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import Receipt
from coalition.kernel.database import open_database
from coalition.kernel.ids import MemberId
from coalition.members.sealing import MemberKeys
from server.apps import APPS
from tests.support.http import SETTINGS

ASKED = Asked("staff:anna", "she called", "end-1")
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


def house_of(gateway: Gateway) -> House:
    """Return what acts work with at this gateway."""
    return Memberships(gateway, MemberKeys.of(SETTINGS), home="http://house.test").house


async def end(gateway: Gateway, member: MemberId, at: datetime) -> Receipt:
    """Let staff cancel for a member."""
    return await ending.cancel(house_of(gateway), member, ASKED, at=at)


async def refund(gateway: Gateway, approval_id: UUID, at: datetime) -> None:
    """Let a second person give back what was proposed."""
    await refunding.approve(house_of(gateway), approval_id, approved_by="staff:bo", at=at)


async def _main(now: str, url: str, path: str, what: str, *named: str) -> None:
    at = datetime.fromisoformat(now)
    engine = await open_database(url, apps=APPS, pool_size=4)
    gateway = gateway_of(Sandbox(Path(path), now=lambda: at), DyingGateway)
    if what == "upgrade":
        DyingGateway.deadly = "post /v1/subscriptions/"
        subscription, price = named
        await upgrade(gateway, subscription, price, at)
    elif what == "end":
        DyingGateway.deadly = "post /v1/subscriptions/"
        await end(gateway, MemberId(UUID(named[0])), at)
    elif what == "refund":
        DyingGateway.deadly = "post /v1/refunds"
        await refund(gateway, UUID(named[0]), at)
    else:
        DyingGateway.deadly = "get /v1/charges"
        await draining.drain(at, Handler(gateway).handle)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
