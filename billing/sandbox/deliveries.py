"""The post: events go signed to the endpoints that want them, again and again until one is taken.

An event is delivered at least once, in no promised order, and may come twice, as from Stripe.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from billing.sandbox.documents import Document
from billing.sandbox.store import Store, Transaction
from billing.sandbox.world import World

# Stripe tries for three days with growing pauses.
PAUSES = (60, 300, 1800, 7200, 18_000, 36_000, 36_000, 43_200, 43_200, 43_200)
_LEASE_SECONDS = 60
_AT_ONCE = 100


@dataclass(frozen=True)
class Delivery:
    """One request to an endpoint: `headers` carry the signature over exactly these bytes."""

    url: str
    body: bytes
    headers: dict[str, str]
    event_id: str
    event_type: str
    endpoint_id: str
    attempt: int


Deliver = Callable[[Delivery], Awaitable[int]]


def sign(body: bytes, secrets: list[str], at: int) -> str:
    """Return the `Stripe-Signature` of a body, with one `v1` for each secret."""
    signed = f"{at}.".encode() + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def secrets_of(endpoint: Document, at: int) -> list[str]:
    """Return the secrets of an endpoint that hold at an instant, the newest first."""
    return [
        held["secret"]
        for held in endpoint["_secrets"]
        if held["until"] is None or held["until"] > at
    ]


class Post:
    """Delivers what is due of one store, by the function that sends."""

    def __init__(self, store: Store, deliver: Deliver, account_now: Callable[[], int]) -> None:
        """Send by `deliver`, which returns the HTTP status of the endpoint, or raises."""
        self._store = store
        self._deliver = deliver
        self._account_now = account_now

    async def deliver_due(self) -> int:
        """Send all that is due, once each; return how many an endpoint took."""
        taken = 0
        while batch := self._claim():
            for delivery in batch:
                is_taken = await self._send(delivery)
                self._settle(delivery, is_taken=is_taken)
                taken += is_taken
        return taken

    def _claim(self) -> list[Delivery]:
        now = self._account_now()
        with self._store.snapshot() as snapshot:
            if not _due_rows(snapshot, now):
                return []
        with self._store.transaction() as transaction:
            rows = _due_rows(transaction, now)
            for event_id, endpoint_id, _ in rows:
                transaction.sql.execute(
                    "UPDATE delivery SET due_at = ?, attempts = attempts + 1"
                    " WHERE event = ? AND endpoint = ?",
                    (now + _LEASE_SECONDS, event_id, endpoint_id),
                )
            return [
                delivery
                for event_id, endpoint_id, attempts in rows
                if (delivery := _made(transaction, event_id, endpoint_id, attempts + 1, now))
            ]

    async def _send(self, delivery: Delivery) -> bool:
        try:
            status = await self._deliver(delivery)
        except Exception:  # noqa: BLE001 - whatever the endpoint did, the event is not taken
            return False
        return 200 <= status < 300

    def _settle(self, delivery: Delivery, *, is_taken: bool) -> None:
        now, key = self._account_now(), (delivery.event_id, delivery.endpoint_id)
        with self._store.transaction() as transaction:
            if is_taken or delivery.attempt > len(PAUSES):
                transaction.sql.execute(
                    "UPDATE delivery SET state = ? WHERE event = ? AND endpoint = ?",
                    ("delivered" if is_taken else "failed", *key),
                )
            else:
                transaction.sql.execute(
                    "UPDATE delivery SET due_at = ? WHERE event = ? AND endpoint = ?",
                    (now + PAUSES[delivery.attempt - 1], *key),
                )


def _due_rows(transaction: Transaction, now: int) -> list[tuple[str, str, int]]:
    return transaction.sql.execute(
        "SELECT event, endpoint, attempts FROM delivery WHERE state = 'pending' AND due_at <= ?"
        " ORDER BY due_at, seq LIMIT ?",
        (now, _AT_ONCE),
    ).fetchall()


def _made(
    transaction: Transaction, event_id: str, endpoint_id: str, attempt: int, now: int
) -> Delivery | None:
    event = transaction.find_any(event_id)
    endpoint = transaction.find("webhook_endpoint", endpoint_id)
    if event is None or endpoint is None:
        transaction.sql.execute(
            "UPDATE delivery SET state = 'failed' WHERE event = ? AND endpoint = ?",
            (event_id, endpoint_id),
        )
        return None
    shown = World(transaction, account_now=now).show(event)
    if "api_version" in shown:
        shown["api_version"] = endpoint["api_version"]
    body = msgspec.json.format(msgspec.json.encode(shown), indent=2)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": sign(body, secrets_of(endpoint, now), now),
    }
    return Delivery(endpoint["url"], body, headers, event_id, event["type"], endpoint_id, attempt)
