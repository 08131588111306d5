"""What a gift's payment comes to and what that makes of the gift; pure, from what Stripe shows."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from billing.gateway.shapes import Dispute, Payment, Refund
from billing.subscriptions.bookings import Booking, taken_back
from billing.subscriptions.views import GiftState


class Gone(NamedTuple):
    """Since when the money of a gift is gone, and whether for good; None while it is here."""

    at: datetime | None
    for_good: bool


def bookings(payment: Payment) -> tuple[Booking, ...]:
    """Return what the payment of a gift and each of its refunds and disputes come to.

    It is for no period: when the months will be had nobody knows. It has no tax that Stripe knows.
    """
    paid = Booking(
        source=payment.id,
        kind="payment",
        amount_minor=payment.amount.amount_minor,
        tax_minor=0,
        currency=payment.amount.currency,
        period=None,
        payment=payment.id,
        occurred_at=payment.paid_at,
    )
    return (paid, *taken_back(paid, payment.refunds, payment.disputes))


def gone(payment: Payment) -> Gone:
    """Return since when the money is gone: refunded in full, or held or taken by a dispute."""
    taken = [(one.created_at, one.is_lost) for one in payment.disputes if one.takes_money]
    left = payment.amount.amount_minor
    for one in payment.refunds:
        if one.counts and left > 0:
            left -= one.amount.amount_minor
            if left <= 0:
                taken.append((one.created_at, True))
    at = min((since for since, _ in taken), default=None)
    return Gone(at, any(for_good for _, for_good in taken))


def state(payment: Payment, *, is_redeemed: bool) -> GiftState:
    """Return how a gift stands by its payment.

    While a dispute is open it rests, refunded in full or lost it is gone.
    """
    lost = gone(payment)
    if lost.at is None:
        return GiftState.REDEEMED if is_redeemed else GiftState.PAID
    if not lost.for_good:
        return GiftState.DISPUTED
    is_lost = any(one.is_lost for one in payment.disputes)
    return GiftState.LOST if is_lost else GiftState.REFUNDED


def differences(kept: Payment | None, shown: Payment) -> tuple[str, ...]:
    """Return how a payment as Stripe shows it differs from what is kept of it."""
    if kept is None:
        return ("unknown here",)
    found = []
    if kept.amount != shown.amount:
        found.append(f"amount: {kept.amount} here, {shown.amount} at Stripe")
    found += _each("refund", kept.refunds, shown.refunds)
    found += _each("dispute", kept.disputes, shown.disputes)
    return tuple(found)


def _each(
    what: str, kept: tuple[Refund | Dispute, ...], shown: tuple[Refund | Dispute, ...]
) -> Iterator[str]:
    before, now = ({one.id: one for one in side} for side in (kept, shown))
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield f"{what} {name} is missing here"
        elif name not in now:
            yield f"{what} {name} is missing at Stripe"
        elif before[name] != now[name]:
            yield f"{what} {name} differs"
