"""Coupons and promotion codes on invoices: what they take off which line, once or for months."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from billing.sandbox.calendar import Recurrence, boundary
from billing.sandbox.catalogue import coupons, promotion_codes
from billing.sandbox.documents import Document
from billing.sandbox.engine.shapes import Charge
from billing.sandbox.errors import Invalid
from billing.sandbox.proration import percent_of, spread
from billing.sandbox.requests import Params
from billing.sandbox.routing import shows
from billing.sandbox.world import World


class Reduction(NamedTuple):
    """What a discount takes off: a part in per cent, or an amount, of some products or of all."""

    discount: str
    percent: float | None
    amount: int | None
    products: frozenset[str] | None
    is_once: bool

    def holds_for(self, product: str) -> bool:
        """Tell whether it takes something off that product."""
        return self.products is None or product in self.products


def reductions(world: World, discounts: Collection[str], at: int) -> list[Reduction]:
    """Return what these discounts take off at an instant; those that have ended nothing."""
    found = [world.get("discount", id_) for id_ in discounts]
    return [
        _reduction(world, one)
        for one in found
        if (one["end"] is None or at < one["end"]) and not one.get("_used")
    ]


def taken_off(
    charges: Sequence[Charge], reducing: Sequence[Reduction]
) -> list[list[tuple[str, int]]]:
    """Return for each charge which discount takes what off; never more than there is."""
    off: list[list[tuple[str, int]]] = [[] for _ in charges]
    left = [
        charge.amount if charge.is_discountable and charge.amount > 0 else 0 for charge in charges
    ]
    for one in reducing:
        base = [
            rest if one.holds_for(charge.product) else 0
            for rest, charge in zip(left, charges, strict=True)
        ]
        for place, amount in enumerate(_parts(one, base)):
            if amount:
                off[place].append((one.discount, amount))
                left[place] -= amount
    return off


def lasting(amount: int, product: str, reducing: Sequence[Reduction]) -> int:
    """Return an amount less the discounts that last, as charges for a part of a period have it."""
    for one in reducing:
        if not one.is_once and one.holds_for(product):
            amount -= _parts(one, [amount])[0]
    return amount


def _parts(one: Reduction, base: list[int]) -> list[int]:
    if one.percent is not None:
        return [percent_of(amount, one.percent) for amount in base]
    return spread(min(one.amount or 0, sum(base)), base)


def _reduction(world: World, discount: Document) -> Reduction:
    return reduction_by(world.get("coupon", discount["source"]["coupon"]), discount["id"])


def reduction_by(coupon: Document, discount: str) -> Reduction:
    """Return what a coupon takes off, under the id of a discount."""
    products = coupon["_applies_to"]
    return Reduction(
        discount,
        coupon["percent_off"],
        coupon["amount_off"],
        frozenset(products) if products else None,
        coupon["duration"] == "once",
    )


def use_up(world: World, discounts: Collection[str]) -> None:
    """Mark the discounts that hold for one invoice as used by one."""
    for id_ in sorted(discounts):
        discount = world.get("discount", id_)
        if world.get("coupon", discount["source"]["coupon"])["duration"] == "once":
            world.save(discount | {"end": world.now(), "_used": True})


def grant(
    world: World,
    wish: Params,
    *,
    customer: str | None,
    currency: str,
    amount: int,
    subscription: str | None = None,
) -> Document:
    """Redeem a coupon or promotion code, or take up a discount that is there.

    Raises `Invalid` when the code is not valid (any more), or not for this customer or currency.
    """
    if (existing := wish.text("discount")) is not None:
        return world.get("discount", existing, param=wish.name_of("discount"))
    promotion = None
    if (code := wish.text("promotion_code")) is not None:
        param = wish.name_of("promotion_code")
        promotion = world.get("promotion_code", code, param=param)
        promotion_codes.check_for(
            world,
            promotion,
            customer=world.find("customer", customer),
            amount=amount,
            currency=currency,
            param=param,
        )
        coupon = world.get("coupon", promotion["promotion"]["coupon"], param=param)
        promotion_codes.redeem(world, promotion)
    else:
        coupon_id = wish.required.text("coupon") or ""
        coupon = world.get("coupon", coupon_id, param=wish.name_of("coupon"))
        coupons.check_redeemable(world, coupon, param=wish.name_of("coupon"))
        coupons.redeem(world, coupon)
    if coupon["amount_off"] is not None and coupon["currency"] != currency:
        raise Invalid(
            f"The coupon {coupon['id']} takes off {coupon['currency']}, not {currency}.",
            param=wish.name_of("coupon"),
        )
    at = world.now()
    return world.add(
        {
            "id": world.new_id("di"),
            "object": "discount",
            "checkout_session": None,
            "customer": customer,
            "customer_account": None,
            "end": _end(coupon, at),
            "invoice": None,
            "invoice_item": None,
            "promotion_code": promotion["id"] if promotion else None,
            "source": {"coupon": coupon["id"], "type": "coupon"},
            "start": at,
            "subscription": subscription,
            "subscription_item": None,
        }
    )


@shows("discount")
def show(_world: World, discount: Document) -> Document:
    """Show it without `created` and `livemode`, which a discount does not tell."""
    return {name: value for name, value in discount.items() if name not in {"created", "livemode"}}


def _end(coupon: Document, at: int) -> int | None:
    if coupon["duration"] != "repeating":
        return None
    return boundary(at, Recurrence("month"), coupon["duration_in_months"])
