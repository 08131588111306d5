"""Webhooks as Stripe sends them: signed bodies, and the door that takes them."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx

from billing.gateway import intake
from billing.gateway.intake import Intake
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from tests.support.http import serve

SECRET = "whsec_first"


class Door:
    """The door for webhooks, on a clock that stands still."""

    def __init__(self, at: datetime, secrets: Sequence[str] = (SECRET,)) -> None:
        self.clock = FixedClock(at)
        self.intake = Intake(secrets, clock=self.clock, is_live=False)
        transport = httpx.ASGITransport(app=serve([intake.route(self.intake)]))  # type: ignore[arg-type]  # httpx names its own types
        self.http = httpx.AsyncClient(transport=transport, base_url="https://points.example")

    async def send(self, body: bytes, *, header: str | None = None) -> httpx.Response:
        """Send a body, signed as Stripe would unless another header is given."""
        signed = signature(body, self.clock.now()) if header is None else header
        return await self.http.post(intake.PATH, content=body, headers={"stripe-signature": signed})


def signature(body: bytes, at: datetime, *secrets: str) -> str:
    """Return the header for a body, signed with each of `secrets`."""
    seconds = int(at.timestamp())
    message = b"%d." % seconds + body
    signed = [
        hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        for secret in secrets or (SECRET,)
    ]
    return ",".join([f"t={seconds}", *(f"v1={one}" for one in signed)])


def event(no: int = 1, kind: str = "customer.subscription.updated", **changes: Any) -> bytes:
    """Return an event about the subscription `sub_1`."""
    body = {
        "id": f"evt_{no}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_767_225_600,
        "livemode": False,
        "type": kind,
        "data": {"object": {"id": "sub_1", "object": "subscription"}},
    }
    return json.dumps(body | changes).encode()


async def rows() -> list[dict[str, Any]]:
    """Return all events that were kept, by id."""
    async with transaction() as connection:
        return [
            dict(row) for row in await connection.fetch("SELECT * FROM stripe_event ORDER BY id")
        ]
