"""What is charged or credited with the next invoice: prorations that wait for it."""

from collections.abc import Iterable

from billing.sandbox.calendar import Period
from billing.sandbox.documents import Document
from billing.sandbox.engine.shapes import Billed, Charge
from billing.sandbox.requests import Params
from billing.sandbox.routing import route, shows
from billing.sandbox.world import World


def keep(world: World, subscription: Document, charges: Iterable[Charge]) -> None:
    """Let these charges wait for the subscription's next invoice."""
    for charge in charges:
        world.add(_item(world, subscription, charge), event="invoiceitem.created")


def waiting(world: World, subscription: Document) -> list[Charge]:
    """Return what waits for the subscription's next invoice."""
    return [_charge(item) for item in _pending(world, subscription)]


def attach(world: World, subscription: Document, invoice: Document) -> None:
    """Note that what waited is on this invoice now."""
    for item in _pending(world, subscription):
        world.save(item | {"invoice": invoice["id"]})


def _pending(world: World, subscription: Document) -> list[Document]:
    path = "parent.subscription_details.subscription"
    return world.all("invoiceitem", {path: subscription["id"], "invoice": None})


def _item(world: World, subscription: Document, charge: Charge) -> Document:
    return {
        "id": world.new_id("ii"),
        "object": "invoiceitem",
        "amount": charge.amount,
        "currency": charge.currency,
        "customer": subscription["customer"],
        "customer_account": None,
        "date": world.now(),
        "description": charge.description,
        "discountable": charge.is_discountable,
        "discounts": [],
        "frozen_fields": None,
        "invoice": None,
        "invoicing_rules": None,
        "metadata": {},
        "net_amount": charge.amount,
        "parent": {
            "subscription_details": {
                "subscription": subscription["id"],
                "subscription_item": charge.item,
            },
            "type": "subscription_details",
        },
        "period": {"start": charge.period.start, "end": charge.period.end},
        "pricing": {
            "price_details": {"price": charge.price, "product": charge.product},
            "type": "price_details",
            "unit_amount_decimal": str(charge.unit_amount),
        },
        "proration": charge.is_proration,
        "proration_details": {"credited_items": None, "discount_amounts": []},
        "quantity": charge.quantity,
        "quantity_decimal": str(charge.quantity),
        "tax_rates": [],
        "test_clock": subscription["test_clock"],
        "_credited": charge.credited._asdict() if charge.credited else None,
    }


def _charge(item: Document) -> Charge:
    price = item["pricing"]["price_details"]
    credited = item["_credited"]
    return Charge(
        description=item["description"],
        amount=item["amount"],
        currency=item["currency"],
        period=Period(item["period"]["start"], item["period"]["end"]),
        item=item["parent"]["subscription_details"]["subscription_item"],
        price=price["price"],
        product=price["product"],
        unit_amount=int(item["pricing"]["unit_amount_decimal"]),
        quantity=item["quantity"],
        is_proration=item["proration"],
        is_discountable=item["discountable"],
        credited=Billed(**credited) if credited else None,
        invoice_item=item["id"],
    )


@shows("invoiceitem")
def show(_world: World, item: Document) -> Document:
    """Show it without `created`, which Stripe calls `date`."""
    return {name: value for name, value in item.items() if name != "created"}


@route("GET", "/v1/invoiceitems")
def listing(world: World, params: Params) -> Document:
    """Return what is or was charged beside the periods of subscriptions."""
    where = {
        name: value for name in ("customer", "invoice") if (value := params.text(name)) is not None
    }
    if params.flag("pending"):
        where |= {"invoice": None}  # type: ignore[dict-item]  # None asks for what has no value
    return world.listing(params, "invoiceitem", where)


@route("GET", "/v1/invoiceitems/{invoiceitem}")
def retrieve(world: World, _: Params, invoiceitem: str) -> Document:
    """Return one."""
    return world.get("invoiceitem", invoiceitem)
