"""What an invoice comes to: its lines with discounts and taxes, and the sums of them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from billing.sandbox.calendar import Period
from billing.sandbox.documents import Document
from billing.sandbox.engine import discounting, taxes, wording
from billing.sandbox.engine.shapes import Billed, Charge, items_of, line_of
from billing.sandbox.proration import share
from billing.sandbox.world import World


class Reckoned(NamedTuple):
    """Lines, and the amounts of an invoice that follow from them."""

    lines: list[Document]
    amounts: Document

    @property
    def total(self) -> int:
        """Return what the invoice comes to, before the customer's balance."""
        total: int = self.amounts["total"]
        return total


def reckon(
    world: World, subscription: Document, charges: Sequence[Charge], *, invoice: str | None
) -> Reckoned:
    """Take discounts off, find the tax, and sum up."""
    reducing = discounting.reductions(world, subscription["discounts"], world.now())
    off = discounting.taken_off(charges, reducing)
    lines = [
        line_of(
            charge,
            id_=world.new_id("il"),
            invoice=invoice,
            subscription=subscription["id"],
            metadata=subscription["metadata"],
            discounts=less,
            taxes=_taxes(world, subscription, charge, less),
        )
        for charge, less in zip(charges, off, strict=True)
    ]
    return Reckoned(lines, sums(lines))


def sums(lines: Iterable[Document]) -> Document:
    """Return subtotal, discounts, taxes and total of lines."""
    lines = list(lines)
    subtotal = sum(line["amount"] for line in lines)
    discounts = _added([one for line in lines for one in line["discount_amounts"]], "discount")
    every_tax = [tax | {"_key": _tax_key(tax)} for line in lines for tax in line["taxes"]]
    all_taxes = _added(every_tax, "_key")
    upon = sum(tax["amount"] for tax in all_taxes if tax["tax_behavior"] == "exclusive")
    within = sum(tax["amount"] for tax in all_taxes if tax["tax_behavior"] == "inclusive")
    net = subtotal - sum(one["amount"] for one in discounts)
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - within,
        "total": net + upon,
        "total_discount_amounts": discounts,
        "total_excluding_tax": net - within,
        "total_pretax_credit_amounts": [one | {"type": "discount"} for one in discounts],
        "total_taxes": [{k: v for k, v in tax.items() if k != "_key"} for tax in all_taxes],
    }


def period_charges(
    world: World, subscription: Document, period: Period, *, is_trial: bool = False
) -> list[Charge]:
    """Return what a whole period costs; nothing while it is a trial."""
    return [_whole(world, item, period, is_trial=is_trial) for item in items_of(subscription)]


def unused(world: World, item: Document, at: int) -> list[Charge]:
    """Return the credit for what was charged for an item and is not used at `at`."""
    if item["_billed"] is None:
        return []
    billed = Billed(**item["_billed"])
    period = Period(billed.start, billed.end)
    amount = -share(billed.amount, period, at)
    if amount == 0:
        return []
    base = _charge(world, item, Period(at, billed.end), amount)
    text = f"Unused time on {_name(world, item)} after {wording.day(at)}"
    return [
        base._replace(description=text, is_proration=True, is_discountable=False, credited=billed)
    ]


def remaining(
    world: World, subscription: Document, item: Document, period: Period, at: int
) -> Charge:
    """Return the charge for the rest of a period, less the discounts that last."""
    price = world.get("price", item["price"])
    reducing = discounting.reductions(world, subscription["discounts"], at)
    whole = discounting.lasting(_amount(price, item), price["product"], reducing)
    base = _charge(world, item, Period(at, period.end), share(whole, period, at))
    text = f"Remaining time on {_name(world, item)} after {wording.day(at)}"
    return base._replace(description=text, is_proration=True, is_discountable=False)


def noted(items: Iterable[Document], lines: Iterable[Document]) -> list[Document]:
    """Return the items with what these lines charged for them, for credits to come."""
    billed = {
        line["parent"]["subscription_item_details"]["subscription_item"]: Billed(
            line["amount"] - sum(one["amount"] for one in line["discount_amounts"]),
            line["period"]["start"],
            line["period"]["end"],
            line["id"],
            line["invoice"],
        )._asdict()
        for line in lines
        if line["amount"] >= 0
    }
    return [item | {"_billed": billed.get(item["id"], item["_billed"])} for item in items]


def _whole(world: World, item: Document, period: Period, *, is_trial: bool) -> Charge:
    price = world.get("price", item["price"])
    name = _name(world, item)
    if is_trial:
        charge = _charge(world, item, period, 0)
        return charge._replace(description=f"Trial period for {name}", unit_amount=0)
    each = wording.money(price["unit_amount"], price["currency"])
    text = f"{item['quantity']} × {name} (at {each} / {wording.every(price)})"
    return _charge(world, item, period, _amount(price, item))._replace(description=text)


def _charge(world: World, item: Document, period: Period, amount: int) -> Charge:
    price = world.get("price", item["price"])
    return Charge(
        description="",
        amount=amount,
        currency=price["currency"],
        period=period,
        item=item["id"],
        price=price["id"],
        product=price["product"],
        unit_amount=price["unit_amount"],
        quantity=item["quantity"],
    )


def _amount(price: Document, item: Document) -> int:
    amount: int = price["unit_amount"] * item["quantity"]
    return amount


def _name(world: World, item: Document) -> str:
    product = world.get("price", item["price"])["product"]
    return str((world.find("product", product) or {}).get("name", product))


def _taxes(
    world: World, subscription: Document, charge: Charge, less: Sequence[tuple[str, int]]
) -> list[Document]:
    price = world.get("price", charge.price)
    net = charge.amount - sum(amount for _, amount in less)
    return taxes.taxes_on(net, taxes.rates_of(world, subscription, price))


def _tax_key(tax: Document) -> str:
    return f"{tax['tax_rate_details']['tax_rate']} {tax['tax_behavior']}"


def _added(rows: Sequence[Document], key: str) -> list[Document]:
    """Add up the amounts of rows that agree in a field, in the order in which they first come."""
    added: dict[str, Document] = {}
    for row in rows:
        known = added.get(row[key])
        if known is None:
            added[row[key]] = dict(row)
            continue
        known["amount"] += row["amount"]
        if "taxable_amount" in row:
            known["taxable_amount"] += row["taxable_amount"]
    return list(added.values())
