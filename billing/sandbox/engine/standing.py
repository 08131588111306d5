"""A subscription's state, as its invoices and the passing of time leave it, and its end."""

from billing.sandbox.calendar import DAY_S, HOUR_S
from billing.sandbox.documents import Document
from billing.sandbox.engine import invoice_items, invoicing, reckoning
from billing.sandbox.engine.shapes import items_of, period_of
from billing.sandbox.routing import reacts
from billing.sandbox.world import World

UPDATED = "customer.subscription.updated"
ENDED = frozenset({"canceled", "incomplete_expired"})
PATIENCE_S = 23 * HOUR_S
"""How long a first payment, or a pending update, is waited for."""
REMINDER_S = 3 * DAY_S
UPCOMING_S = 7 * DAY_S

_DUES = tuple(
    f"subscription.{name}"
    for name in (
        *("turn", "cancel_at", "trial_reminder", "upcoming", "incomplete_expiry"),
        *("pending_expiry", "resumes"),
    )
)
_BEHIND = frozenset({"past_due", "unpaid"})


def subscription_of(world: World, invoice: Document) -> Document | None:
    """Return the subscription that an invoice is of."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return world.find("subscription", details.get("subscription"))


def plan_dues(world: World, subscription: Document) -> None:
    """Plan what comes next for a subscription by itself, in place of what was planned."""
    id_, customer, now = subscription["id"], subscription["customer"], world.now()
    for kind in _DUES:
        world.unschedule(kind, id_)
    if subscription["status"] in ENDED:
        return
    for kind, at in _dues(subscription):
        if at is not None and at >= now:
            world.schedule(f"subscription.{kind}", id_, at=at, customer=customer)


def _dues(subscription: Document) -> list[tuple[str, int | None]]:
    if subscription["status"] == "incomplete":
        return [("incomplete_expiry", subscription["created"] + PATIENCE_S)]
    if subscription["status"] == "paused":
        return [("cancel_at", subscription["cancel_at"])]
    end = period_of(subscription).end
    is_trial = subscription["status"] == "trialing"
    reminder = None
    if is_trial and not subscription.get("_reminded"):
        reminder = max(end - REMINDER_S, subscription["trial_start"])
    renews = not is_trial and not subscription["cancel_at_period_end"]
    pause = subscription["pause_collection"] or {}
    pending = subscription["pending_update"] or {}
    return [
        ("pending_expiry", pending.get("expires_at")),
        ("cancel_at", subscription["cancel_at"]),
        ("resumes", pause.get("resumes_at")),
        ("trial_reminder", reminder),
        ("upcoming", end - UPCOMING_S if renews else None),
        ("turn", end),
    ]


def save(world: World, subscription: Document, *, event: str | None = UPDATED) -> Document:
    """Keep a subscription, tell of it, and plan anew what comes next for it."""
    world.save(subscription, event=event)
    plan_dues(world, subscription)
    return subscription


def end(
    world: World,
    subscription: Document,
    *,
    reason: str,
    prorate: bool = False,
    invoice_now: bool = False,
) -> Document:
    """End a subscription at this instant; unused time is credited when `prorate` says so."""
    now = world.now()
    if subscription["pending_update"] is not None:
        subscription = drop_pending(world, subscription)
    if prorate:
        credits_ = [
            charge
            for item in items_of(subscription)
            for charge in reckoning.unused(world, item, now)
        ]
        invoice_items.keep(world, subscription, credits_)
    invoicing.rest(world, subscription["id"])
    if invoice_now and (charges := invoice_items.waiting(world, subscription)):
        period = period_of(subscription)
        last = invoicing.draft(
            world, subscription, charges, reason="subscription_update", period=period
        )
        invoice_items.attach(world, subscription, last)
        invoicing.finalize(world, last["id"])
        subscription["latest_invoice"] = last["id"]
    details = subscription["cancellation_details"]
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or now,
        "ended_at": now,
        "cancellation_details": details | {"reason": details["reason"] or reason},
    }
    world.save(subscription)
    plan_dues(world, subscription)
    world.emit("customer.subscription.deleted", subscription)
    return subscription


def expire(world: World, subscription: Document) -> Document:
    """End a subscription whose first payment never came; its invoice is void."""
    subscription |= {"status": "incomplete_expired", "ended_at": world.now()}
    save(world, subscription)
    first = world.find("invoice", subscription["latest_invoice"])
    if first is not None and first["status"] == "open":
        invoicing.void(world, first["id"])
    return world.get("subscription", subscription["id"])


def dunning_ended(world: World, invoice: Document) -> None:
    """Do what the account does with a subscription that nobody pays."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] in ENDED:
        return
    last_resort = invoicing.timetable(world).last_resort
    if last_resort == "cancel":
        end(world, subscription, reason="payment_failed")
    elif last_resort == "unpaid":
        save(world, subscription | {"status": "unpaid"})


def hold_pending(
    world: World, subscription: Document, after: Document, invoice: Document
) -> Document:
    """Keep a change until its invoice is paid, at most 23 hours and not beyond the period."""
    fields = ("items", "billing_cycle_anchor", "trial_end", "status")
    changed = {name: after[name] for name in fields if after[name] != subscription[name]}
    ends = [world.now() + PATIENCE_S, period_of(subscription).end]
    subscription |= {
        "latest_invoice": invoice["id"],
        "pending_update": {
            "billing_cycle_anchor": changed.get("billing_cycle_anchor"),
            "cancel_at_period_end": None,
            "discount": None,
            "discounts": None,
            "expires_at": min(ends),
            "metadata": None,
            "subscription_items": items_of(after),
            "trial_end": changed.get("trial_end"),
            "trial_from_plan": None,
        },
        "_pending": {"changed": changed, "invoice": invoice["id"]},
    }
    return save(world, subscription)


def drop_pending(world: World, subscription: Document) -> Document:
    """Forget a change that was not paid; its invoice is void."""
    held = subscription["_pending"]
    subscription |= {"pending_update": None, "_pending": None}
    save(world, subscription)
    world.emit("customer.subscription.pending_update_expired", subscription)
    if world.get("invoice", held["invoice"])["status"] == "open":
        invoicing.void(world, held["invoice"])
    return world.get("subscription", subscription["id"])


@reacts("invoice.paid")
def paid(world: World, invoice: Document) -> None:
    """Begin a subscription with its first payment, apply what waited for it, or forgive."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] in ENDED:
        return
    held = subscription.get("_pending")
    if held is not None and held["invoice"] == invoice["id"]:
        _apply_pending(world, subscription, invoice)
    elif subscription["latest_invoice"] == invoice["id"]:
        _stand_up(world, subscription, invoice)


@reacts("invoice.voided")
@reacts("invoice.marked_uncollectible")
def forgiven(world: World, invoice: Document) -> None:
    """Let a subscription stand again whose last invoice need not be paid."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] in ENDED:
        return
    held = subscription.get("_pending")
    if held is not None and held["invoice"] == invoice["id"]:
        drop_pending(world, subscription)
    elif subscription["latest_invoice"] == invoice["id"] and subscription["status"] in _BEHIND:
        save(world, subscription | {"status": "active"})
    elif subscription["status"] == "incomplete":
        expire(world, subscription)


@reacts("invoice.payment_failed")
def fell_behind(world: World, invoice: Document) -> None:
    """Count a running subscription as past due when a payment that it needs has failed."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] not in {"active", "trialing"}:
        return
    is_last = subscription["latest_invoice"] == invoice["id"]
    if is_last and subscription.get("_pending") is None:
        save(world, subscription | {"status": "past_due"})


def _stand_up(world: World, subscription: Document, invoice: Document) -> None:
    if subscription["payment_settings"]["save_default_payment_method"] == "on_subscription":
        intent = world.find("payment_intent", invoice["_payment_intent"]) or {}
        used = intent.get("payment_method")
        subscription["default_payment_method"] = used or subscription["default_payment_method"]
    if subscription["status"] in _BEHIND | {"incomplete"}:
        save(world, subscription | {"status": "active"})


def _apply_pending(world: World, subscription: Document, invoice: Document) -> None:
    after = subscription | subscription["_pending"]["changed"]
    after |= {"pending_update": None, "_pending": None}
    after["items"] = after["items"] | {
        "data": reckoning.noted(items_of(after), invoice["lines"]["data"])
    }
    save(world, after)
    world.emit("customer.subscription.pending_update_applied", after)
