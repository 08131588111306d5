"""A new subscription: its items, trial, first invoice and the first payment for it."""

from collections.abc import Sequence
from typing import NamedTuple

from billing.sandbox.calendar import Period, Recurrence, period_around, trial_end
from billing.sandbox.documents import Document
from billing.sandbox.engine import (
    changing,
    discounting,
    invoicing,
    lacking,
    reckoning,
    standing,
)
from billing.sandbox.engine.shapes import Charge, items_of, new_item, new_subscription, with_items
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.payments import payment_methods
from billing.sandbox.proration import share
from billing.sandbox.requests import Params
from billing.sandbox.world import World

PAYMENT_BEHAVIORS = frozenset(
    {"allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"}
)
_MISSING = frozenset({"cancel", "create_invoice", "pause"})


class Start(NamedTuple):
    """How a subscription begins, beside what its parameters say of it."""

    customer: Document
    items: Sequence[Params]
    payment_method: str | None = None
    extra: Document | None = None


def begin(world: World, params: Params, start: Start) -> Document:
    """Make a subscription with its first invoice, which is finalised and not yet collected."""
    subscription = _new(world, params, start)
    subscription = _with_trial(world, subscription, params) | (start.extra or {})
    subscription = _with_discounts(world, subscription, params)
    world.add(subscription, event="customer.subscription.created")
    is_trial = subscription["status"] == "trialing"
    charges = _first_charges(world, subscription, is_trial=is_trial)
    first = charges[0].period
    invoice = invoicing.draft(
        world,
        subscription,
        charges,
        reason="subscription_create",
        period=Period(first.start, first.start),
    )
    noted = [] if is_trial else invoice["lines"]["data"]
    items = reckoning.noted(items_of(subscription), noted)
    subscription = with_items(subscription, items) | {"latest_invoice": invoice["id"]}
    standing.save(world, subscription, event=None)
    invoicing.finalize(world, invoice["id"])
    return world.get("subscription", subscription["id"])


def collect_first(
    world: World, subscription: Document, *, payment_method: str | None, off_session: bool
) -> Document:
    """Try the first payment where one is due; raises `CardDeclined` when it does not succeed."""
    invoice = world.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoicing.collect(
            world, invoice["id"], payment_method=payment_method, off_session=off_session
        )
    return world.get("subscription", subscription["id"])


def create(world: World, params: Params) -> Document:
    """Make a subscription as `POST /v1/subscriptions` asks, and pay for it as it says."""
    lacking.check_subscription(params)
    customer = world.get("customer", params.required.text("customer") or "", param="customer")
    world.live_by(customer["id"])
    behavior = params.choice("payment_behavior", PAYMENT_BEHAVIORS) or "allow_incomplete"
    start = Start(customer, params.required.each("items"))
    with world.attempt():
        subscription = begin(world, params, start)
        if behavior == "default_incomplete":
            return subscription
        _check_method(world, subscription)
        try:
            return collect_first(
                world,
                subscription,
                payment_method=None,
                off_session=bool(params.flag("off_session")),
            )
        except CardDeclined:
            if behavior == "error_if_incomplete":
                raise
    return world.get("subscription", subscription["id"])


def _check_method(world: World, subscription: Document) -> None:
    invoice = world.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open" and invoicing.payment_method_of(world, invoice) is None:
        raise Invalid(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )


def _new(world: World, params: Params, start: Start) -> Document:
    prices = [changing.recurring_price(world, wish) for wish in start.items]
    if not prices:
        raise Invalid("Missing required param: items.", param="items", code="parameter_missing")
    currencies = {price["currency"] for price in prices}
    if len(currencies) > 1:
        raise Invalid("All prices of a subscription have one currency.", param="items")
    now, id_ = world.now(), world.new_id("sub")
    customer = start.customer
    subscription = new_subscription(
        id_,
        customer=customer["id"],
        currency=currencies.pop(),
        at=now,
        test_clock=customer.get("test_clock"),
    )
    items = [
        new_item(
            world.new_id("si"),
            subscription=id_,
            price=price["id"],
            quantity=1 if wish.integer("quantity") is None else wish.integer("quantity") or 0,
            created=now,
            metadata=wish.merged_metadata(),
        )
        for wish, price in zip(start.items, prices, strict=True)
    ]
    changing.recurrence_of(world, items)
    subscription = with_items(subscription, items)
    subscription["default_payment_method"] = _method(world, params, start)
    return _with_settings(world, subscription, params)


def _method(world: World, params: Params, start: Start) -> str | None:
    id_ = start.payment_method or params.text("default_payment_method")
    if id_ is None:
        return None
    method = payment_methods.resolve(world, id_, param="default_payment_method")
    if method["customer"] != start.customer["id"]:
        raise Invalid(
            f"The customer does not have a payment method with the ID {id_}. The payment method "
            "must be attached to the customer.",
            param="default_payment_method",
            code="resource_missing",
        )
    return str(method["id"])


def _with_settings(world: World, subscription: Document, params: Params) -> Document:
    rates = params.texts("default_tax_rates")
    subscription |= {
        "metadata": params.merged_metadata(),
        "description": params.text("description"),
        "default_tax_rates": [
            world.get("tax_rate", id_, param="default_tax_rates")["id"] for id_ in rates
        ],
    }
    if params.nested("automatic_tax").flag("enabled"):
        liability = {"type": "self"}
        subscription["automatic_tax"] |= {"enabled": True, "liability": liability}
    if params.nested("billing_mode").text("type") == "classic":
        subscription["billing_mode"] = {"type": "classic", "flexible": None, "updated_at": None}
    subscription["payment_settings"] |= payment_settings(params)
    subscription["trial_settings"] = trial_settings(params) or subscription["trial_settings"]
    if params.flag("cancel_at_period_end"):
        subscription["cancel_at_period_end"] = True
    if (cancel_at := params.instant("cancel_at")) is not None:
        subscription |= {"cancel_at": cancel_at, "canceled_at": world.now()}
    return subscription


def payment_settings(params: Params) -> Document:
    """Return what a request says of how payments are kept."""
    wish = params.nested("payment_settings")
    saving = wish.choice("save_default_payment_method", {"off", "on_subscription"})
    return {} if saving is None else {"save_default_payment_method": saving}


def trial_settings(params: Params) -> Document | None:
    """Return what a request says of a trial's end without a payment method."""
    wish = params.nested("trial_settings").nested("end_behavior")
    behavior = wish.choice("missing_payment_method", _MISSING)
    return None if behavior is None else {"end_behavior": {"missing_payment_method": behavior}}


def _with_trial(world: World, subscription: Document, params: Params) -> Document:
    now = world.now()
    days, until = params.integer("trial_period_days"), params.text("trial_end")
    if days is not None and until is not None:
        raise Invalid("Pass `trial_end` or `trial_period_days`, not both.", param="trial_end")
    end = now if until in {None, "now"} else params.instant("trial_end") or now
    if days:
        end = trial_end(now, days)
    items = items_of(subscription)
    if end > now:
        trial = {"trial_start": now, "trial_end": end, "billing_cycle_anchor": end}
        return with_items(subscription | trial, items, period=Period(now, end)) | {
            "status": "trialing"
        }
    recurrence = changing.recurrence_of(world, items)
    anchor = params.instant("billing_cycle_anchor") or now
    period = Period(now, period_around(anchor, recurrence, now).end)
    return with_items(subscription | {"billing_cycle_anchor": anchor}, items, period=period)


def _with_discounts(world: World, subscription: Document, params: Params) -> Document:
    amount = sum(
        world.get("price", item["price"])["unit_amount"] * item["quantity"]
        for item in items_of(subscription)
    )
    granted = [
        discounting.grant(
            world,
            wish,
            customer=subscription["customer"],
            currency=subscription["currency"],
            amount=amount,
            subscription=subscription["id"],
        )["id"]
        for wish in params.each("discounts")
    ]
    return subscription | {"discounts": granted}


def _first_charges(world: World, subscription: Document, *, is_trial: bool) -> list[Charge]:
    """Charge the first period; one that an anchor cuts short by its share."""
    first = items_of(subscription)[0]
    period = Period(first["current_period_start"], first["current_period_end"])
    charges = reckoning.period_charges(world, subscription, period, is_trial=is_trial)
    recurrence = changing.recurrence_of(world, items_of(subscription))
    whole = _whole(subscription["billing_cycle_anchor"], recurrence, period)
    if is_trial or whole == period:
        return charges
    return [
        charge._replace(amount=share(charge.amount, whole, period.start), is_proration=True)
        for charge in charges
    ]


def _whole(anchor: int, recurrence: Recurrence, period: Period) -> Period:
    return period_around(anchor, recurrence, period.start)
