"""Updates of a subscription: its settings at once, its items with what that costs."""

from billing.sandbox.documents import Document
from billing.sandbox.engine import (
    changing,
    discounting,
    invoice_items,
    invoicing,
    lacking,
    reckoning,
    standing,
    subscribing,
)
from billing.sandbox.engine.changing import CHANGING, Change
from billing.sandbox.engine.shapes import items_of, period_of, with_items
from billing.sandbox.engine.subscriptions import cancellation_details
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_PAUSES = frozenset({"keep_as_draft", "mark_uncollectible", "void"})
_WITH_PENDING = CHANGING | {
    *("expand", "payment_behavior", "proration_behavior", "proration_date"),
    *("off_session", "add_invoice_items", "trial_from_plan"),
}
_LEAVING = frozenset({"cancel_at", "cancel_at_period_end"})


@route("POST", "/v1/subscriptions/{subscription}")
def update(world: World, params: Params, subscription: str) -> Document:
    """Change a subscription; a change of its items is charged as the request says."""
    held = world.get("subscription", subscription)
    world.live_by(held["customer"])
    lacking.check_subscription(params)
    _check(held, params)
    behavior = params.choice("payment_behavior", subscribing.PAYMENT_BEHAVIORS)
    if behavior == "pending_if_incomplete" and (others := set(params) - _WITH_PENDING):
        raise Invalid(
            "When `payment_behavior` is `pending_if_incomplete` you can only pass parameters that "
            f"pending updates support; `{min(others)}` is not among them.",
            param=min(others),
        )
    held = _with_settings(world, held, params)
    if CHANGING & set(params):
        change(world, held, params, behavior or "allow_incomplete")
    else:
        standing.save(world, held)
    return world.get("subscription", subscription)


def change(world: World, held: Document, params: Params, behavior: str) -> None:
    """Change the items, the trial or the anchor of `held`, with the payment that it needs."""
    if held["pending_update"] is not None:
        held = standing.drop_pending(world, held)
    planned = changing.plan(world, held, params)
    if not planned.is_invoiced_now or not planned.charges:
        _without_invoice(world, planned)
    elif behavior == "pending_if_incomplete":
        _once_paid(world, held, planned)
    else:
        with world.attempt():
            _at_once(world, planned, behavior)


def _without_invoice(world: World, planned: Change) -> None:
    """Keep a change whose charges wait for the next invoice, or that costs nothing."""
    invoice_items.keep(world, planned.after, planned.charges)
    debits = [charge for charge in planned.charges if charge.amount >= 0]
    billed = {
        charge.item: {
            "amount": charge.amount,
            "start": charge.period.start,
            "end": charge.period.end,
            "line": None,
            "invoice": None,
        }
        for charge in debits
    }
    items = [
        item | {"_billed": billed.get(item["id"], item["_billed"])}
        for item in items_of(planned.after)
    ]
    standing.save(world, with_items(planned.after, items))


def _at_once(world: World, planned: Change, behavior: str) -> None:
    """Change first and charge then; a payment that fails leaves the subscription past due.

    Raises `CardDeclined` for `error_if_incomplete` alone; then nothing has changed.
    """
    standing.save(world, planned.after)
    invoice = _invoice(world, planned)
    items = reckoning.noted(items_of(planned.after), invoice["lines"]["data"])
    after = with_items(planned.after, items) | {"latest_invoice": invoice["id"]}
    standing.save(world, after)
    if invoicing.finalize(world, invoice["id"])["status"] != "open":
        return
    if behavior == "default_incomplete":
        late = world.get("subscription", after["id"]) | {"status": "past_due"}
        standing.save(world, late)
        return
    world.save(world.get("invoice", invoice["id"]) | {"_tries": 1})
    try:
        invoicing.collect(world, invoice["id"])
    except CardDeclined:
        if behavior == "error_if_incomplete":
            raise


def _once_paid(world: World, held: Document, planned: Change) -> None:
    """Charge first; the change holds when it is paid, and waits at most 23 hours for that."""
    invoice = _invoice(world, planned)
    invoicing.finalize(world, invoice["id"])
    try:
        if world.get("invoice", invoice["id"])["status"] == "open":
            invoicing.collect(world, invoice["id"])
    except CardDeclined:
        calm = {"auto_advance": False, "next_payment_attempt": None}
        world.save(world.get("invoice", invoice["id"]) | calm)
        standing.hold_pending(world, held, planned.after, invoice)
        return
    items = reckoning.noted(items_of(planned.after), invoice["lines"]["data"])
    after = with_items(planned.after, items) | {"latest_invoice": invoice["id"]}
    standing.save(world, after)


def _invoice(world: World, planned: Change) -> Document:
    return invoicing.draft(
        world,
        planned.after,
        planned.charges,
        reason="subscription_update",
        period=period_of(planned.after),
        proration_date=planned.proration_date,
    )


def _check(held: Document, params: Params) -> None:
    others = set(params) - {"metadata", "cancellation_details", "expand"}
    if held["status"] in standing.ENDED and others:
        raise Invalid(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    if held["schedule"] is not None and _LEAVING & set(params):
        raise Invalid(
            "The subscription is managed by the subscription schedule "
            f"`{held['schedule']}`, and updating any cancelation behavior directly is not "
            "allowed. Please update the schedule instead.",
            param=min(_LEAVING & set(params)),
        )


def _with_settings(world: World, held: Document, params: Params) -> Document:
    held = held | {
        "metadata": params.merged_metadata(held["metadata"]),
        "cancellation_details": cancellation_details(held, params),
        "trial_settings": subscribing.trial_settings(params) or held["trial_settings"],
        "payment_settings": held["payment_settings"] | subscribing.payment_settings(params),
    }
    if "description" in params:
        held["description"] = params.text("description")
    if "default_payment_method" in params:
        held["default_payment_method"] = _method(world, held, params)
    if "default_tax_rates" in params:
        held["default_tax_rates"] = params.texts("default_tax_rates")
    if "discounts" in params:
        held["discounts"] = _discounts(world, held, params)
    if "pause_collection" in params:
        held["pause_collection"] = _pause(params)
    return _with_leaving(world, held, params)


def _method(world: World, held: Document, params: Params) -> str | None:
    id_ = params.text("default_payment_method")
    if id_ is None:
        return None
    method = world.get("payment_method", id_, param="default_payment_method")
    if method["customer"] != held["customer"]:
        raise Invalid(
            f"The customer does not have a payment method with the ID {id_}.",
            param="default_payment_method",
        )
    return id_


def _discounts(world: World, held: Document, params: Params) -> list[str]:
    if params.unsets("discounts"):
        return []
    amount = sum(
        world.get("price", item["price"])["unit_amount"] * item["quantity"]
        for item in items_of(held)
    )
    granted = [
        discounting.grant(
            world,
            wish,
            customer=held["customer"],
            currency=held["currency"],
            amount=amount,
            subscription=held["id"],
        )["id"]
        for wish in params.each("discounts")
    ]
    return granted or list(held["discounts"])


def _pause(params: Params) -> Document | None:
    if params.unsets("pause_collection"):
        return None
    wish = params.nested("pause_collection")
    return {
        "behavior": wish.required.choice("behavior", _PAUSES),
        "resumes_at": wish.instant("resumes_at"),
    }


def _with_leaving(world: World, held: Document, params: Params) -> Document:
    """Set, or take back, when the subscription is to end."""
    if params.flag("cancel_at_period_end"):
        end = period_of(held).end
        leaving = {"cancel_at_period_end": True, "cancel_at": end, "canceled_at": world.now()}
        reason = {"reason": "cancellation_requested"}
        return held | leaving | {"cancellation_details": held["cancellation_details"] | reason}
    if params.flag("cancel_at_period_end") is False and held["cancel_at_period_end"]:
        return _staying(held)
    if params.unsets("cancel_at"):
        return _staying(held)
    word = params.text("cancel_at")
    if word is None:
        return held
    end = period_of(held).end
    by_word = word in {"min_period_end", "max_period_end"}
    at = end if by_word else params.instant("cancel_at")
    if at is None or at <= world.now():
        raise Invalid("`cancel_at` has to be in the future.", param="cancel_at")
    return held | {"cancel_at": at, "canceled_at": world.now(), "cancel_at_period_end": False}


def _staying(held: Document) -> Document:
    details = held["cancellation_details"] | {"reason": None}
    stays = {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None}
    return held | stays | {"cancellation_details": details}
