"""A stand-in for Stripe that answers what was recorded for an address, and remembers what came.

The answers have the shapes of the resource classes of the installed library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx

from billing.gateway.client import Gateway

SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_1",
    "object": "subscription",
    "customer": "cus_1",
    "status": "active",
    "created": 1_767_225_600,
    "items": {
        "object": "list",
        "data": [
            {
                "id": "si_1",
                "price": {"id": "price_plus"},
                "current_period_start": 1_767_225_600,
                "current_period_end": 1_769_904_000,
            }
        ],
        "has_more": False,
    },
    "cancel_at_period_end": False,
    "pause_collection": None,
    "pending_update": None,
    "schedule": None,
    "latest_invoice": "in_1",
    "trial_start": None,
    "trial_end": None,
    "metadata": {"member_id": "m"},
}

INVOICE: dict[str, Any] = {
    "id": "in_1",
    "object": "invoice",
    "number": "A-1",
    "customer": "cus_1",
    "currency": "sek",
    "status": "paid",
    "billing_reason": "subscription_create",
    "created": 1_767_225_600,
    "status_transitions": {"paid_at": 1_767_225_660},
    "parent": {
        "type": "subscription_details",
        "subscription_details": {"subscription": "sub_1", "metadata": {}},
    },
    "total": 9_900,
    "amount_due": 9_900,
    "amount_paid": 9_900,
    "total_taxes": [{"amount": 1_980, "tax_behavior": "inclusive"}],
    "lines": {
        "object": "list",
        "has_more": False,
        "data": [
            {
                "id": "il_1",
                "amount": 9_900,
                "currency": "sek",
                "period": {"start": 1_767_225_600, "end": 1_769_904_000},
                "pricing": {"type": "price_details", "price_details": {"price": "price_plus"}},
                "parent": {"subscription_item_details": {"proration": False}},
            }
        ],
    },
    "payments": {
        "object": "list",
        "has_more": False,
        "data": [
            {"status": "canceled", "payment": {"payment_intent": "pi_0"}},
            {"status": "paid", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}},
        ],
    },
}


def listed(*objects: Mapping[str, Any], has_more: bool = False) -> dict[str, Any]:
    """Return a page of a list."""
    return {"object": "list", "data": list(objects), "has_more": has_more}


def refused(status: int, **error: Any) -> httpx.Response:
    """Return an error as Stripe tells it."""
    return httpx.Response(status, json={"error": error})


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    given: dict[str, str]
    key: str | None
    version: str | None


Recording = httpx.Response | Exception | Mapping[str, Any]


@dataclass
class Recorded:
    """Answers by method and path; of several the next each time, then the last for ever."""

    answers: dict[str, Sequence[Recording]]
    asked: list[Asked] = field(default_factory=list)

    def gateway(self, api_key: str = "sk_test_x") -> Gateway:
        """Return a gateway that talks with this, and waits for nothing."""
        transport = httpx.MockTransport(self._answer)
        return Gateway(api_key, transport=transport, pauses_s=(0.0, 0.0, 0.0))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        given = dict(request.url.params) | dict(parse_qsl(request.content.decode(), True))  # noqa: FBT003 - keep_blank_values
        headers = request.headers
        name = f"{request.method} {request.url.path}"
        earlier = sum(f"{one.method} {one.path}" == name for one in self.asked)
        self.asked.append(
            Asked(
                request.method,
                request.url.path,
                given,
                headers.get("idempotency-key"),
                headers.get("stripe-version"),
            )
        )
        answers = self.answers[name]
        answer = answers[min(earlier, len(answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
