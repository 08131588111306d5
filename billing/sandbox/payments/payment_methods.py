"""Payment methods: cards, by number or by the names of Stripe's test cards."""

from datetime import UTC, datetime

from billing.sandbox.documents import Document
from billing.sandbox.errors import CardDeclined, Invalid, Lacking
from billing.sandbox.payments import cards
from billing.sandbox.payments.addresses import address_of
from billing.sandbox.payments.cards import Card
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_KIND = "payment_method"
_PATH = "/v1/payment_methods"


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a card as a payment method of nobody yet."""
    return make(world, params)


def make(world: World, params: Params) -> Document:
    """Keep the payment method that parameters describe (also `payment_method_data`)."""
    kind = params.required.text("type")
    if kind != "card":
        raise Lacking(f"payment methods of type {kind}", param=params.name_of("type"))
    typed = params.required.nested("card")
    card = _card_of(typed)
    details = params.nested("billing_details")
    return add(
        world,
        card,
        expiry=(typed.integer("exp_month"), typed.integer("exp_year")),
        billing_details={
            "address": address_of(details.nested("address")),
            "email": details.text("email"),
            "name": details.text("name"),
            "phone": details.text("phone"),
            "tax_id": details.text("tax_id"),
        },
        metadata=params.merged_metadata(),
    )


def _card_of(typed: Params) -> Card:
    token = typed.text("token")
    if token is not None:
        card = cards.by_name(token)
        if card is None:
            raise Invalid(
                f"No such token: '{token}'", param=typed.name_of("token"), code="resource_missing"
            )
        return card
    return card_of_number(typed.required.text("number") or "", param=typed.name_of("number"))


def card_of_number(number: str, *, param: str = "card[number]") -> Card:
    """Return the test card of a number that was typed, blanks allowed; another one is refused."""
    digits = number.replace(" ", "")
    card = cards.BY_NUMBER.get(digits)
    if card is not None:
        return card
    if not cards.is_number(digits):
        raise CardDeclined(code="incorrect_number", param=param)
    raise CardDeclined(
        decline_code="test_mode_live_card",
        message="Your card was declined. This sandbox knows the test cards of Stripe alone.",
        param=param,
    )


def add(
    world: World,
    card: Card,
    *,
    expiry: tuple[int | None, int | None] = (None, None),
    billing_details: Document | None = None,
    metadata: dict[str, str] | None = None,
) -> Document:
    """Keep a new payment method for a test card; it runs out in some years if nothing is said."""
    month, year = expiry
    now = datetime.fromtimestamp(world.now(), UTC)
    method: Document = {
        "id": world.new_id("pm"),
        "object": _KIND,
        "allow_redisplay": "unspecified",
        "billing_details": billing_details
        or {"address": address_of(None), "email": None, "name": None, "phone": None},
        "card": _card_shown(card, month or 12, year or now.year + 5),
        "created": world.now(),
        "customer": None,
        "livemode": False,
        "metadata": metadata or {},
        "type": "card",
        "_number": card.number,
        "_is_set_up": card.authentication == "on_session",
    }
    return world.add(method)


def _card_shown(card: Card, month: int, year: int) -> Document:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year if year > 99 else 2000 + year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def card_of(method: Document) -> Card:
    """Return the test card of a payment method."""
    return cards.BY_NUMBER[method["_number"]]


def resolve(world: World, id_: str, *, param: str = "payment_method") -> Document:
    """Return a payment method; a name such as `pm_card_visa` makes a new one each time."""
    card = cards.by_name(id_) if id_.startswith("pm_card_") else None
    return world.get(_KIND, id_, param=param) if card is None else add(world, card)


def attach_to(world: World, method: Document, customer_id: str) -> Document:
    """Let a customer have a payment method; refused when the card declines or is another's."""
    if method["customer"] == customer_id:
        return method
    if method["customer"] is not None or method.get("_is_spent"):
        raise Invalid(
            "The payment method you provided has already been attached to a customer."
            if method["customer"]
            else "This PaymentMethod was previously used without being attached to a Customer or "
            "was detached from a Customer, and may not be used again.",
            param="payment_method",
        )
    card = card_of(method)
    if not card.keeps:
        code, decline_code = card.decline or ("card_declined", "generic_decline")
        raise CardDeclined(code=code, decline_code=decline_code)
    method["customer"] = customer_id
    return world.save_as(method, event="payment_method.attached")


@route("GET", f"{_PATH}/{{payment_method}}")
def retrieve(world: World, _params: Params, payment_method: str) -> Document:
    """Return a payment method."""
    return world.get(_KIND, payment_method)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return the payment methods of a customer."""
    where = params.filters("customer", "type")
    return world.listing(params, _KIND, where | {"customer": where.get("customer", "")})


@route("GET", "/v1/customers/{customer}/payment_methods")
def list_of_customer(world: World, params: Params, customer: str) -> Document:
    """Return the payment methods of a customer."""
    world.get("customer", customer)
    return world.listing(params, _KIND, params.filters("type") | {"customer": customer})


@route("GET", "/v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_of_customer(
    world: World, _params: Params, customer: str, payment_method: str
) -> Document:
    """Return one payment method of a customer."""
    world.get("customer", customer)
    return world.get(_KIND, payment_method)


@route("POST", f"{_PATH}/{{payment_method}}")
def update(world: World, params: Params, payment_method: str) -> Document:
    """Change when a card runs out, or whose it is."""
    method = world.get(_KIND, payment_method)
    card = params.nested("card")
    for name in ("exp_month", "exp_year"):
        if (value := card.integer(name)) is not None:
            method["card"][name] = value
    details = params.nested("billing_details")
    details.change_texts(method["billing_details"], "email", "name", "phone")
    if "address" in details:
        method["billing_details"]["address"] = address_of(details.nested("address"))
    params.change_texts(method, "allow_redisplay")
    method["metadata"] = params.merged_metadata(method["metadata"])
    return world.save(method, event="payment_method.updated")


@route("POST", f"{_PATH}/{{payment_method}}/attach")
def attach(world: World, params: Params, payment_method: str) -> Document:
    """Attach a payment method to a customer."""
    customer_id = params.required.text("customer") or ""
    customer = world.get("customer", customer_id, param="customer")
    return attach_to(world, resolve(world, payment_method, param="id"), customer["id"])


@route("POST", f"{_PATH}/{{payment_method}}/detach")
def detach(world: World, _params: Params, payment_method: str) -> Document:
    """Take a payment method from its customer, for good."""
    method = world.get(_KIND, payment_method)
    customer = world.find("customer", method["customer"])
    if customer is None:
        raise Invalid("The payment method you provided is not attached to a customer.")
    if customer["invoice_settings"]["default_payment_method"] == payment_method:
        customer["invoice_settings"]["default_payment_method"] = None
        world.save(customer, event="customer.updated")
    method |= {"customer": None, "_is_spent": True}
    return world.save_as(method, event="payment_method.detached")
