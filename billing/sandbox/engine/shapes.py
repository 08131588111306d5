"""Subscriptions, their items, and the lines of invoices in Stripe's shape (API 2026-10-28)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from billing.sandbox.calendar import Period, Recurrence
from billing.sandbox.documents import Document, listed

NO_AUTOMATIC_TAX: Document = {"disabled_reason": None, "enabled": False, "liability": None}
SELF: Document = {"type": "self"}


class Billed(NamedTuple):
    """What was charged last for an item, so that unused time of it is credited exactly."""

    amount: int
    start: int
    end: int
    line: str | None = None
    invoice: str | None = None


class Charge(NamedTuple):
    """What a line of an invoice charges, or credits when it is negative, before discounts."""

    description: str
    amount: int
    currency: str
    period: Period
    item: str
    price: str
    product: str
    unit_amount: int
    quantity: int = 1
    is_proration: bool = False
    is_discountable: bool = True
    credited: Billed | None = None
    invoice_item: str | None = None


def items_of(subscription: Document) -> list[Document]:
    """Return the items of a subscription; of ours there is one."""
    items: list[Document] = subscription["items"]["data"]
    return items


def period_of(subscription: Document) -> Period:
    """Return the current period, which its items share."""
    first = items_of(subscription)[0]
    return Period(first["current_period_start"], first["current_period_end"])


def with_items(
    subscription: Document, items: Iterable[Document], *, period: Period | None = None
) -> Document:
    """Return the subscription with these items, all in one period."""
    data = [
        item
        | (
            {}
            if period is None
            else {"current_period_start": period.start, "current_period_end": period.end}
        )
        for item in items
    ]
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    return subscription | {"items": listed(data, url) | {"total_count": len(data)}}


def new_item(
    id_: str, *, subscription: str, price: str, quantity: int, created: int, metadata: Document
) -> Document:
    """Return an item; its period is set with its subscription's."""
    return {
        "id": id_,
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": created,
        "current_period_start": created,
        "current_period_end": created,
        "discounts": [],
        "metadata": metadata,
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
        "_billed": None,
    }


def new_subscription(
    id_: str, *, customer: str, currency: str, at: int, test_clock: str | None
) -> Document:
    """Return a subscription that has nothing yet but its customer."""
    return {
        "id": id_,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": NO_AUTOMATIC_TAX,
        "billing_cycle_anchor": at,
        "billing_cycle_anchor_config": None,
        "billing_mode": {
            "type": "flexible",
            "flexible": {"proration_discounts": "included"},
            "updated_at": at,
        },
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": at,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": SELF},
        "latest_invoice": None,
        "livemode": False,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": at,
        "status": "incomplete",
        "test_clock": test_clock,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def plan_of(price: Document) -> Document:
    """Return the old shape of a recurring price, which items still carry."""
    recurrence = Recurrence.of(price)
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": None if price["unit_amount"] is None else str(price["unit_amount"]),
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurrence.interval,
        "interval_count": recurrence.every,
        "livemode": False,
        "metadata": price["metadata"],
        "meter": None,
        "nickname": price.get("nickname"),
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def line_of(
    charge: Charge,
    *,
    id_: str,
    invoice: str | None,
    subscription: str,
    metadata: Mapping[str, str],
    discounts: Sequence[tuple[str, int]] = (),
    taxes: Sequence[Document] = (),
) -> Document:
    """Return a line; `discounts` are discount ids with amounts that are not yet off its amount."""
    details: Document = {
        "invoice_item": charge.invoice_item,
        "proration": charge.is_proration,
        "proration_details": {"credited_items": _credited(charge.credited)},
        "subscription": subscription,
        "subscription_item": charge.item,
    }
    off: list[Document] = [
        {"amount": amount, "discount": discount} for discount, amount in discounts
    ]
    return {
        "id": id_,
        "object": "line_item",
        "amount": charge.amount,
        "currency": charge.currency,
        "description": charge.description,
        "discount_amounts": off,
        "discountable": charge.is_discountable,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": dict(metadata),
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        "period": {"start": charge.period.start, "end": charge.period.end},
        "pretax_credit_amounts": [one | {"type": "discount"} for one in off],
        "pricing": {
            "price_details": {"price": charge.price, "product": charge.product},
            "type": "price_details",
            "unit_amount_decimal": str(charge.unit_amount),
        },
        "quantity": charge.quantity,
        "quantity_decimal": str(charge.quantity),
        "subscription": subscription,
        "subtotal": charge.amount,
        "taxes": list(taxes),
    }


def _credited(billed: Billed | None) -> Any:
    if billed is None or billed.invoice is None:
        return None
    return {"invoice": billed.invoice, "invoice_line_items": [billed.line]}
