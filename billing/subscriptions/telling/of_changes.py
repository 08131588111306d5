"""Tells a member of what has happened to its membership: a payment that failed, an end."""

from collections.abc import Sequence
from datetime import datetime

from billing.gateway import intents
from billing.gateway.shapes import Invoice, InvoiceStatus, Picture, SubscriptionStatus
from billing.plans.catalogue import Plans
from billing.subscriptions.desk.acts import CANCEL
from billing.subscriptions.register import Membership
from billing.subscriptions.seats import rows as seats
from billing.subscriptions.states import State
from billing.subscriptions.telling.telling import Fact, Moment, tell
from coalition.kernel.database import Connection
from coalition.kernel.money import Money

_ENDS = ("cancel", CANCEL, "withdraw")
"""The intents by which members, or staff for them, end; a cancellation may be for later."""

_FAILED = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})


async def tell_of(
    connection: Connection,
    before: Membership,
    now: Membership,
    pictures: Sequence[Picture],
    plans: Plans,
    *,
    at: datetime,
) -> None:
    """Tell a member once of each invoice that it could not pay, and of what ended for that."""
    facts: dict[str, Fact] = {"plan": plans.plan(now.plan_no).document.name}
    if now.ended_at is not None:
        facts["ended"] = now.ended_at
        if before.ended_at is None:
            await _tell_of_end(connection, before, now, facts, at=at)
        return
    lacking = _unpaid(pictures)
    if lacking is None or now.state not in {State.GRACE, State.SUSPENDED}:
        return
    amount = Money(
        lacking.total.amount_minor - lacking.amount_paid.amount_minor, lacking.total.currency
    )
    about = f"{now.id}:{lacking.id}"
    kind, facts["amount"] = "payment_failed_now", amount
    if now.state is State.GRACE and now.entitled_until is not None:
        kind, facts["until"] = "payment_failed", Moment(now.entitled_until)
    await tell(connection, now.member_id, kind, about, at=at, facts=facts)


async def _tell_of_end(
    connection: Connection,
    before: Membership,
    now: Membership,
    facts: dict[str, Fact],
    *,
    at: datetime,
) -> None:
    """Tell of an end that nobody asked for: unpaid, or that of whoever shared its plan."""
    if before.state in {State.GRACE, State.SUSPENDED} and _had(before):
        if await _is_asked_for(connection, before, at):
            return
        await tell(connection, now.member_id, "ended", now.id, at=at, facts=facts)
    elif now.subscription is None:
        shared = [
            seat
            for seat in await seats.held_by(connection, now.member_id)
            if seat.membership_id == now.id
        ]
        for seat in shared:
            kind, payer = "seat_ended", seat.payer
            await tell(connection, now.member_id, kind, seat.id, at=at, like=payer, facts=facts)


async def _is_asked_for(connection: Connection, before: Membership, at: datetime) -> bool:
    """Tell whether the member ended it itself, at once: its receipt says so."""
    if before.subscription is None:
        return False
    asked = await intents.of_subscription(connection, before.subscription, _ENDS, at)
    return any(one.request.get("now", True) for one in asked)


def _had(before: Membership) -> bool:
    """Tell whether a membership has given something: what was never paid ends without a word."""
    return before.period_end is not None


def _unpaid(pictures: Sequence[Picture]) -> Invoice | None:
    """Return the last invoice that Stripe tried to charge for, and could not."""
    found = [
        invoice
        for picture in pictures
        if picture.subscription.status in _FAILED
        for invoice in picture.invoices
        if invoice.status is InvoiceStatus.OPEN and invoice.attempt_count
    ]
    return max(found, key=lambda one: one.created_at, default=None)
