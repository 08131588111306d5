"""Setup intents: a card is made ready for later payments, without one now."""

from billing.sandbox.documents import Document
from billing.sandbox.errors import CardDeclined, Invalid, Lacking
from billing.sandbox.payments import payment_intents, payment_methods
from billing.sandbox.payments.payment_methods import card_of
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

KIND = "setup_intent"
_PATH = "/v1/setup_intents"
_CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a setup intent, and confirm it at once when asked to."""
    if "confirmation_token" in params:
        raise Lacking("confirmation tokens", param="confirmation_token")
    customer = params.text("customer")
    if customer is not None:
        world.get("customer", customer, param="customer")
    intent = begin(
        world,
        customer=customer,
        usage=params.text("usage") or "off_session",
        payment_method=_method(world, params),
        metadata=params.merged_metadata(),
        description=params.text("description"),
        return_url=params.text("return_url"),
    )
    return confirm(world, intent) if params.flag("confirm") else intent


def begin(
    world: World,
    *,
    customer: str | None,
    usage: str = "off_session",
    payment_method: str | None = None,
    metadata: dict[str, str] | None = None,
    description: str | None = None,
    return_url: str | None = None,
    extra: Document | None = None,
) -> Document:
    """Keep a new setup intent; `extra` has further fields of it."""
    id_ = world.new_id("seti")
    intent: Document = {
        "id": id_,
        "object": KIND,
        "cancellation_reason": None,
        "client_secret": world.store.new_id(f"{id_}_secret", 25),
        "created": world.now(),
        "customer": customer,
        "description": description,
        "last_setup_error": None,
        "livemode": False,
        "metadata": metadata or {},
        "next_action": None,
        "payment_method": payment_method,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "status": "requires_confirmation" if payment_method else "requires_payment_method",
        "usage": usage,
        "_return_url": return_url,
        **(extra or {}),
    }
    return world.add(intent, event="setup_intent.created")


def _method(world: World, params: Params) -> str | None:
    if params.nested("payment_method_data").values:
        return str(payment_methods.make(world, params.nested("payment_method_data"))["id"])
    wanted = params.text("payment_method")
    return str(payment_methods.resolve(world, wanted)["id"]) if wanted else None


def confirm(world: World, intent: Document, method_id: str | None = None) -> Document:
    """Make the card ready: succeeded, or requires_action where it asks to authenticate."""
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(intent)
    wanted = method_id or intent["payment_method"]
    if wanted is None:
        raise Invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
        )
    method = payment_methods.resolve(world, wanted)
    intent |= {"payment_method": method["id"], "last_setup_error": None, "next_action": None}
    card = card_of(method)
    if not card.keeps:
        code, decline_code = card.decline or ("card_declined", None)
        raise _failed(world, intent, CardDeclined(code=code, decline_code=decline_code))
    if card.authentication in {"always", "until_set_up"} and not method["_is_set_up"]:
        step = world.url(f"/3ds/{intent['id']}")
        action = payment_intents.next_action(step, intent["_return_url"])
        intent |= {"next_action": action, "status": "requires_action"}
        return world.save_as(intent, event="setup_intent.requires_action")
    return _succeed(world, intent, method)


def authenticate(world: World, intent: Document, *, succeeds: bool) -> Document:
    """End the 3-D Secure step of a setup intent."""
    if intent["status"] != "requires_action":
        raise _unexpected(intent)
    method = world.get("payment_method", intent["payment_method"])
    if succeeds:
        return _succeed(world, intent, method)
    error = CardDeclined(
        code="setup_intent_authentication_failure",
        message="The latest attempt to set up the payment method has failed because "
        "authentication failed.",
        payment_method=method,
    )
    _failed(world, intent, error)
    return intent


def _succeed(world: World, intent: Document, method: Document) -> Document:
    if intent["customer"] is not None:
        payment_methods.attach_to(world, method, intent["customer"])
    method["_is_set_up"] = True
    world.save(method)
    intent |= {"next_action": None, "status": "succeeded"}
    return world.save_as(intent, event="setup_intent.succeeded")


def _failed(world: World, intent: Document, error: CardDeclined) -> CardDeclined:
    intent |= {
        "last_setup_error": error.as_last_error(),
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    world.save_as(intent, event="setup_intent.setup_failed")
    error.objects["setup_intent"] = world.show(intent)
    return error


def _unexpected(intent: Document) -> Invalid:
    return Invalid(
        f"This SetupIntent cannot be changed so because it has a status of {intent['status']}.",
        code="setup_intent_unexpected_state",
    )


@route("GET", f"{_PATH}/{{intent}}")
def retrieve(world: World, _params: Params, intent: str) -> Document:
    """Return a setup intent."""
    return world.get(KIND, intent)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return setup intents, newest first."""
    return world.listing(params, KIND, params.filters("customer", "payment_method"))


@route("POST", f"{_PATH}/{{intent}}")
def update(world: World, params: Params, intent: str) -> Document:
    """Change a setup intent."""
    document = world.get(KIND, intent)
    params.change_texts(document, "description", "customer")
    if (method := _method(world, params)) is not None:
        document |= {"payment_method": method, "status": "requires_confirmation"}
    document["metadata"] = params.merged_metadata(document["metadata"])
    return world.save(document)


@route("POST", f"{_PATH}/{{intent}}/confirm")
def confirm_by_request(world: World, params: Params, intent: str) -> Document:
    """Make the card ready."""
    document = world.get(KIND, intent)
    if (return_url := params.text("return_url")) is not None:
        document["_return_url"] = return_url
    return confirm(world, document, _method(world, params))


@route("POST", f"{_PATH}/{{intent}}/cancel")
def cancel(world: World, params: Params, intent: str) -> Document:
    """Give a setup intent up."""
    document = world.get(KIND, intent)
    if document["status"] not in _CONFIRMABLE:
        raise _unexpected(document)
    document |= {
        "cancellation_reason": params.text("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    return world.save_as(document, event="setup_intent.canceled")
