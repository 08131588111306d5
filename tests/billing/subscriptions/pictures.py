"""Pictures of subscriptions, as tests of states and money want them; days count from 2026 on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from billing.benefits.entitlements import Entitlement, Ground
from billing.gateway.shapes import (
    Dispute,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Picture,
    Refund,
    Subscription,
    SubscriptionStatus,
)
from billing.subscriptions.states import entitlements
from billing.subscriptions.stretches import Terms
from coalition.kernel.money import Money

PLUS, PRIME, SHORT = "price_plus", "price_prime", "price_short"
TERMS = {
    PLUS: Terms(1, 1, timedelta(days=7), timedelta(days=1)),
    PRIME: Terms(2, 2, timedelta(days=7), timedelta(days=1)),
    SHORT: Terms(3, 1, timedelta(), timedelta()),
}
PLAN_OF = {PLUS: 1, PRIME: 2, SHORT: 3}


def day(number: float) -> datetime:
    """Return an instant so many days after the last day of 2025."""
    return datetime(2025, 12, 31, tzinfo=UTC) + timedelta(days=number)


def line(
    begins: float,
    ends: float,
    *,
    price: str | None = PLUS,
    minor: int = 9_900,
    is_proration: bool = False,
) -> InvoiceLine:
    """Return a line of an invoice."""
    return InvoiceLine(
        amount=Money(minor, "SEK"),
        price_id=price,
        period_start=day(begins),
        period_end=day(ends),
        is_proration=is_proration,
    )


def invoice(
    no: int,
    *lines: InvoiceLine,
    status: InvoiceStatus = InvoiceStatus.PAID,
    created: float | None = None,
    paid_minor: int | None = None,
) -> Invoice:
    """Return an invoice over `lines`, by default paid when it was made, with a fifth of tax."""
    total = sum(one.amount.amount_minor for one in lines)
    made = lines[0].period_start if created is None else day(created)
    paid = max(total, 0) if status is InvoiceStatus.PAID else 0
    paid = paid if paid_minor is None else paid_minor
    return Invoice(
        id=f"in_{no}",
        number=f"A-{no}",
        customer_id="cus_1",
        subscription_id="sub_1",
        status=status,
        billing_reason="subscription_cycle",
        created_at=made,
        paid_at=made if status is InvoiceStatus.PAID else None,
        total=Money(total, "SEK"),
        amount_paid=Money(paid, "SEK"),
        tax=Money(total // 5, "SEK"),
        lines=lines,
        payment_intent_ids=(f"pi_{no}",) if paid else (),
    )


def refund(no: int, at: float, minor: int = 9_900, **changes: Any) -> Refund:
    """Return a refund of the invoice with this number."""
    made = Refund(
        id=f"re_{no}_{at}",
        payment_intent_id=f"pi_{no}",
        amount=Money(minor, "SEK"),
        status="succeeded",
        created_at=day(at),
    )
    return msgspec.structs.replace(made, **changes)


def dispute(no: int, at: float, status: str = "needs_response", minor: int = 9_900) -> Dispute:
    """Return a dispute of the invoice with this number."""
    return Dispute(
        id=f"dp_{no}",
        payment_intent_id=f"pi_{no}",
        amount=Money(minor, "SEK"),
        status=status,
        created_at=day(at),
    )


def picture(
    *invoices: Invoice,
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE,
    price: str = PLUS,
    trial: tuple[float, float] | None = None,
    refunds: tuple[Refund, ...] = (),
    disputes: tuple[Dispute, ...] = (),
    **changes: Any,
) -> Picture:
    """Return a subscription with these invoices; `changes` are to its other fields."""
    trial_start, trial_end = (None, None) if trial is None else map(day, trial)
    one = Subscription(
        id="sub_1",
        customer_id="cus_1",
        status=status,
        created_at=day(1),
        item_id="si_1",
        price_id=price,
        period_start=day(1),
        period_end=day(31),
        trial_start=trial_start,
        trial_end=trial_end,
    )
    return Picture(
        subscription=msgspec.structs.replace(one, **changes),
        invoices=invoices,
        refunds=refunds,
        disputes=disputes,
    )


MONTH = invoice(1, line(1, 31))
"""The first month, paid."""


def spans(held: tuple[Entitlement, ...]) -> list[tuple[Ground, int, float, float]]:
    """Return ground, plan, first and last day of each entitlement."""
    return [(one.ground, one.plan_no, _number(one.begins), _number(one.ends)) for one in held]


def entitled(*pictures: Picture) -> list[tuple[Ground, int, float, float]]:
    """Return what `pictures` entitle to, as `spans`."""
    return spans(entitlements(pictures, TERMS))


def _number(at: datetime) -> float:
    return (at - day(0)) / timedelta(days=1)
