"""Checkout sessions over HTTP: opened with what is sold, found, listed, expired."""

from typing import Any

from billing.sandbox.calendar import DAY_S, HOUR_S
from billing.sandbox.catalogue import prices, products, promotion_codes
from billing.sandbox.checkout import totals
from billing.sandbox.documents import Document
from billing.sandbox.engine import changing, lacking, wording
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.requests import Params
from billing.sandbox.routing import due, route
from billing.sandbox.world import World

KIND = "checkout.session"
_PATH = "/v1/checkout/sessions"
_MODES = frozenset({"payment", "setup", "subscription"})
_COLLECTION = frozenset({"always", "if_required"})
_LONGEST_S, _SHORTEST_S = DAY_S, HOUR_S // 2
_NOTHING = (
    "adaptive_pricing after_expiration allowed_payment_method_types billing_address_collection"
    " branding_settings client_secret collected_information consent consent_collection"
    " currency_conversion customer_account customer_details excluded_payment_method_types"
    " integration_identifier invoice invoice_creation locale managed_payments name_collection"
    " optional_items origin_context payment_intent payment_link permissions"
    " payment_method_configuration_details presentment_details recovered_from"
    " redirect_on_completion return_url setup_intent"
    " shipping_address_collection shipping_cost subscription tax_id_collection wallet_options"
)


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Open a session; its `url` is the page on which somebody pays."""
    mode = params.required.choice("mode", _MODES) or "payment"
    if params.choice("ui_mode", {"hosted_page", "embedded_page", "elements", "form"}) not in {
        None,
        "hosted_page",
    }:
        raise Lacking("checkout other than on a hosted page", param="ui_mode")
    lacking.check_checkout(params)
    customer = _customer(world, params)
    _check(mode, params)
    id_ = f"cs_test_{world.store.new_id('x', 58).removeprefix('x_')}"
    lines = [_line(world, mode, wish) for wish in params.each("line_items")]
    nothing: dict[str, Any] = dict.fromkeys(_NOTHING.split())
    session = nothing | {
        "id": id_,
        "object": KIND,
        "allow_promotion_codes": params.flag("allow_promotion_codes"),
        "automatic_tax": _automatic_tax(params),
        "cancel_url": params.text("cancel_url"),
        "client_reference_id": params.text("client_reference_id"),
        "created": world.now(),
        "currency": _currency(world, params, lines),
        "custom_fields": [],
        "custom_text": _custom_text(params),
        "customer": customer["id"] if customer else None,
        "customer_creation": None if customer else _customer_creation(mode, params),
        "customer_email": params.text("customer_email"),
        "discounts": _discounts(world, params),
        "expires_at": _expiry(world, params),
        "livemode": False,
        "locale": params.text("locale"),
        "metadata": params.merged_metadata(),
        "mode": mode,
        "payment_method_collection": _collection(mode, params),
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "phone_number_collection": {"enabled": False},
        "saved_payment_method_options": _saved_options(params),
        "shipping_options": [],
        "status": "open",
        "submit_type": params.text("submit_type"),
        "success_url": params.required.text("success_url"),
        "ui_mode": "hosted_page",
        "url": world.url(f"/checkout/{id_}"),
        "_lines": lines,
        "_subscription_data": params.nested("subscription_data").values,
        "_payment_intent_data": params.nested("payment_intent_data").values,
        "_setup_intent_data": params.nested("setup_intent_data").values,
        "_started": None,
    }
    session |= totals.totals(world, session).fields
    world.schedule("checkout.expire", id_, at=session["expires_at"], customer=session["customer"])
    return world.add(session)


@route("GET", f"{_PATH}/{{session}}")
def retrieve(world: World, _: Params, session: str) -> Document:
    """Return a session."""
    return world.get(KIND, session)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return sessions, newest first."""
    where = params.filters("customer", "payment_intent", "subscription", "status")
    return world.listing(params, KIND, where)


@route("GET", f"{_PATH}/{{session}}/line_items")
def list_lines(world: World, _: Params, session: str) -> Document:
    """Return what a session sells."""
    return totals.line_items(world, world.get(KIND, session))


@route("POST", f"{_PATH}/{{session}}")
def update(world: World, params: Params, session: str) -> Document:
    """Change a session's metadata."""
    held = world.get(KIND, session)
    held["metadata"] = params.merged_metadata(held["metadata"])
    return world.save(held)


@route("POST", f"{_PATH}/{{session}}/expire")
def expire_by_request(world: World, _: Params, session: str) -> Document:
    """Close an open session: nobody can pay on it any more."""
    held = world.get(KIND, session)
    if held["status"] != "open":
        raise Invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {held['status']}."
        )
    return _expire(world, held)


@due("checkout.expire")
def expire(world: World, id_: str) -> None:
    """Close a session that nobody has completed in time."""
    session = world.get(KIND, id_)
    if session["status"] == "open":
        _expire(world, session)


def _expire(world: World, session: Document) -> Document:
    world.unschedule("checkout.expire", session["id"])
    return world.save_as(
        session | {"status": "expired", "url": None}, event="checkout.session.expired"
    )


def _check(mode: str, params: Params) -> None:
    others = {"payment": "subscription_data", "subscription": "payment_intent_data"}
    wrong = others.get(mode, "line_items")
    if wrong in params:
        raise Invalid(f"You can not pass `{wrong}` in `{mode}` mode.", param=wrong)
    if mode != "setup" and "line_items" not in params:
        raise Invalid(
            f"`line_items` are required in `{mode}` mode.",
            param="line_items",
            code="parameter_missing",
        )
    if params.flag("allow_promotion_codes") and "discounts" in params:
        raise Invalid(
            "You may only specify one of these parameters: allow_promotion_codes, discounts.",
            param="discounts",
        )
    if mode == "subscription" and "customer_creation" in params:
        raise Invalid("`customer_creation` can only be used in `payment` and `setup` mode.")


def _customer(world: World, params: Params) -> Document | None:
    id_ = params.text("customer")
    if id_ is None:
        return None
    if "customer_email" in params:
        raise Invalid(
            "You may only specify one of these parameters: customer, customer_email.",
            param="customer_email",
        )
    return world.get("customer", id_, param="customer")


def _line(world: World, mode: str, wish: Params) -> Document:
    data = wish.nested("price_data")
    if data.values:
        described = data.nested("product_data")
        product_id = data.text("product")
        product = (
            products.add(world, described)
            if product_id is None
            else world.get("product", product_id, param=data.name_of("product"))
        )
        price = prices.add(world, data, product_id=product["id"])
    elif mode == "subscription":
        price = changing.recurring_price(world, wish)
    else:
        price = world.get("price", wish.required.text("price") or "", param=wish.name_of("price"))
    if mode == "payment" and price["type"] == "recurring":
        raise Invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param=wish.name_of("price"),
        )
    quantity = wish.integer("quantity")
    if quantity is None or quantity < 1:
        raise Invalid("Quantity is required.", param=wish.name_of("quantity"))
    return {"id": world.new_id("li"), "price": price["id"], "quantity": quantity}


def _currency(world: World, params: Params, lines: list[Document]) -> str | None:
    found = {world.get("price", line["price"])["currency"] for line in lines}
    if len(found) > 1:
        raise Invalid("All line items have to be in one currency.", param="line_items")
    return next(iter(found), params.text("currency"))


def _discounts(world: World, params: Params) -> list[Document] | None:
    found = []
    for wish in params.each("discounts"):
        coupon, code = wish.text("coupon"), wish.text("promotion_code")
        if coupon is not None:
            world.get("coupon", coupon, param=wish.name_of("coupon"))
        if code is not None:
            promotion = world.get("promotion_code", code, param=wish.name_of("promotion_code"))
            customer = world.find("customer", params.text("customer"))
            promotion_codes.check_for(world, promotion, customer=customer, amount=0, currency="")
        found.append({"coupon": coupon, "promotion_code": code})
    return found or None


def _saved_options(params: Params) -> Document | None:
    """Return which kept cards the page offers; Stripe's own default is those marked for it."""
    if "saved_payment_method_options" not in params:
        return None
    wished = params.nested("saved_payment_method_options")
    shown = wished.texts("allow_redisplay_filters") or ["always"]
    return {
        "allow_redisplay_filters": shown,
        "payment_method_remove": None,
        "payment_method_save": None,
    }


def _expiry(world: World, params: Params) -> int:
    at = params.instant("expires_at")
    if at is None:
        return world.now() + _LONGEST_S
    if not _SHORTEST_S <= at - world.now() <= _LONGEST_S:
        raise Invalid(
            "The `expires_at` timestamp must be from 30 minutes to 24 hours from Checkout Session "
            "creation.",
            param="expires_at",
        )
    return at


def _automatic_tax(params: Params) -> Document:
    is_on = bool(params.nested("automatic_tax").flag("enabled"))
    return {
        "enabled": is_on,
        "liability": {"type": "self"} if is_on else None,
        "provider": "stripe" if is_on else None,
        "status": "complete" if is_on else None,
    }


def _custom_text(params: Params) -> Document:
    wish = params.nested("custom_text")
    names = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    texts = {name: wish.nested(name).text("message") for name in names}
    return {name: None if text is None else {"message": text} for name, text in texts.items()}


def _customer_creation(mode: str, params: Params) -> str:
    default = "always" if mode == "subscription" else "if_required"
    return params.choice("customer_creation", {"always", "if_required"}) or default


def _collection(mode: str, params: Params) -> str:
    default = "always" if mode == "subscription" else "if_required"
    return params.choice("payment_method_collection", _COLLECTION) or default


def back(session: Document) -> str:
    """Return where somebody goes on who has completed the session."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def amount(session: Document) -> str:
    """Return what is due at once, as words."""
    return wording.money(session["amount_total"], session["currency"])


def lines_of(session: Document) -> list[Document]:
    """Return the items of the subscription that a session sells, as parameters."""
    return [{"price": one["price"], "quantity": one["quantity"]} for one in session["_lines"]]
