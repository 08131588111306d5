"""Stripe's objects as billing reads them: the facts it decides by, with aware UTC instants.

Amounts are in the minor units that the ledger uses (`kernel/money`), also where Stripe counts
otherwise. The shapes follow Stripe's API version 2026-10-28: the period sits on the items, an
invoice names its subscription under `parent`, and its payments under `payments`.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from coalition.kernel.money import Money


class SubscriptionStatus(StrEnum):
    """Stripe's own states of a subscription."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"
    UNKNOWN = "unknown"
    """One that Stripe has added since; it entitles to what is paid and to nothing more."""


class InvoiceStatus(StrEnum):
    """Stripe's own states of an invoice."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    UNKNOWN = "unknown"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it was when it was fetched; it has one item, our plan's price."""

    id: str
    customer_id: str
    status: SubscriptionStatus
    created_at: datetime
    item_id: str
    price_id: str
    period_start: datetime
    period_end: datetime
    trial_start: datetime | None = None
    trial_end: datetime | None = None
    cancel_at_period_end: bool = False
    cancel_at: datetime | None = None
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    is_collection_paused: bool = False
    resumes_at: datetime | None = None
    schedule_id: str | None = None
    next_price_id: str | None = None
    """The price that a schedule changes to at the end of the period."""
    has_pending_update: bool = False
    latest_invoice_id: str | None = None
    metadata: dict[str, str] = {}


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one line of an invoice charges (or, when negative, credits), and for which period.

    `amount` is less the discounts on the line.
    """

    amount: Money
    price_id: str | None
    period_start: datetime
    period_end: datetime
    is_proration: bool


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice with its lines; `total` includes tax, `tax` is the part of it that is tax."""

    id: str
    number: str | None
    customer_id: str
    subscription_id: str | None
    status: InvoiceStatus
    billing_reason: str
    created_at: datetime
    paid_at: datetime | None
    total: Money
    amount_paid: Money
    tax: Money
    lines: tuple[InvoiceLine, ...]
    payment_intent_ids: tuple[str, ...] = ()
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    hosted_url: str | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money given back; it counts while `status` is pending or succeeded."""

    id: str
    payment_intent_id: str
    amount: Money
    status: str
    created_at: datetime
    metadata: dict[str, str] = {}

    @property
    def counts(self) -> bool:
        """Tell whether the money is given back, or will be; a refund that failed gave nothing."""
        return self.status in {"pending", "requires_action", "succeeded"}

    @property
    def is_withdrawal(self) -> bool:
        """Tell whether it undoes the contract, which ends what it paid for, however much it is."""
        return "withdrawal_id" in self.metadata


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that a cardholder disputes; `status` is Stripe's, such as needs_response."""

    id: str
    payment_intent_id: str
    amount: Money
    status: str
    created_at: datetime

    @property
    def is_lost(self) -> bool:
        """Tell whether the money is gone."""
        return self.status == "lost"

    @property
    def is_open(self) -> bool:
        """Tell whether it is not decided yet."""
        return self.status not in {"lost", "won", "warning_closed", "prevented"}

    @property
    def takes_money(self) -> bool:
        """Tell whether the money is withdrawn from us: an open dispute, or a lost one.

        An inquiry (`warning_...`) takes none, one that was won or prevented has given it back.
        """
        return self.status not in {"won", "prevented"} and not self.status.startswith("warning_")


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """Money that was taken from a card; `payment` is its payment intent, or itself without one.

    `is_refunded` when all of it was given back.
    """

    id: str
    payment: str
    customer_id: str | None
    amount: Money
    is_refunded: bool = False
    metadata: dict[str, str] = {}


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever pays; its metadata say which member that is."""

    id: str
    metadata: dict[str, str] = {}


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that is for no subscription, such as a gift's, with all that went back of it."""

    id: str
    amount: Money
    paid_at: datetime
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A session on Stripe's hosted page; `status` is open, complete or expired."""

    id: str
    mode: str
    status: str
    payment_status: str
    url: str | None
    customer_id: str | None
    subscription_id: str | None
    payment_intent_id: str | None
    expires_at: datetime
    metadata: dict[str, str] = {}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a change would charge at once, to the minor unit, reckoned by Stripe at `at`."""

    amount_due: Money
    at: datetime
    lines: tuple[InvoiceLine, ...]


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event as Stripe lists it; `payload` is what its webhook would have brought, nearly."""

    id: str
    created_at: datetime
    payload: bytes


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that Stripe holds of one subscription, fetched together."""

    subscription: Subscription
    invoices: tuple[Invoice, ...]
    refunds: tuple[Refund, ...]
    disputes: tuple[Dispute, ...]
    credit: Money | None = None
    """What its customer has left for later invoices, such as after a change to a smaller plan."""
