"""What is left of a member's payments, and what of it may go back. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from billing.gateway.shapes import Picture
from billing.subscriptions import metering
from billing.subscriptions.desk.refusals import (
    AmountAboveLeft,
    NothingToRefund,
    PaymentDisputed,
    UnknownPayment,
)
from coalition.kernel.money import Money

REFUND_ID = "desk_refund_id"
"""The key of Stripe's metadata by which a refund of ours is known: its approval's id."""

Request = Mapping[str, Any]  # Any: JSON of a promised refund


class PaymentOfMember(msgspec.Struct, frozen=True, kw_only=True):
    """A payment for a membership: `left` has not gone back, and is not promised to."""

    payment: str
    membership_id: UUID
    subscription: str
    invoice: str | None
    paid_at: datetime | None
    amount: Money
    left: Money
    is_disputed: bool


def payments(
    picture: Picture, membership_id: UUID, promised: Iterable[Request]
) -> list[PaymentOfMember]:
    """Return the payments of a subscription, less refunds that Stripe does not show yet."""
    shown = {one.metadata.get(REFUND_ID) for one in picture.refunds}
    waiting = [one for one in promised if one[REFUND_ID] not in shown]
    disputed = {one.payment_intent_id for one in picture.disputes if one.is_open}
    found = []
    for payment, left, invoice in metering.payments(picture):
        to_come = sum(int(one["amount_minor"]) for one in waiting if one["payment"] == payment)
        currency = invoice.amount_paid.currency
        if not invoice.amount_paid.amount_minor:
            continue
        found.append(
            PaymentOfMember(
                payment=payment,
                membership_id=membership_id,
                subscription=picture.subscription.id,
                invoice=invoice.number,
                paid_at=invoice.paid_at,
                amount=invoice.amount_paid,
                left=Money(max(0, left - to_come), currency),
                is_disputed=not disputed.isdisjoint(invoice.payment_intent_ids),
            )
        )
    return found


def chosen(found: Sequence[PaymentOfMember], named: str | None) -> PaymentOfMember:
    """Return the payment of that name, or the latest of which something may go back.

    `found` is in the order of time. Raises `UnknownPayment`, `PaymentDisputed`, `NothingToRefund`.
    """
    wanted = [one for one in found if named in {None, one.payment}]
    if named is not None and not wanted:
        raise UnknownPayment(payment=named)
    for one in reversed(wanted):
        if one.left.amount_minor and not one.is_disputed:
            return one
    if any(one.is_disputed for one in wanted):
        raise PaymentDisputed
    raise NothingToRefund


def amount_of(one: PaymentOfMember, wanted_minor: int | None) -> int:
    """Return how much goes back: all that is left, or as wanted. Raises `AmountAboveLeft`."""
    left = one.left.amount_minor
    if wanted_minor is not None and wanted_minor > left:
        raise AmountAboveLeft(left_minor=left, currency=one.left.currency, payment=one.payment)
    return left if wanted_minor is None else wanted_minor


def credit_to_take(picture: Picture, left_minor: int, amount_minor: int) -> int:
    """Return how much credit for later invoices is taken back with a refund.

    `left_minor` is what is left of all payments before it. A change to a smaller plan has left some
    of that as credit: what goes back as money is not had as credit as well.
    """
    known = 0 if picture.credit is None else picture.credit.amount_minor
    credit = min(metering.credit(picture), known)
    return min(credit, max(0, amount_minor - max(0, left_minor - credit)))
