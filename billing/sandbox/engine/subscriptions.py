"""Subscriptions over HTTP: made, found, listed, cancelled, resumed; how they are shown."""

from contextlib import suppress
from typing import Any

from billing.sandbox.calendar import period_around
from billing.sandbox.documents import Document
from billing.sandbox.engine import (
    changing,
    invoicing,
    lacking,
    reckoning,
    schedules,
    standing,
    subscribing,
)
from billing.sandbox.engine.shapes import items_of, plan_of, with_items
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import reacts, route, shows
from billing.sandbox.world import World

_STATES = frozenset(
    {
        *("active", "canceled", "incomplete", "incomplete_expired", "past_due"),
        *("paused", "trialing", "unpaid"),
    }
)


@route("POST", "/v1/subscriptions")
def create(world: World, params: Params) -> Document:
    """Make a subscription and pay its first invoice."""
    return subscribing.create(world, params)


@route("GET", "/v1/subscriptions/{subscription}")
def retrieve(world: World, _: Params, subscription: str) -> Document:
    """Return a subscription."""
    return world.get("subscription", subscription)


@route("GET", "/v1/subscriptions")
def listing(world: World, params: Params) -> Document:
    """Return subscriptions; without a `status` all but those that were cancelled.

    Those of a test clock only where it, or their customer, is named.
    """
    lacking.check_list(params, "automatic_tax", "current_period_end", "current_period_start")
    lacking.check_list(params, "plan", "price")
    where: dict[str, Any] = params.filters("customer", "collection_method", "test_clock")
    if "customer" not in where:
        where.setdefault("test_clock", None)
    status = params.choice("status", _STATES | {"all", "ended"})
    if status == "ended":
        where["status"] = standing.ENDED
    elif status is None:
        where["status"] = _STATES - standing.ENDED
    elif status != "all":
        where["status"] = status
    return world.listing(params, "subscription", where)


@route("DELETE", "/v1/subscriptions/{subscription}")
def cancel(world: World, params: Params, subscription: str) -> Document:
    """End a subscription at once."""
    held = world.get("subscription", subscription)
    if held["status"] in standing.ENDED:
        raise Invalid(
            f"No such subscription: '{subscription}'", param="id", code="resource_missing"
        )
    world.live_by(held["customer"])
    held["cancellation_details"] = cancellation_details(held, params)
    first = world.find("invoice", held["latest_invoice"])
    is_unpaid_start = held["status"] == "incomplete" and first and first["status"] == "open"
    ended = standing.end(
        world,
        held,
        reason="cancellation_requested",
        prorate=bool(params.flag("prorate")),
        invoice_now=bool(params.flag("invoice_now")),
    )
    if is_unpaid_start and first is not None:
        invoicing.void(world, first["id"])
    return world.get("subscription", ended["id"])


@route("POST", "/v1/subscriptions/{subscription}/resume")
def resume(world: World, params: Params, subscription: str) -> Document:
    """Let a paused subscription run again, with a period that begins now and is charged now."""
    held = world.get("subscription", subscription)
    if held["status"] != "paused":
        raise Invalid("You can only resume a subscription that is paused.")
    if params.nested("billing_cycle_anchor").text("type") == "unchanged":
        raise Invalid(
            "This sandbox resumes with an anchor of `now` only.", param="billing_cycle_anchor"
        )
    world.live_by(held["customer"])
    now, items = world.now(), items_of(held)
    period = period_around(now, changing.recurrence_of(world, items), now)
    after = with_items(
        held | {"billing_cycle_anchor": now, "status": "active"}, items, period=period
    )
    charges = reckoning.period_charges(world, after, period)
    invoice = invoicing.draft(world, after, charges, reason="subscription_update", period=period)
    noted = reckoning.noted(items, invoice["lines"]["data"])
    after = with_items(after, noted, period=period) | {"latest_invoice": invoice["id"]}
    standing.save(world, after)
    world.emit("customer.subscription.resumed", after)
    invoicing.finalize(world, invoice["id"])
    with suppress(CardDeclined):
        subscribing.collect_first(world, after, payment_method=None, off_session=True)
    return world.get("subscription", subscription)


@shows("subscription")
def show(world: World, subscription: Document) -> Document:
    """Show the prices of the items and the tax rates whole, as Stripe does."""
    if "items" not in subscription:
        return subscription
    data = [_with_price(world, item) for item in items_of(subscription)]
    rates = [world.get("tax_rate", id_) for id_ in subscription["default_tax_rates"]]
    shown = subscription | {"items": subscription["items"] | {"data": data}}
    pending = subscription["pending_update"]
    if pending is not None:
        changed = [_with_price(world, item) for item in pending["subscription_items"]]
        shown["pending_update"] = pending | {"subscription_items": changed}
    return shown | {"default_tax_rates": rates}


def _with_price(world: World, item: Document) -> Document:
    price = world.get("price", item["price"])
    return item | {"price": world.show(price), "plan": plan_of(price)}


def cancellation_details(subscription: Document, params: Params) -> Document:
    """Return what is known of why somebody leaves, with what the request says of it."""
    wish = params.nested("cancellation_details")
    known: Document = subscription["cancellation_details"]
    given = {name: wish.text(name) for name in ("comment", "feedback") if name in wish}
    return known | given


@reacts("customer.deleted")
def leave(world: World, customer: Document) -> None:
    """End the subscriptions of a customer who is gone."""
    for held in world.all("subscription", {"customer": customer["id"]}):
        if held["status"] not in standing.ENDED:
            standing.end(world, held, reason="cancellation_requested")


@reacts("customer.subscription.deleted")
def close_schedule(world: World, subscription: Document) -> None:
    """End what was planned for a subscription that has ended."""
    schedules.close(world, subscription)
