"""What subscriptions do by themselves when time passes: turns, reminders, collection, expiry."""

from billing.sandbox.calendar import HOUR_S, Period, period_around
from billing.sandbox.documents import Document
from billing.sandbox.engine import (
    changing,
    invoice_items,
    invoicing,
    previewing,
    reckoning,
    schedules,
    standing,
)
from billing.sandbox.engine.shapes import items_of, period_of, with_items
from billing.sandbox.errors import CardDeclined
from billing.sandbox.routing import due
from billing.sandbox.world import World

_RUNNING = frozenset({"trialing", "active", "past_due", "unpaid"})


@due("subscription.turn")
def turn(world: World, id_: str) -> None:
    """End a period: cancel what was to end with it, or begin the next and draft its invoice."""
    subscription = world.get("subscription", id_)
    if subscription["status"] not in _RUNNING or period_of(subscription).end > world.now():
        return
    if subscription["pending_update"] is not None:
        standing.drop_pending(world, subscription)
    schedules.turn(world, id_)
    subscription = world.get("subscription", id_)
    if subscription["status"] not in _RUNNING:
        return
    leaves_at = subscription["cancel_at"]
    if subscription["cancel_at_period_end"] or (leaves_at and leaves_at <= world.now()):
        standing.end(world, subscription, reason="cancellation_requested")
    elif subscription["status"] == "trialing" and not _may_bill(world, subscription):
        _end_trial_unpaid(world, subscription)
    else:
        renew(world, subscription)


def renew(world: World, subscription: Document) -> Document:
    """Begin the next period and draft its invoice, which goes on an hour later."""
    was_trial = subscription["status"] == "trialing"
    before = period_of(subscription)
    recurrence = changing.recurrence_of(world, items_of(subscription))
    period = period_around(subscription["billing_cycle_anchor"], recurrence, before.end)
    period = Period(before.end, period.end)
    subscription = with_items(subscription, items_of(subscription), period=period)
    if was_trial:
        subscription["status"] = "active"
    invoice = draft_period(world, subscription, period, before)
    subscription = standing.save(world, _with_noted(subscription, invoice))
    _heed_pause(world, subscription, invoice)
    return world.get("subscription", subscription["id"])


def draft_period(world: World, subscription: Document, period: Period, before: Period) -> Document:
    """Draft the invoice of a period with what waited for it."""
    waiting = invoice_items.waiting(world, subscription)
    charges = waiting + reckoning.period_charges(world, subscription, period)
    pause = (subscription["pause_collection"] or {}).get("behavior")
    goes_on = subscription["status"] != "unpaid" and pause is None
    invoice = invoicing.draft(
        world,
        subscription,
        charges,
        reason=invoicing.RENEWAL,
        period=before,
        finalizes_at=world.now() + HOUR_S if goes_on else None,
        advances=goes_on,
    )
    invoice_items.attach(world, subscription, invoice)
    return invoice


def _with_noted(subscription: Document, invoice: Document) -> Document:
    noted = reckoning.noted(items_of(subscription), invoice["lines"]["data"])
    return with_items(subscription, noted) | {"latest_invoice": invoice["id"]}


def _heed_pause(world: World, subscription: Document, invoice: Document) -> None:
    """While collection is paused an invoice is void, uncollectible, or stays a draft."""
    pause = (subscription["pause_collection"] or {}).get("behavior")
    if pause in {"void", "mark_uncollectible"}:
        if invoicing.finalize(world, invoice["id"])["status"] != "open":
            return
        (invoicing.void if pause == "void" else invoicing.give_up)(world, invoice["id"])


def _may_bill(world: World, subscription: Document) -> bool:
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if behavior == "create_invoice" or subscription["default_payment_method"]:
        return True
    customer = world.get("customer", subscription["customer"])
    return bool(customer["invoice_settings"].get("default_payment_method"))


def _end_trial_unpaid(world: World, subscription: Document) -> None:
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if behavior == "cancel":
        standing.end(world, subscription, reason="payment_failed")
        return
    paused = standing.save(world, subscription | {"status": "paused"})
    world.emit("customer.subscription.paused", paused)


@due("subscription.cancel_at")
def cancel_at(world: World, id_: str) -> None:
    """End a subscription at the instant that was asked for."""
    subscription = world.get("subscription", id_)
    if subscription["status"] not in standing.ENDED and subscription["cancel_at"] is not None:
        standing.end(world, subscription, reason="cancellation_requested")


@due("subscription.trial_reminder")
def remind(world: World, id_: str) -> None:
    """Tell that a trial ends soon."""
    subscription = world.get("subscription", id_)
    if subscription["status"] == "trialing":
        world.save(subscription | {"_reminded": True})
        world.emit("customer.subscription.trial_will_end", subscription)


@due("subscription.upcoming")
def announce(world: World, id_: str) -> None:
    """Tell that a renewal comes, with the invoice that it will have."""
    subscription = world.get("subscription", id_)
    if subscription["status"] in {"active", "past_due"}:
        world.emit("invoice.upcoming", previewing.upcoming(world, subscription))


@due("subscription.incomplete_expiry")
def expire(world: World, id_: str) -> None:
    """End a subscription whose first payment did not come within 23 hours."""
    subscription = world.get("subscription", id_)
    if subscription["status"] == "incomplete":
        standing.expire(world, subscription)


@due("subscription.pending_expiry")
def expire_pending(world: World, id_: str) -> None:
    """Forget a change whose payment did not come within 23 hours."""
    subscription = world.get("subscription", id_)
    pending = subscription["pending_update"]
    if pending is not None and pending["expires_at"] <= world.now():
        standing.drop_pending(world, subscription)


@due("subscription.resumes")
def collect_again(world: World, id_: str) -> None:
    """Collect payments again after a pause."""
    subscription = world.get("subscription", id_)
    if subscription["pause_collection"] is not None and subscription["status"] in _RUNNING:
        standing.save(world, subscription | {"pause_collection": None})


@due("invoice.finalize")
def finalize(world: World, id_: str) -> None:
    """Finalise a draft an hour after it was made, and collect it."""
    invoice = world.get("invoice", id_)
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    if invoicing.finalize(world, id_)["status"] == "open":
        collect(world, id_)


@due("invoice.collect")
def collect(world: World, id_: str) -> None:
    """Try a payment by itself; the timetable says when the next try is, or that it was the last."""
    invoice = world.get("invoice", id_)
    if invoice["status"] != "open":
        return
    world.save(invoice | {"_tries": invoice["_tries"] + 1})
    try:
        invoicing.collect(world, id_, off_session=True)
    except CardDeclined:
        invoice = world.get("invoice", id_)
        if invoice["status"] == "open" and invoice["next_payment_attempt"] is None:
            standing.dunning_ended(world, invoice)
