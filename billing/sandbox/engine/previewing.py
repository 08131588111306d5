"""Invoices that are not made yet: the next renewal, and exactly what a change would charge."""

from contextlib import suppress
from typing import Any

from billing.sandbox.calendar import Period, period_around
from billing.sandbox.documents import Document
from billing.sandbox.engine import (
    changing,
    discounting,
    invoice_items,
    invoice_shapes,
    lacking,
    reckoning,
    schedules,
    standing,
)
from billing.sandbox.engine.shapes import Charge, items_of, new_subscription, period_of, with_items
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.payments.amounts import settled
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World


@route("POST", "/v1/invoices/create_preview")
def create_preview(world: World, params: Params) -> Document:
    """Return the invoice that a change, or the next renewal, would make; nothing is kept."""
    lacking.check_subscription(params.nested("subscription_details"))
    for name in ("schedule", "schedule_details", "invoice_items"):
        if name in params:
            raise Lacking(f"previews with `{name}`", param=name)
    if "discounts" not in params:
        return _previewed(world, params)
    found: list[Document] = []
    with suppress(_Done), world.attempt():
        found.append(_previewed(world, params))
        raise _Done
    return found[0]


class _Done(Exception):  # noqa: N818 - ends an attempt whose discounts nobody has redeemed
    """The preview is there; what it took up is given back."""


def _previewed(world: World, params: Params) -> Document:
    details = params.nested("subscription_details")
    id_ = params.text("subscription")
    if id_ is None:
        return _of_new(world, params, details)
    held = world.get("subscription", id_, param="subscription")
    world.live_by(held["customer"])
    if held["status"] in standing.ENDED:
        raise Invalid(
            "No upcoming invoices for a canceled subscription.", code="invoice_upcoming_none"
        )
    held = _with_discounts(world, held, params)
    if details.flag("cancel_now"):
        return _cancelled(world, held, details)
    if changing.CHANGING & set(details):
        return _changed(world, held, details)
    leaves = details.flag("cancel_at_period_end")
    if leaves or (leaves is None and held["cancel_at_period_end"]):
        raise Invalid(
            f"No upcoming invoices for customer: {held['customer']}", code="invoice_upcoming_none"
        )
    return upcoming(world, held)


def upcoming(world: World, subscription: Document) -> Document:
    """Return the invoice of the next renewal, as it stands now."""
    period = period_of(subscription)
    items = schedules.items_at(world, subscription, period.end)
    return _renewal(world, subscription, items, invoice_items.waiting(world, subscription))


def _renewal(
    world: World, subscription: Document, items: list[Document], waiting: list[Charge]
) -> Document:
    before = period_of(subscription)
    anchor = subscription["billing_cycle_anchor"]
    around = period_around(anchor, changing.recurrence_of(world, items), before.end)
    period = Period(before.end, around.end)
    then = with_items(subscription, items, period=period)
    charges = waiting + reckoning.period_charges(world, then, period)
    return _shown(world, then, charges, period=before, reason="upcoming", at=before.end)


def _changed(world: World, held: Document, details: Params) -> Document:
    planned = changing.plan(world, held, details)
    if not planned.is_invoiced_now:
        waiting = invoice_items.waiting(world, held) + planned.charges
        return _renewal(world, planned.after, items_of(planned.after), waiting)
    invoice = _shown(
        world,
        planned.after,
        planned.charges,
        period=period_of(planned.after),
        reason="subscription_update",
        at=world.now(),
    )
    subscription_details = invoice["parent"]["subscription_details"]
    subscription_details["subscription_proration_date"] = planned.proration_date
    return invoice


def _cancelled(world: World, held: Document, details: Params) -> Document:
    at = details.instant("proration_date") or world.now()
    charges = invoice_items.waiting(world, held)
    if details.text("proration_behavior") != "none":
        charges += [
            charge for item in items_of(held) for charge in reckoning.unused(world, item, at)
        ]
    period = period_of(held)
    return _shown(world, held, charges, period=period, reason="subscription_update", at=world.now())


def _of_new(world: World, params: Params, details: Params) -> Document:
    """Preview the first invoice of a subscription that is not made yet."""
    customer = world.get("customer", params.required.text("customer") or "", param="customer")
    world.live_by(customer["id"])
    wishes = details.required.each("items")
    price = changing.recurring_price(world, wishes[0])
    now = world.now()
    id_ = world.new_id("sub")
    blank = new_subscription(
        id_,
        customer=customer["id"],
        currency=price["currency"],
        at=now,
        test_clock=customer.get("test_clock"),
    )
    blank = with_items(blank, [])
    items = changing.items_after(world, blank, details)
    trial_end = details.instant("trial_end") if details.text("trial_end") != "now" else None
    is_trial = trial_end is not None and trial_end > now
    grid = period_around(now, changing.recurrence_of(world, items), now)
    period = Period(now, trial_end) if is_trial and trial_end is not None else grid
    then = _with_discounts(world, with_items(blank, items, period=period), params)
    charges = reckoning.period_charges(world, then, period, is_trial=is_trial)
    first = Period(now, now)
    return _shown(world, then, charges, period=first, reason="subscription_create", at=now)


def _with_discounts(world: World, held: Document, params: Params) -> Document:
    """Count discounts in that a request asks about; nobody else can take them up."""
    if "discounts" not in params:
        return held
    amount = sum(
        world.get("price", item["price"])["unit_amount"] * item["quantity"]
        for item in items_of(held)
    )
    granted = [
        discounting.grant(
            world, wish, customer=held["customer"], currency=held["currency"], amount=amount
        )["id"]
        for wish in params.each("discounts")
    ]
    return held | {"discounts": granted}


def _shown(
    world: World,
    subscription: Document,
    charges: list[Charge],
    *,
    period: Period,
    reason: str,
    at: int,
) -> Document:
    id_ = world.new_id("upcoming_in")
    reckoned = reckoning.reckon(world, subscription, charges, invoice=id_)
    customer = world.get("customer", subscription["customer"])
    invoice = invoice_shapes.new_invoice(
        id_,
        customer=customer,
        subscription=subscription,
        reason=reason,
        at=at,
        period=period,
        lines=reckoned.lines,
        amounts=reckoned.amounts,
    )
    after = customer["balance"] + reckoned.total
    balance, amount = settled(after, invoice["currency"])
    due: dict[str, Any] = {"amount_due": amount, "amount_remaining": amount}
    return invoice | due | {"ending_balance": balance, "next_payment_attempt": at}
