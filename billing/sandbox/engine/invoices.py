"""Invoices over HTTP: found, listed, finalised, paid, taken back; their lines and payments."""

from typing import Any

from billing.sandbox.documents import Document, listed
from billing.sandbox.engine import invoicing, lacking
from billing.sandbox.errors import Invalid, Missing
from billing.sandbox.payments import payment_methods
from billing.sandbox.requests import Params
from billing.sandbox.routing import expands, route, shows
from billing.sandbox.world import World

_SUBSCRIPTION = "parent.subscription_details.subscription"
_STATES = frozenset({"draft", "open", "paid", "uncollectible", "void"})
_SHOWN_LINES = 10


@route("GET", "/v1/invoices/{invoice}")
def retrieve(world: World, _: Params, invoice: str) -> Document:
    """Return an invoice."""
    return world.get("invoice", invoice)


@route("GET", "/v1/invoices")
def listing(world: World, params: Params) -> Document:
    """Return invoices, newest first."""
    lacking.check_list(params, "due_date")
    where: dict[str, Any] = {}
    for name in ("customer", "collection_method"):
        if (value := params.text(name)) is not None:
            where[name] = value
    if (status := params.choice("status", _STATES)) is not None:
        where["status"] = status
    if (subscription := params.text("subscription")) is not None:
        where[_SUBSCRIPTION] = subscription
    return world.listing(params, "invoice", where)


@route("POST", "/v1/invoices/{invoice}")
def update(world: World, params: Params, invoice: str) -> Document:
    """Change what may change: metadata, whether it goes on by itself, the card for it."""
    held = world.get("invoice", invoice)
    held["metadata"] = params.merged_metadata(held["metadata"])
    if "description" in params:
        held["description"] = params.text("description")
    if (goes_on := params.flag("auto_advance")) is not None:
        held["auto_advance"] = goes_on
    if (method := params.text("default_payment_method")) is not None:
        held["default_payment_method"] = world.get(
            "payment_method", method, param="default_payment_method"
        )["id"]
    return world.save(held, event="invoice.updated")


@route("POST", "/v1/invoices/{invoice}/finalize")
def finalize(world: World, params: Params, invoice: str) -> Document:
    """Finalise a draft before its hour has passed; it is collected a moment later."""
    final = invoicing.finalize(world, invoice)
    if final["status"] == "open" and params.flag("auto_advance") is not False:
        world.schedule("invoice.collect", invoice, at=world.now(), customer=final["customer"])
    return world.get("invoice", invoice)


@route("POST", "/v1/invoices/{invoice}/pay")
def pay(world: World, params: Params, invoice: str) -> Document:
    """Collect an open invoice now, or count it as paid elsewhere."""
    held = world.get("invoice", invoice)
    if held["status"] == "draft":
        invoicing.finalize(world, invoice)
        held = world.get("invoice", invoice)
    if held["status"] not in {"open", "uncollectible"}:
        raise Invalid(f"Invoice is already {held['status']}", code="invoice_not_editable")
    if params.flag("paid_out_of_band"):
        return invoicing.mark_paid_elsewhere(world, invoice)
    method = params.text("payment_method")
    if method is not None:
        method = payment_methods.resolve(world, method)["id"]
    off_session = params.flag("off_session") is not False
    return invoicing.collect(world, invoice, payment_method=method, off_session=off_session)


@route("POST", "/v1/invoices/{invoice}/void")
def void(world: World, _: Params, invoice: str) -> Document:
    """Take an invoice back."""
    return invoicing.void(world, invoice)


@route("POST", "/v1/invoices/{invoice}/mark_uncollectible")
def give_up(world: World, _: Params, invoice: str) -> Document:
    """Count an invoice as one that will not be paid."""
    return invoicing.give_up(world, invoice)


@route("GET", "/v1/invoices/{invoice}/lines")
def lines(world: World, params: Params, invoice: str) -> Document:
    """Return a page of an invoice's lines."""
    every: list[Document] = world.get("invoice", invoice)["lines"]["data"]
    after = params.text("starting_after")
    start = 0
    if after is not None:
        places = [place for place, line in enumerate(every) if line["id"] == after]
        if not places:
            raise Missing("line_item", after, "starting_after")
        start = places[0] + 1
    limit = min(max(params.integer("limit") or 10, 1), 100)
    page = every[start : start + limit]
    more = len(every) > start + limit
    return listed(page, f"/v1/invoices/{invoice}/lines", has_more=more)


@route("GET", "/v1/invoice_payments/{invoice_payment}")
def retrieve_payment(world: World, _: Params, invoice_payment: str) -> Document:
    """Return what ties an invoice to a payment."""
    return world.get("invoice_payment", invoice_payment)


@route("GET", "/v1/invoice_payments")
def list_payments(world: World, params: Params) -> Document:
    """Return payments of invoices, by invoice or by what paid."""
    where: dict[str, Any] = {}
    for name in ("invoice", "status"):
        if (value := params.text(name)) is not None:
            where[name] = value
    if (intent := params.nested("payment").text("payment_intent")) is not None:
        where["payment.payment_intent"] = intent
    return world.listing(params, "invoice_payment", where)


@expands("invoice", "payments")
def payments(world: World, invoice: Document) -> Document:
    """Return the payments of an invoice."""
    found = world.all("invoice_payment", {"invoice": invoice["id"]}, newest_first=True)
    return listed(found, f"/v1/invoice_payments?invoice={invoice['id']}")


@expands("invoice", "confirmation_secret")
def confirmation_secret(world: World, invoice: Document) -> Document | None:
    """Return the secret by which a browser may pay an open invoice."""
    intent = world.find("payment_intent", invoice["_payment_intent"])
    if intent is None:
        return None
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


@shows("invoice")
def show(world: World, invoice: Document) -> Document:
    """Show the first lines; the others are a list of their own."""
    del world
    every = invoice["lines"]["data"] if "lines" in invoice else []
    if len(every) <= _SHOWN_LINES:
        return invoice
    page = {"data": every[:_SHOWN_LINES], "has_more": True}
    return invoice | {"lines": invoice["lines"] | page}
