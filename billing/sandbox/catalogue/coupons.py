"""Coupons: so much off, or so many per cent, once, for some months or for ever."""

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.requests import Params
from billing.sandbox.routing import expands, route, shows
from billing.sandbox.world import World

_PATH = "/v1/coupons"


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a coupon; its id is a word of the merchant's or made up."""
    id_ = params.text("id") or world.store.new_id("co", 8).removeprefix("co_")
    if world.find("coupon", id_) is not None:
        raise Invalid("Coupon already exists.", param="id", code="resource_already_exists")
    if "currency_options" in params:
        raise Lacking("coupons with currency_options", param="currency_options")
    coupon: Document = {
        "id": id_,
        "object": "coupon",
        "created": world.now(),
        "livemode": False,
        "max_redemptions": params.integer("max_redemptions"),
        "metadata": params.merged_metadata(),
        "name": params.text("name"),
        "redeem_by": params.instant("redeem_by"),
        "times_redeemed": 0,
        **_discount(params),
        "_applies_to": params.nested("applies_to").texts("products"),
    }
    return world.add(coupon, event="coupon.created")


def _discount(params: Params) -> Document:
    amount, percent = params.integer("amount_off"), params.number("percent_off")
    if (amount is None) == (percent is None):
        raise Invalid("You must pass either `percent_off` or `amount_off`.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise Invalid("Percent off must be between 0 and 100.", param="percent_off")
    currency = params.text("currency")
    if amount is not None and currency is None:
        raise Invalid("You must pass `currency` with `amount_off`.", param="currency")
    duration = params.choice("duration", {"once", "repeating", "forever"}) or "once"
    months = params.integer("duration_in_months")
    if (duration == "repeating") != (months is not None):
        raise Invalid(
            "`duration_in_months` goes with a duration of `repeating`.", param="duration_in_months"
        )
    return {
        "amount_off": amount,
        "currency": currency if amount is not None else None,
        "duration": duration,
        "duration_in_months": months,
        "percent_off": None if percent is None else float(percent),
    }


@shows("coupon")
def show(world: World, coupon: Document) -> Document:
    """Tell whether it can still be redeemed."""
    return coupon | {"valid": is_redeemable(world, coupon)}


@expands("coupon", "applies_to")
def applies_to(_world: World, coupon: Document) -> Document:
    """Return the products it is good for."""
    return {"products": coupon["_applies_to"]}


def is_redeemable(world: World, coupon: Document) -> bool:
    """Tell whether a coupon may be given to one more customer now."""
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    is_left = most is None or coupon["times_redeemed"] < most
    return is_left and (until is None or world.now() < until)


def check_redeemable(world: World, coupon: Document, *, param: str = "coupon") -> None:
    """Refuse a coupon that is used up or past its day."""
    if not is_redeemable(world, coupon):
        raise Invalid(f"Coupon {coupon['id']} is expired.", param=param, code="coupon_expired")


def redeem(world: World, coupon: Document) -> None:
    """Count one more use."""
    coupon["times_redeemed"] += 1
    world.save(coupon)


@route("GET", f"{_PATH}/{{coupon}}")
def retrieve(world: World, _params: Params, coupon: str) -> Document:
    """Return a coupon."""
    return world.get("coupon", coupon)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return coupons, newest first."""
    return world.listing(params, "coupon")


@route("POST", f"{_PATH}/{{coupon}}")
def update(world: World, params: Params, coupon: str) -> Document:
    """Change name and metadata; what it takes off stays as it is."""
    document = world.get("coupon", coupon)
    params.change_texts(document, "name")
    document["metadata"] = params.merged_metadata(document["metadata"])
    return world.save(document, event="coupon.updated")


@route("DELETE", f"{_PATH}/{{coupon}}")
def delete(world: World, _params: Params, coupon: str) -> Document:
    """Delete a coupon; discounts that were given stay."""
    return world.remove(world.get("coupon", coupon), event="coupon.deleted")
