"""Promotion codes: words by which customers redeem a coupon."""

from billing.sandbox.catalogue import coupons
from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.requests import Params
from billing.sandbox.routing import route, shows
from billing.sandbox.world import World

_KIND = "promotion_code"
_PATH = "/v1/promotion_codes"


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a code for a coupon; it is told from others without regard to case."""
    promotion = params.required.nested("promotion")
    coupon_id = promotion.required.text("coupon") or ""
    coupon = world.get("coupon", coupon_id, param="promotion[coupon]")
    code = (params.text("code") or world.store.new_id("x", 8).removeprefix("x_")).upper()
    if find_active(world, code) is not None:
        raise Invalid(
            f"An active promotion code with `code: {code}` already exists.",
            param="code",
            code="resource_already_exists",
        )
    customer = params.text("customer")
    document: Document = {
        "id": world.new_id("promo"),
        "object": _KIND,
        "active": params.flag("active") is not False,
        "code": code,
        "created": world.now(),
        "customer": world.get("customer", customer, param="customer")["id"] if customer else None,
        "customer_account": None,
        "expires_at": params.instant("expires_at"),
        "livemode": False,
        "max_redemptions": params.integer("max_redemptions"),
        "metadata": params.merged_metadata(),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": _restrictions(params.nested("restrictions")),
        "times_redeemed": 0,
    }
    return world.add(document, event="promotion_code.created")


def _restrictions(params: Params) -> Document:
    if "currency_options" in params:
        raise Lacking("codes with currency_options", param=params.name_of("currency_options"))
    return {
        "first_time_transaction": bool(params.flag("first_time_transaction")),
        "minimum_amount": params.integer("minimum_amount"),
        "minimum_amount_currency": params.text("minimum_amount_currency"),
    }


@shows(_KIND)
def show(world: World, code: Document) -> Document:
    """Tell whether it is still good, by itself and by its coupon."""
    return code | {"active": _is_good(world, code)}


def _is_good(world: World, code: Document) -> bool:
    coupon = world.find("coupon", code["promotion"]["coupon"])
    most, until = code["max_redemptions"], code["expires_at"]
    return (
        bool(code["active"])
        and (most is None or code["times_redeemed"] < most)
        and (until is None or world.now() < until)
        and coupon is not None
        and coupons.is_redeemable(world, coupon)
    )


def find_active(world: World, code: str) -> Document | None:
    """Return the promotion code of that word which is good now."""
    for found in world.all(_KIND, {"code": code.upper()}, newest_first=True):
        if _is_good(world, found):
            return found
    return None


def check_for(
    world: World,
    code: Document,
    *,
    customer: Document | None,
    amount: int,
    currency: str,
    param: str = "promotion_code",
) -> None:
    """Refuse a code that is not good now, or not for this customer or amount."""
    if not _is_good(world, code):
        raise Invalid("This promotion code is expired or inactive.", param=param)
    customer_id = None if customer is None else customer["id"]
    if code["customer"] not in {None, customer_id}:
        raise Invalid("This promotion code is not for this customer.", param=param)
    rules = code["restrictions"]
    least = rules["minimum_amount"]
    if least is not None and rules["minimum_amount_currency"] == currency and amount < least:
        raise Invalid("This promotion code has a minimum amount that is not reached.", param=param)
    if rules["first_time_transaction"] and customer_id is not None:
        paid = world.all("charge", {"customer": customer_id, "status": "succeeded"})
        if paid:
            raise Invalid(
                "This promotion code cannot be redeemed because the associated customer has "
                "prior transactions.",
                param=param,
            )


def redeem(world: World, code: Document) -> None:
    """Count one more use of the code and of its coupon."""
    code["times_redeemed"] += 1
    world.save(code)
    coupon = world.find("coupon", code["promotion"]["coupon"])
    if coupon is not None:
        coupons.redeem(world, coupon)


@route("GET", f"{_PATH}/{{promotion_code}}")
def retrieve(world: World, _params: Params, promotion_code: str) -> Document:
    """Return a promotion code."""
    return world.get(_KIND, promotion_code)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return promotion codes, newest first."""
    where = params.filters("customer", flags=("active",))
    if (code := params.text("code")) is not None:
        where["code"] = code.upper()
    if (coupon := params.text("coupon")) is not None:
        where["promotion.coupon"] = coupon
    return world.listing(params, _KIND, where)


@route("POST", f"{_PATH}/{{promotion_code}}")
def update(world: World, params: Params, promotion_code: str) -> Document:
    """Put a code out of use or in use again, or change its metadata."""
    document = world.get(_KIND, promotion_code)
    if (active := params.flag("active")) is not None:
        document["active"] = active
    document["metadata"] = params.merged_metadata(document["metadata"])
    return world.save(document, event="promotion_code.updated")
