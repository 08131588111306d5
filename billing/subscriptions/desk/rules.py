"""What is left of a member's payments, and what of it may go back. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from billing.gateway.promises import Promise
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
PROMISED = "promised"
"""How a refund stands before Stripe shows it."""


class RefundOfPayment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that went back, or is to; one by staff has the id of its `approval`.

    `state` is Stripe's own, such as pending, succeeded or failed; before Stripe shows it,
    `promised`; `refused` with what Stripe `said`; or `lost`, where nobody has heard what came of it
    for a day.
    """

    amount: Money
    state: str
    at: datetime
    approval: str | None
    said: str | None = None


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
    refunds: tuple[RefundOfPayment, ...] = ()


def payments(
    picture: Picture, membership_id: UUID, promised: Iterable[Promise]
) -> list[PaymentOfMember]:
    """Return the payments of a subscription, less refunds that Stripe does not show yet."""
    back = _refunds(picture, promised)
    disputed = {one.payment_intent_id for one in picture.disputes if one.is_open}
    found = []
    for payment, left, invoice in metering.payments(picture):
        currency = invoice.amount_paid.currency
        if not invoice.amount_paid.amount_minor:
            continue
        own = tuple(one for by, one in back if by in {payment, *invoice.payment_intent_ids})
        to_come = sum(one.amount.amount_minor for one in own if one.state == PROMISED)
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
                refunds=own,
            )
        )
    return found


def _refunds(picture: Picture, promised: Iterable[Promise]) -> list[tuple[str, RefundOfPayment]]:
    """Return refunds as Stripe shows them, and what was promised beside those, by payment."""
    found = [
        (
            one.payment_intent_id,
            RefundOfPayment(
                amount=one.amount,
                state=one.status,
                at=one.created_at,
                approval=one.metadata.get(REFUND_ID),
            ),
        )
        for one in picture.refunds
    ]
    shown = {one.approval for _, one in found}
    for promise in promised:
        request = promise.request
        if request[REFUND_ID] in shown:
            continue
        unasked = "lost" if promise.is_lost else PROMISED
        made = RefundOfPayment(
            amount=Money(request["amount_minor"], request["currency"]),
            state=unasked if promise.refusal is None else "refused",
            at=promise.begun_at,
            approval=request[REFUND_ID],
            said=promise.refusal,
        )
        found.append((request["payment"], made))
    return sorted(found, key=lambda each: each[1].at)


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
