"""Stripe's objects, as plain dicts in the shape of API version 2026-10-28, become our shapes.

What is missing and may be missing is None; what Stripe has added since is UNKNOWN or left out.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from billing.gateway.amounts import money_of
from billing.gateway.shapes import (
    Charge,
    Checkout,
    Customer,
    Dispute,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Preview,
    Refund,
    Subscription,
    SubscriptionStatus,
)
from coalition.kernel.money import Money

Raw = Mapping[str, Any]  # Any: JSON, of which each function below reads what it knows
_Status = TypeVar("_Status", bound=StrEnum)


def subscription_of(raw: Raw) -> Subscription:
    """Return a subscription; its period is that of its one item."""
    item = raw["items"]["data"][0]
    paused = raw.get("pause_collection")
    schedule = raw.get("schedule")
    return Subscription(
        id=raw["id"],
        customer_id=_known_id(raw["customer"]),
        status=_status(raw["status"], SubscriptionStatus, SubscriptionStatus.UNKNOWN),
        created_at=instant(raw["created"]),
        item_id=item["id"],
        price_id=_known_id(item["price"]),
        period_start=instant(item["current_period_start"]),
        period_end=instant(item["current_period_end"]),
        trial_start=_instant(raw.get("trial_start")),
        trial_end=_instant(raw.get("trial_end")),
        cancel_at_period_end=bool(raw.get("cancel_at_period_end")),
        cancel_at=_instant(raw.get("cancel_at")),
        canceled_at=_instant(raw.get("canceled_at")),
        ended_at=_instant(raw.get("ended_at")),
        is_collection_paused=paused is not None,
        resumes_at=_instant((paused or {}).get("resumes_at")),
        schedule_id=_id(schedule),
        next_price_id=_next_price(schedule),
        has_pending_update=raw.get("pending_update") is not None,
        latest_invoice_id=_id(raw.get("latest_invoice")),
        metadata=_metadata(raw),
    )


def credit_of(customer: object) -> Money | None:
    """Return what a customer, where it is expanded, has left for later invoices; None for nothing.

    Stripe counts what a customer owes, so that credit is negative.
    """
    if not isinstance(customer, Mapping):
        return None
    balance, currency = customer.get("balance") or 0, customer.get("currency")
    return money_of(-balance, currency) if balance < 0 and currency else None


def _next_price(schedule: object) -> str | None:
    """Return the price of the phase after the present one, of a schedule that is expanded."""
    if not isinstance(schedule, Mapping):
        return None
    current = schedule.get("current_phase")
    if current is None:
        return None
    later = [one for one in schedule["phases"] if one["start_date"] >= current["end_date"]]
    following = min(later, key=lambda one: int(one["start_date"]), default=None)
    return None if following is None else _id(following["items"][0]["price"])


def invoice_of(raw: Raw, lines: Iterable[Raw] | None = None) -> Invoice:
    """Return an invoice; `lines` are all of them where the invoice itself holds only the first."""
    currency = raw["currency"]
    parent = raw.get("parent") or {}
    payments = (raw.get("payments") or {}).get("data", ())
    paid = [one["payment"] for one in payments if one["status"] != "canceled"]
    return Invoice(
        id=raw["id"],
        number=raw.get("number"),
        customer_id=_known_id(raw["customer"]),
        subscription_id=_id((parent.get("subscription_details") or {}).get("subscription")),
        status=_status(raw.get("status"), InvoiceStatus, InvoiceStatus.UNKNOWN),
        billing_reason=raw.get("billing_reason") or "",
        created_at=instant(raw["created"]),
        paid_at=_instant((raw.get("status_transitions") or {}).get("paid_at")),
        total=money_of(raw["total"], currency),
        amount_paid=money_of(raw["amount_paid"], currency),
        tax=money_of(sum(one["amount"] for one in raw.get("total_taxes") or ()), currency),
        lines=tuple(_line(one) for one in (raw["lines"]["data"] if lines is None else lines)),
        payment_intent_ids=tuple(
            found for payment in paid if (found := _id(payment.get("payment_intent"))) is not None
        ),
        attempt_count=raw.get("attempt_count") or 0,
        next_attempt_at=_instant(raw.get("next_payment_attempt")),
        hosted_url=raw.get("hosted_invoice_url"),
    )


def _line(raw: Raw) -> InvoiceLine:
    # A line shows its amount before the discounts on it, which the invoice's total is less.
    off = sum(one["amount"] for one in raw.get("discount_amounts") or ())
    pricing = (raw.get("pricing") or {}).get("price_details") or {}
    parent = raw.get("parent") or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    return InvoiceLine(
        amount=money_of(raw["amount"] - off, raw["currency"]),
        price_id=_id(pricing.get("price")),
        period_start=instant(raw["period"]["start"]),
        period_end=instant(raw["period"]["end"]),
        is_proration=bool(details.get("proration")),
    )


def refund_of(raw: Raw, *, payment_intent_id: str | None = None) -> Refund:
    """Return a refund, of the payment `payment_intent_id` where it names none itself."""
    return Refund(
        id=raw["id"],
        payment_intent_id=_id(raw.get("payment_intent")) or payment_intent_id or "",
        amount=money_of(raw["amount"], raw["currency"]),
        status=raw.get("status") or "pending",
        created_at=instant(raw["created"]),
        metadata=_metadata(raw),
    )


def customer_of(raw: Raw) -> Customer:
    """Return a customer that has not been deleted."""
    return Customer(id=raw["id"], metadata=_metadata(raw))


def charge_of(raw: Raw) -> Charge | None:
    """Return a charge; None for one by which no money came."""
    if raw["status"] != "succeeded" or not raw["captured"]:
        return None
    return Charge(
        id=raw["id"],
        payment=_id(raw.get("payment_intent")) or raw["id"],
        customer_id=_id(raw.get("customer")),
        amount=money_of(raw["amount_captured"], raw["currency"]),
        is_refunded=bool(raw.get("refunded")),
        metadata=_metadata(raw),
    )


def paid_by(raw: Raw) -> tuple[str, ...]:
    """Return the payments that paid an invoice: intents, or charges that have none."""
    payments = (raw.get("payments") or {}).get("data", ())
    paid = [one["payment"] for one in payments if one["status"] == "paid"]
    named = (_id(one.get("payment_intent")) or _id(one.get("charge")) for one in paid)
    return tuple(one for one in named if one is not None)


def dispute_of(raw: Raw, *, payment_intent_id: str | None = None) -> Dispute:
    """Return a dispute, of the payment `payment_intent_id` where it names none itself."""
    return Dispute(
        id=raw["id"],
        payment_intent_id=_id(raw.get("payment_intent")) or payment_intent_id or "",
        amount=money_of(raw["amount"], raw["currency"]),
        status=raw["status"],
        created_at=instant(raw["created"]),
    )


def checkout_of(raw: Raw) -> Checkout:
    """Return a checkout session."""
    return Checkout(
        id=raw["id"],
        mode=raw["mode"],
        status=raw.get("status") or "open",
        payment_status=raw["payment_status"],
        url=raw.get("url"),
        customer_id=_id(raw.get("customer")),
        subscription_id=_id(raw.get("subscription")),
        payment_intent_id=_id(raw.get("payment_intent")),
        expires_at=instant(raw["expires_at"]),
        metadata=_metadata(raw),
    )


def preview_of(raw: Raw, lines: Iterable[Raw], at: datetime) -> Preview:
    """Return what an invoice that was only previewed would charge at `at`."""
    return Preview(
        amount_due=money_of(raw["amount_due"], raw["currency"]),
        at=at,
        lines=tuple(_line(one) for one in lines),
    )


def instant(seconds: int) -> datetime:
    """Return a time of Stripe, in whole seconds since 1970, aware in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else instant(seconds)


def _id(reference: object) -> str | None:
    """Return the id that a field names, whether Stripe has expanded it or not."""
    if isinstance(reference, Mapping):
        reference = reference.get("id")
    return reference if isinstance(reference, str) else None


def _known_id(reference: object) -> str:
    found = _id(reference)
    assert found is not None, "Stripe names what this belongs to"
    return found


def _status(value: str | None, known: type[_Status], unknown: _Status) -> _Status:
    return known(value) if value in {one.value for one in known} else unknown


def _metadata(raw: Raw) -> dict[str, str]:
    return {str(key): str(value) for key, value in (raw.get("metadata") or {}).items()}
