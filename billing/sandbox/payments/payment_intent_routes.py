"""The HTTP of payment intents."""

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.payments import payment_intents, payment_methods
from billing.sandbox.payments.amounts import check_amount
from billing.sandbox.payments.customers import shipping_of
from billing.sandbox.payments.payment_intents import KIND
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_PATH = "/v1/payment_intents"
_LACKING = ("confirmation_token", "transfer_data", "application_fee_amount", "on_behalf_of")
_CHANGEABLE = ("description", "receipt_email", "setup_future_usage", "statement_descriptor")
_FINISHED = {"succeeded", "canceled", "processing"}


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make an intent, and confirm it at once when asked to."""
    _refuse_lacking(params)
    customer = params.text("customer")
    if customer is not None:
        world.get("customer", customer, param="customer")
    amount = params.required.integer("amount") or 0
    currency = params.required.text("currency") or ""
    check_amount(amount, currency)
    method = _method(world, params)
    extra: Document = {
        "receipt_email": params.text("receipt_email"),
        "shipping": shipping_of(params),
        "statement_descriptor": params.text("statement_descriptor"),
        "_return_url": params.text("return_url"),
    }
    if (capture := params.text("capture_method")) is not None:
        extra["capture_method"] = capture
    automatic = params.nested("automatic_payment_methods")
    if automatic.values:
        extra["automatic_payment_methods"] = {
            "allow_redirects": automatic.text("allow_redirects") or "always",
            "enabled": bool(automatic.flag("enabled")),
        }
    intent = payment_intents.begin(
        world,
        amount=amount,
        currency=currency,
        customer=customer,
        payment_method=method,
        description=params.text("description"),
        metadata=params.merged_metadata(),
        setup_future_usage=params.text("setup_future_usage"),
        extra=extra,
    )
    if params.flag("confirm"):
        return _confirmed(world, params, intent)
    if "off_session" in params:
        raise Invalid("`off_session` goes with `confirm`.", param="off_session")
    return intent


def _refuse_lacking(params: Params) -> None:
    for name in _LACKING:
        if name in params:
            raise Lacking(f"payment intents with {name}", param=name)


def _method(world: World, params: Params) -> str | None:
    if params.nested("payment_method_data").values:
        return str(payment_methods.make(world, params.nested("payment_method_data"))["id"])
    wanted = params.text("payment_method")
    return str(payment_methods.resolve(world, wanted)["id"]) if wanted else None


def _confirmed(world: World, params: Params, intent: Document) -> Document:
    off_session = params.values.get("off_session") in {"true", "one_off", "recurring"}
    if (return_url := params.text("return_url")) is not None:
        intent["_return_url"] = return_url
    intent = payment_intents.confirm(world, intent, off_session=off_session)
    if intent["status"] == "requires_action" and params.flag("error_on_requires_action"):
        raise Invalid(
            "This payment required an authentication action to complete, but "
            "`error_on_requires_action` was set.",
            code="authentication_required",
        )
    return intent


@route("GET", f"{_PATH}/{{intent}}")
def retrieve(world: World, _params: Params, intent: str) -> Document:
    """Return an intent."""
    return world.get(KIND, intent)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return intents, newest first."""
    return world.listing(params, KIND, params.filters("customer"))


@route("POST", f"{_PATH}/{{intent}}")
def update(world: World, params: Params, intent: str) -> Document:
    """Change an intent before it is paid."""
    _refuse_lacking(params)
    document = world.get(KIND, intent)
    amount = params.integer("amount")
    if amount is not None and document["status"] in _FINISHED | {"requires_capture"}:
        raise Invalid(
            f"This PaymentIntent's amount could not be updated because it has a status of "
            f"{document['status']}.",
            param="amount",
            code="payment_intent_unexpected_state",
        )
    if amount is not None:
        document["amount"] = amount
    params.change_texts(document, *_CHANGEABLE, "customer")
    if (method := _method(world, params)) is not None:
        document["payment_method"] = method
        if document["status"] == "requires_payment_method":
            document["status"] = "requires_confirmation"
    document["metadata"] = params.merged_metadata(document["metadata"])
    return world.save(document)


@route("POST", f"{_PATH}/{{intent}}/confirm")
def confirm(world: World, params: Params, intent: str) -> Document:
    """Pay an intent."""
    _refuse_lacking(params)
    document = world.get(KIND, intent)
    if (method := _method(world, params)) is not None:
        document["payment_method"] = method
    if (usage := params.text("setup_future_usage")) is not None:
        document["setup_future_usage"] = usage
    return _confirmed(world, params, document)


@route("POST", f"{_PATH}/{{intent}}/capture")
def capture(world: World, params: Params, intent: str) -> Document:
    """Take the money that was reserved."""
    return payment_intents.capture(
        world, world.get(KIND, intent), params.integer("amount_to_capture")
    )


@route("POST", f"{_PATH}/{{intent}}/cancel")
def cancel(world: World, params: Params, intent: str) -> Document:
    """Give an intent up."""
    document = world.get(KIND, intent)
    return payment_intents.cancel(world, document, params.text("cancellation_reason"))
