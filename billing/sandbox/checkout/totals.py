"""What a session asks for: its lines, what a code takes off, and what is due at once."""

from typing import NamedTuple

from billing.sandbox.calendar import Period
from billing.sandbox.documents import Document, listed
from billing.sandbox.engine import discounting, wording
from billing.sandbox.engine.discounting import Reduction
from billing.sandbox.engine.shapes import Charge
from billing.sandbox.routing import expands
from billing.sandbox.world import World


class Line(NamedTuple):
    """One thing that is sold, with what is taken off its amount now."""

    id: str
    price: Document
    quantity: int
    name: str
    amount: int
    off: int


class Totals(NamedTuple):
    """The lines with their sums; during a trial nothing is due."""

    lines: list[Line]
    subtotal: int
    off: int

    @property
    def total(self) -> int:
        """Return what is due at once."""
        return self.subtotal - self.off

    @property
    def fields(self) -> Document:
        """Return the sums as a session shows them."""
        return {
            "amount_subtotal": self.subtotal,
            "amount_total": self.total,
            "total_details": {
                "amount_discount": self.off,
                "amount_shipping": 0,
                "amount_tax": 0,
                "breakdown": None,
            },
        }


def totals(world: World, session: Document) -> Totals:
    """Return what a session asks for, with its discounts."""
    wanted = session["_lines"]
    prices = [world.get("price", one["price"]) for one in wanted]
    is_trial = has_trial(session)
    charges = [
        Charge(
            description="",
            amount=0 if is_trial else price["unit_amount"] * one["quantity"],
            currency=price["currency"],
            period=Period(0, 0),
            item="",
            price=price["id"],
            product=price["product"],
            unit_amount=price["unit_amount"],
        )
        for one, price in zip(wanted, prices, strict=True)
    ]
    taken = discounting.taken_off(charges, _reductions(world, session))
    lines = [
        Line(
            one["id"],
            price,
            one["quantity"],
            world.get("product", price["product"])["name"],
            charge.amount,
            sum(amount for _, amount in off),
        )
        for one, price, charge, off in zip(wanted, prices, charges, taken, strict=True)
    ]
    subtotal = sum(line.amount for line in lines)
    return Totals(lines, subtotal, sum(line.off for line in lines))


def has_trial(session: Document) -> bool:
    """Tell whether the subscription of a session begins with a trial."""
    data = session["_subscription_data"]
    return bool(data.get("trial_period_days") or data.get("trial_end"))


def _reductions(world: World, session: Document) -> list[Reduction]:
    found = []
    for one in session["discounts"] or []:
        promotion = world.find("promotion_code", one["promotion_code"])
        coupon_id = promotion["promotion"]["coupon"] if promotion else one["coupon"]
        found.append(discounting.reduction_by(world.get("coupon", coupon_id), ""))
    return found


@expands("checkout.session", "line_items")
def expanded(world: World, session: Document) -> Document:
    """Return what is sold, within its session."""
    return line_items(world, session)


def line_items(world: World, session: Document) -> Document:
    """Return what is sold, as the API shows it."""
    data: list[Document] = [
        {
            "id": line.id,
            "object": "item",
            "amount_discount": line.off,
            "amount_subtotal": line.amount,
            "amount_tax": 0,
            "amount_total": line.amount - line.off,
            "currency": line.price["currency"],
            "description": line.name,
            "metadata": {},
            "price": world.show(line.price),
            "quantity": line.quantity,
        }
        for line in totals(world, session).lines
    ]
    return listed(data, f"/v1/checkout/sessions/{session['id']}/line_items")


def says(line: Line) -> str:
    """Return what a line sells, with how many of it."""
    return line.name if line.quantity == 1 else f"{line.quantity} × {line.name}"


def per(price: Document) -> str | None:
    """Return how often a price is charged, as words; None for once."""
    return f"per {wording.every(price)}" if price["recurring"] else None
