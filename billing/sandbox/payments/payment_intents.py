"""Payment intents: from what shall be paid to the charge, with declines and authentication."""

from typing import Any

from billing.sandbox.documents import Document
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.payments import charges, payment_methods
from billing.sandbox.payments.payment_methods import card_of
from billing.sandbox.world import World

KIND = "payment_intent"
_CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}
_CANCELABLE = {*_CONFIRMABLE, "requires_capture", "processing"}


def begin(
    world: World,
    *,
    amount: int,
    currency: str,
    customer: str | None = None,
    payment_method: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    setup_future_usage: str | None = None,
    extra: Document | None = None,
) -> Document:
    """Keep a new intent, not confirmed yet; `extra` has further fields of it."""
    if amount <= 0:
        raise Invalid(
            "This value must be greater than or equal to 1.",
            param="amount",
            code="parameter_invalid_integer",
        )
    id_ = world.new_id("pi")
    intent: Document = {
        "id": id_,
        "object": KIND,
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": world.store.new_id(f"{id_}_secret", 25),
        "confirmation_method": "automatic",
        "created": world.now(),
        "currency": currency.lower(),
        "customer": customer,
        "description": description,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata or {},
        "next_action": None,
        "payment_method": payment_method,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "setup_future_usage": setup_future_usage,
        "shipping": None,
        "status": "requires_confirmation" if payment_method else "requires_payment_method",
        "_return_url": None,
        **(extra or {}),
    }
    return world.add(intent, event="payment_intent.created")


def confirm(
    world: World,
    intent: Document,
    method_id: str | None = None,
    *,
    off_session: bool = False,
    waits: bool | None = None,
) -> Document:
    """Pay an intent with a card and return it: succeeded, or requires_action or _capture.

    With `off_session` the customer is not there to authenticate; then a card that asks for it
    declines, unless `waits` (as invoices do: the intent requires action until the customer comes).
    A declined card raises CardDeclined after the intent and the failed charge were kept.
    """
    _check_confirmable(intent)
    wanted = method_id or intent["payment_method"]
    if wanted is None:
        raise Invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method.",
            code="payment_intent_unexpected_state",
        )
    method = payment_methods.resolve(world, wanted)
    _check_owner(intent, method)
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    if _asks(method, off_session=off_session):
        is_waiting = not off_session if waits is None else waits
        if is_waiting:
            return _require_action(world, intent)
        raise _declined(world, intent, _authentication_required(method))
    return _charge(world, intent, method, is_authenticated=False)


def authenticate(world: World, intent: Document, *, succeeds: bool) -> Document:
    """End the 3-D Secure step of an intent; a decline afterwards shows in the intent alone."""
    if intent["status"] != "requires_action":
        raise Invalid(
            "This PaymentIntent does not wait for the customer.",
            code="payment_intent_unexpected_state",
        )
    method = world.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    try:
        if succeeds:
            return _charge(world, intent, method, is_authenticated=True)
        raise _declined(world, intent, _authentication_failed(method))
    except CardDeclined:
        return world.get(KIND, intent["id"])


def capture(world: World, intent: Document, amount: int | None) -> Document:
    """Take the money that an intent reserved, or a part of it."""
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "captured")
    most = intent["amount_capturable"]
    taken = most if amount is None else amount
    if not 0 < taken <= most:
        raise Invalid(
            "The amount to capture has to be within the capturable amount.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    charges.capture(world, world.get("charge", intent["latest_charge"]), taken)
    return _succeed(world, intent, taken)


def cancel(world: World, intent: Document, reason: str | None) -> Document:
    """Give up an intent that has not succeeded."""
    if intent["status"] not in _CANCELABLE:
        raise _unexpected(intent, "canceled")
    intent |= {
        "amount_capturable": 0,
        "canceled_at": world.now(),
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    return world.save_as(intent, event="payment_intent.canceled")


def _check_confirmable(intent: Document) -> None:
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(intent, "confirmed")


def _check_owner(intent: Document, method: Document) -> None:
    if method["customer"] not in {None, intent["customer"]}:
        raise Invalid(
            "The provided PaymentMethod belongs to another customer than the PaymentIntent.",
            param="payment_method",
        )


def _asks(method: Document, *, off_session: bool) -> bool:
    match card_of(method).authentication:
        case "always":
            return True
        case "until_set_up":
            return not (method["_is_set_up"] and off_session)
        case "on_session":
            return not off_session
        case _:
            return False


def _require_action(world: World, intent: Document) -> Document:
    step = world.url(f"/3ds/{intent['id']}")
    return_url = intent["_return_url"]
    intent |= {"next_action": next_action(step, return_url), "status": "requires_action"}
    return world.save_as(intent, event="payment_intent.requires_action")


def next_action(step: str, return_url: str | None) -> dict[str, Any]:
    """Return what a client has to do: open the page of the step, itself or by Stripe's script."""
    if return_url is None:
        script = {"type": "three_d_secure_redirect", "stripe_js": step}
        return {"type": "use_stripe_sdk", "use_stripe_sdk": script}
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": step}}


def _charge(
    world: World, intent: Document, method: Document, *, is_authenticated: bool
) -> Document:
    is_kept = intent["setup_future_usage"] and intent["customer"] and card_of(method).keeps
    if is_kept and method["customer"] is None:
        payment_methods.attach_to(world, method, intent["customer"])
    charge = charges.attempt(world, intent, method, is_authenticated=is_authenticated)
    intent["latest_charge"] = charge["id"]
    if charge["status"] == "failed":
        raise _declined(world, intent, charges.decline_of(charge, method))
    if intent["setup_future_usage"]:
        method["_is_set_up"] = True
        world.save(method)
    if not charge["captured"]:
        intent |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
        return world.save_as(intent, event="payment_intent.amount_capturable_updated")
    return _succeed(world, intent, charge["amount_captured"])


def _succeed(world: World, intent: Document, amount: int) -> Document:
    intent |= {
        "amount_capturable": 0,
        "amount_received": intent["amount_received"] + amount,
        "status": "succeeded",
    }
    return world.save_as(intent, event="payment_intent.succeeded")


def _declined(world: World, intent: Document, error: CardDeclined) -> CardDeclined:
    """Keep an intent whose card declined and return the error that tells so."""
    intent |= {
        "last_payment_error": error.as_last_error(),
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    world.save_as(intent, event="payment_intent.payment_failed")
    error.objects["payment_intent"] = world.show(intent)
    return error


def _authentication_required(method: Document) -> CardDeclined:
    return CardDeclined(
        code="authentication_required",
        decline_code="authentication_required",
        payment_method=method,
    )


def _authentication_failed(method: Document) -> CardDeclined:
    return CardDeclined(
        code="payment_intent_authentication_failure",
        message="The provided PaymentMethod has failed authentication. You can provide "
        "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent "
        "again.",
        payment_method=method,
    )


def _unexpected(intent: Document, done: str) -> Invalid:
    return Invalid(
        f"This PaymentIntent could not be {done} because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
    )
