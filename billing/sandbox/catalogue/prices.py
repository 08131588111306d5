"""Prices: an amount of money, once or each period; amounts never change, a new price is made."""

from decimal import Decimal

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.requests import Params
from billing.sandbox.routing import expands, route
from billing.sandbox.world import World

_PATH = "/v1/prices"
_INTERVALS = {"day", "week", "month", "year"}
_TAX = {"exclusive", "inclusive", "unspecified"}
_LACKING = ("tiers", "custom_unit_amount", "transform_quantity")


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a price of a product, which may be described with it."""
    from billing.sandbox.catalogue import products  # noqa: PLC0415 - each may make the other

    data = params.nested("product_data")
    if data.values:
        product_id = products.add(world, data)["id"]
    else:
        wanted = params.required.text("product") or ""
        product_id = world.get("product", wanted, param="product")["id"]
    return add(world, params, product_id=product_id)


def add(world: World, params: Params, *, product_id: str) -> Document:
    """Keep a new price as the parameters describe it (also `price_data` of a checkout)."""
    for name in _LACKING:
        if name in params:
            raise Lacking(f"prices with {name}", param=params.name_of(name))
    recurring = _recurring(params.nested("recurring"))
    lookup_key = params.text("lookup_key")
    _take_lookup_key(world, lookup_key, is_transferred=bool(params.flag("transfer_lookup_key")))
    price: Document = {
        "id": world.new_id("price"),
        "object": "price",
        "active": params.flag("active") is not False,
        "billing_scheme": "per_unit",
        "created": world.now(),
        "currency": (params.required.text("currency") or "").lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": lookup_key,
        "metadata": params.merged_metadata(),
        "nickname": params.text("nickname"),
        "product": product_id,
        "recurring": recurring,
        "tax_behavior": params.choice("tax_behavior", _TAX) or "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        **_amount(params),
        "_currency_options": _currency_options(params),
    }
    return world.add(price, event="price.created")


def _recurring(params: Params) -> Document | None:
    if not params.values:
        return None
    if params.text("usage_type") == "metered":
        raise Lacking("metered prices", param=params.name_of("usage_type"))
    return {
        "interval": params.required.choice("interval", _INTERVALS),
        "interval_count": params.integer("interval_count") or 1,
        "meter": None,
        "trial_period_days": params.integer("trial_period_days"),
        "usage_type": "licensed",
    }


def _amount(params: Params) -> Document:
    exact = params.number("unit_amount_decimal")
    if exact is None:
        whole = params.integer("unit_amount")
        if whole is None:
            raise Invalid(
                "You must provide one of: unit_amount, unit_amount_decimal, custom_unit_amount.",
                param=params.name_of("unit_amount"),
                code="parameter_missing",
            )
        exact = Decimal(whole)
    if exact < 0:
        raise Invalid(
            "This value must be greater than or equal to 0.",
            param=params.name_of("unit_amount"),
            code="parameter_invalid_integer",
        )
    is_whole = exact == exact.to_integral_value()
    return {
        "unit_amount": int(exact) if is_whole else None,
        "unit_amount_decimal": str(int(exact)) if is_whole else format(exact, "f"),
    }


def _currency_options(params: Params) -> Document:
    options = params.nested("currency_options")
    each = {currency: options.nested(currency) for currency in options}
    return {
        currency: _amount(option)
        | {
            "custom_unit_amount": None,
            "tax_behavior": option.choice("tax_behavior", _TAX) or "unspecified",
        }
        for currency, option in each.items()
    }


def amount_in(price: Document, currency: str) -> int | None:
    """Return the amount of one unit in a currency, or None where the price has no such."""
    if price["currency"] == currency:
        amount = price["unit_amount"]
    else:
        amount = price["_currency_options"].get(currency, {}).get("unit_amount")
    return None if amount is None else int(amount)


@expands("price", "currency_options")
def currency_options(_world: World, price: Document) -> Document:
    """Return the amounts in all currencies, with the price's own."""
    names = ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")
    own = {name: price[name] for name in names}
    return {price["currency"]: own, **price["_currency_options"]}


def _take_lookup_key(world: World, lookup_key: str | None, *, is_transferred: bool) -> None:
    if lookup_key is None:
        return
    for holder in world.all("price", {"lookup_key": lookup_key, "active": True}):
        if not is_transferred:
            raise Invalid(
                f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key"
            )
        holder["lookup_key"] = None
        world.save(holder, event="price.updated")


@route("GET", f"{_PATH}/{{price}}")
def retrieve(world: World, _params: Params, price: str) -> Document:
    """Return a price."""
    return world.get("price", price)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return prices, newest first."""
    where = params.filters("product", "currency", "type", flags=("active",))
    if keys := params.texts("lookup_keys"):
        where["lookup_key"] = keys
    recurring = params.nested("recurring").filters("interval", "usage_type")
    where |= {f"recurring.{name}": value for name, value in recurring.items()}
    return world.listing(params, "price", where)


@route("POST", f"{_PATH}/{{price}}")
def update(world: World, params: Params, price: str) -> Document:
    """Change what may change: whether it is sold, its names, and its lookup key."""
    document = world.get("price", price)
    if "currency_options" in params:
        raise Lacking("changes of currency_options", param="currency_options")
    if (lookup_key := params.text("lookup_key")) not in {None, document["lookup_key"]}:
        is_transferred = bool(params.flag("transfer_lookup_key"))
        _take_lookup_key(world, lookup_key, is_transferred=is_transferred)
    params.change_texts(document, "nickname", "lookup_key")
    if (active := params.flag("active")) is not None:
        document["active"] = active
    if (behavior := params.choice("tax_behavior", _TAX)) not in {None, document["tax_behavior"]}:
        if document["tax_behavior"] != "unspecified":
            raise Invalid("You cannot change `tax_behavior` once it is set.", param="tax_behavior")
        document["tax_behavior"] = behavior
    document["metadata"] = params.merged_metadata(document["metadata"])
    return world.save(document, event="price.updated")
