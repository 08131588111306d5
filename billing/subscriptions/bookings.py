"""What a subscription's money comes to, source by source: pure, and the same however often told.

A source is an invoice, a refund or a dispute. The ledger of memberships books the difference
between what a source comes to and what was booked of it, so nothing is ever edited.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from billing.gateway.shapes import Dispute, Invoice, InvoiceStatus, Picture, Refund
from coalition.kernel.money import Rounding, round_whole


class Booking(NamedTuple):
    """What one source comes to, in minor units; `tax_minor` is the part of it that is tax.

    What comes in is positive. `period` is the billing period that the money is for.
    """

    source: str
    kind: str
    amount_minor: int
    tax_minor: int
    currency: str
    period: tuple[datetime, datetime] | None
    payment: str | None
    occurred_at: datetime


_UNDONE = {"refund": "refund_failed", "dispute": "dispute_won", "payment": "payment"}


def bookings(picture: Picture) -> tuple[Booking, ...]:
    """Return what each source of `picture` comes to, in the order in which they happened.

    A refund that failed and a dispute that was won come to nothing.
    """
    booked: list[Booking] = []
    for invoice in picture.invoices:
        if invoice.status is InvoiceStatus.PAID and invoice.amount_paid.amount_minor:
            paid = _payment(invoice)
            own = frozenset(invoice.payment_intent_ids)
            refunds = [one for one in picture.refunds if one.payment_intent_id in own]
            disputes = [one for one in picture.disputes if one.payment_intent_id in own]
            booked += [paid, *taken_back(paid, refunds, disputes)]
    return tuple(sorted(booked, key=lambda one: (one.occurred_at, one.source)))


def difference(told: Booking, amount_minor: int, tax_minor: int) -> Booking | None:
    """Return what is to be booked where so much of a source is booked already; None for nothing."""
    amount, tax = told.amount_minor - amount_minor, told.tax_minor - tax_minor
    if not amount and not tax:
        return None
    is_undone = amount_minor != 0 and abs(told.amount_minor) < abs(amount_minor)
    kind = _UNDONE[told.kind] if is_undone else told.kind
    return told._replace(kind=kind, amount_minor=amount, tax_minor=tax)


def _payment(invoice: Invoice) -> Booking:
    paid, total = invoice.amount_paid.amount_minor, invoice.total.amount_minor
    return Booking(
        source=invoice.id,
        kind="payment",
        amount_minor=paid,
        tax_minor=_share(invoice.tax.amount_minor, paid, total),
        currency=invoice.amount_paid.currency,
        period=_period(invoice),
        payment=next(iter(invoice.payment_intent_ids), None),
        occurred_at=invoice.paid_at or invoice.created_at,
    )


def taken_back(
    paid: Booking, refunds: Iterable[Refund], disputes: Iterable[Dispute]
) -> Iterable[Booking]:
    """Yield the refunds and disputes of what was `paid`; together they take no more than its tax.

    Tax goes back in proportion, reckoned on the sum so far, so that the whole gives back the whole.
    """
    found = [
        (one.created_at, one.id, one.amount.amount_minor if one.counts else 0, one, "refund")
        for one in refunds
    ] + [
        (one.created_at, one.id, one.amount.amount_minor if one.takes_money else 0, one, "dispute")
        for one in disputes
    ]
    so_far = tax_so_far = 0
    for at, source, amount, one, kind in sorted(found, key=lambda row: row[:2]):
        so_far += amount
        tax = _share(paid.tax_minor, min(so_far, paid.amount_minor), paid.amount_minor) - tax_so_far
        tax_so_far += tax
        yield paid._replace(
            source=source,
            kind=kind,
            amount_minor=-amount,
            tax_minor=-tax,
            payment=one.payment_intent_id,
            occurred_at=at,
        )


def _period(invoice: Invoice) -> tuple[datetime, datetime] | None:
    lines = [line for line in invoice.lines if line.amount.amount_minor > 0]
    if not lines:
        return None
    return min(line.period_start for line in lines), max(line.period_end for line in lines)


def _share(tax_minor: int, part: int, whole: int) -> int:
    """Return the part of a tax that falls on `part` of `whole`."""
    if not whole:
        return 0
    return round_whole(Decimal(tax_minor) * part / whole, Rounding.HALF_EVEN)


def net(told: Iterable[Booking]) -> Mapping[str, int]:
    """Return what bookings come to, by currency."""
    sums: dict[str, int] = {}
    for one in told:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount_minor
    return sums
