"""What a withdrawal gives back: what was paid, less the days it held, less what was used. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from billing.gateway.shapes import Invoice, InvoiceLine, InvoiceStatus, Picture
from coalition.kernel.money import Rounding, round_whole

_DAY = timedelta(days=1)


class Reckoning(NamedTuple):
    """Amounts in minor units of `currency`; `refund` is what is left of `paid`, never below 0."""

    currency: str
    paid: int
    kept_for_days: int
    kept_for_use: int
    refund: int


class PartOfPayment(NamedTuple):
    """So much of a payment that is to be given back, in minor units."""

    payment_intent_id: str
    amount_minor: int


class PaymentLeft(NamedTuple):
    """A payment of an invoice, and how much of it has not gone back, in minor units."""

    payment_intent_id: str
    left_minor: int
    invoice: Invoice


def reckon(
    picture: Picture,
    *,
    currency: str,
    used_minor: int,
    at: datetime,
    whole_if_unused: bool = False,
) -> Reckoning:
    """Return what comes back at `at` of what a subscription has cost.

    The days are those begun, of each line that was paid for, rounded down in the member's favour.
    What benefits were used for counts where it is more than that; so nobody pays twice for them.
    With `whole_if_unused` no days are kept where nothing was used at all.
    """
    paid = paid_in_all(picture)
    shares = [
        _share(line, at)
        for invoice in picture.invoices
        if invoice.status is InvoiceStatus.PAID
        for line in invoice.lines
    ]
    days = min(paid, max(0, round_whole(sum(shares, Decimal(0)), Rounding.DOWN)))
    if whole_if_unused and not used_minor:
        days = 0
    use = min(paid, max(days, used_minor)) - days
    return Reckoning(currency, paid, days, use, paid - days - use)


def paid_in_all(picture: Picture) -> int:
    """Return what was paid for a subscription and has not gone back."""
    return sum(one.left_minor for one in payments(picture))


def parts(picture: Picture, amount_minor: int) -> tuple[PartOfPayment, ...]:
    """Return from which payments an amount goes back: of the latest first, never more than each.

    Where less is left, since some went back in another way meanwhile, it is what is left.
    """
    found = []
    for one in reversed(list(payments(picture))):
        part = min(one.left_minor, amount_minor)
        if part > 0:
            found.append(PartOfPayment(one.payment_intent_id, part))
            amount_minor -= part
    return tuple(found)


def payments(picture: Picture) -> Iterator[PaymentLeft]:
    """Yield each payment with what was not given back of it, the oldest first."""
    for invoice in picture.invoices:
        if invoice.status is InvoiceStatus.PAID and invoice.payment_intent_ids:
            left = max(0, invoice.amount_paid.amount_minor - _returned(picture, invoice))
            yield PaymentLeft(invoice.payment_intent_ids[-1], left, invoice)


def credit(picture: Picture) -> int:
    """Return what a subscription has left its customer as credit for later invoices, if anything.

    A change that credits more than it charges does. What comes back of the payments has it in it.
    """
    kept = sum(
        invoice.amount_paid.amount_minor - invoice.total.amount_minor
        for invoice in picture.invoices
        if invoice.status is InvoiceStatus.PAID
    )
    return max(0, kept)


def _returned(picture: Picture, invoice: Invoice) -> int:
    payments = frozenset(invoice.payment_intent_ids)
    back = sum(
        one.amount.amount_minor
        for one in picture.refunds
        if one.payment_intent_id in payments and one.counts
    )
    lost = sum(
        one.amount.amount_minor
        for one in picture.disputes
        if one.payment_intent_id in payments and one.takes_money
    )
    return back + lost


def _share(line: InvoiceLine, at: datetime) -> Decimal:
    """Return the part of a line that is for days which have begun."""
    length = line.period_end - line.period_start
    if length <= timedelta():
        return Decimal(line.amount.amount_minor)
    begun = -((line.period_start - at) // _DAY) if at > line.period_start else 0
    used = min(begun * _DAY, length)
    whole = Decimal(length // timedelta(seconds=1))
    return line.amount.amount_minor * Decimal(used // timedelta(seconds=1)) / whole
