"""Invoices and their payments in Stripe's shape (API 2026-10-28), as they begin."""

from typing import Any

from billing.sandbox.calendar import Period
from billing.sandbox.documents import Document, listed
from billing.sandbox.engine.shapes import SELF

_NOTHING = (
    "account_tax_ids application confirmation_secret custom_fields customer_account"
    " customer_shipping default_payment_method default_source description due_date footer"
    " from_invoice invoice_pdf last_finalization_error latest_revision on_behalf_of"
    " receipt_number rendering shipping_cost shipping_details statement_descriptor status_details"
    " threshold_reason webhooks_delivered_at number effective_at ending_balance"
    " hosted_invoice_url automatically_finalizes_at next_payment_attempt"
)

_AT_FIRST: Document = {
    "object": "invoice",
    "account_country": "SE",
    "account_name": "Sandbox",
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_paid_off_stripe": 0,
    "amount_shipping": 0,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": True,
    "collection_method": "charge_automatically",
    "livemode": False,
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "status": "draft",
    "_first_failed_at": None,
    "_payment_intent": None,
    "_tries": 0,
}


def new_invoice(
    id_: str,
    *,
    customer: Document,
    subscription: Document,
    reason: str,
    at: int,
    period: Period,
    lines: list[Document],
    amounts: Document,
) -> Document:
    """Return a draft of a subscription's invoice; what is due of it is known when it is final."""
    nothing: dict[str, Any] = dict.fromkeys(_NOTHING.split())
    settings = {"default_mandate": None, "payment_method_options": None}
    return (
        nothing
        | _AT_FIRST
        | {
            "id": id_,
            "amount_due": max(amounts["total"], 0),
            "amount_remaining": max(amounts["total"], 0),
            "automatic_tax": _automatic_tax(subscription),
            "billing_reason": reason,
            "created": at,
            "currency": subscription["currency"],
            "customer": customer["id"],
            "customer_address": customer.get("address"),
            "customer_email": customer.get("email"),
            "customer_name": customer.get("name"),
            "customer_phone": customer.get("phone"),
            "customer_tax_exempt": customer.get("tax_exempt", "none"),
            "customer_tax_ids": [],
            "default_tax_rates": [],
            "discounts": list(subscription["discounts"]),
            "issuer": SELF,
            "lines": listed(lines, f"/v1/invoices/{id_}/lines") | {"total_count": len(lines)},
            "metadata": {},
            "parent": {
                "quote_details": None,
                "subscription_details": {
                    "metadata": dict(subscription["metadata"]),
                    "subscription": subscription["id"],
                    "subscription_proration_date": None,
                },
                "type": "subscription_details",
            },
            "payment_settings": settings | {"payment_method_types": None},
            "period_end": period.end,
            "period_start": period.start,
            "starting_balance": customer["balance"],
            "status_transitions": {
                "finalized_at": None,
                "marked_uncollectible_at": None,
                "paid_at": None,
                "voided_at": None,
            },
            "test_clock": subscription["test_clock"],
            **amounts,
        }
    )


def new_payment(id_: str, invoice: Document, *, intent: str, at: int) -> Document:
    """Return what ties an invoice to the intent that pays it."""
    return {
        "id": id_,
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": at,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent, "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def _automatic_tax(subscription: Document) -> Document:
    is_on = subscription["automatic_tax"]["enabled"]
    return {
        "disabled_reason": None,
        "enabled": is_on,
        "liability": SELF if is_on else None,
        "provider": "stripe" if is_on else None,
        "status": "complete" if is_on else None,
    }
