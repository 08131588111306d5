"""The page of an invoice, where one that is open can be paid."""

from typing import Any

from billing.sandbox.checkout.paying import card_typed
from billing.sandbox.documents import Document
from billing.sandbox.engine import invoicing, wording
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.pages.rendering import as_typed, rendered
from billing.sandbox.requests import Params
from billing.sandbox.routing import Page, Redirect, page
from billing.sandbox.world import World

_PATH = "/invoices/{invoice}"
_TONES = {"paid": "good", "open": "warn", "uncollectible": "bad"}


@page("GET", _PATH)
def show(world: World, params: Params, invoice: str) -> Page:
    """Show an invoice that is final."""
    held = world.find("invoice", invoice)
    if held is None or held["status"] == "draft":
        text = "The link is not complete."
        content = {"heading": "There is no such invoice", "text": text, "link": None}
        return rendered(world, "closed.html", status=404, page=content)
    failed = params.text("redirect_status") == "failed"
    return _shown(world, held, "Your bank did not confirm the payment." if failed else "")


@page("POST", _PATH)
def pay(world: World, params: Params, invoice: str) -> Page | Redirect:
    """Pay an open invoice with a card."""
    held = world.find("invoice", invoice)
    if held is None or held["status"] not in {"open", "uncollectible"}:
        return show(world, Params({}), invoice)
    intent = world.get("payment_intent", held["_payment_intent"])
    world.save(intent | {"_return_url": world.url(f"/invoices/{invoice}")})
    try:
        method = card_typed(world, params, name=None, email=held["customer_email"])
        invoicing.collect(world, invoice, payment_method=method["id"])
    except (CardDeclined, Invalid) as refusal:
        intent = world.get("payment_intent", intent["id"])
        if intent["status"] == "requires_action":
            return Redirect(f"../3ds/{intent['id']}")
        held = world.get("invoice", invoice)
        return _shown(world, held, refusal.message, as_typed(params))
    return Redirect(invoice)


def _shown(world: World, held: Document, trouble: str, typed: dict[str, str] | None = None) -> Page:
    currency = held["currency"]
    tax = sum(one["amount"] for one in held["total_taxes"])
    content: dict[str, Any] = {
        "number": held["number"],
        "state": held["status"],
        "tone": _TONES.get(held["status"], ""),
        "to": held["customer_name"] or held["customer_email"] or held["customer"],
        "on": held["created"],
        "lines": [_line(line, currency) for line in held["lines"]["data"]],
        "more": _more(held),
        "total": wording.money(held["total"], currency),
        "tax": wording.money(tax, currency) if tax else "",
        "trouble": trouble,
        "payable": held["status"] in {"open", "uncollectible"},
        "due": wording.money(held["amount_remaining"], currency),
    }
    return rendered(world, "invoice.html", typed=typed, page=content)


def _line(line: Document, currency: str) -> dict[str, str]:
    period = line["period"]
    return {
        "what": line["description"],
        "period": f"{wording.day(period['start'])} to {wording.day(period['end'])}",
        "amount": wording.money(line["amount"], currency),
    }


def _more(held: Document) -> list[dict[str, str]]:
    currency = held["currency"]
    off = sum(one["amount"] for one in held["total_discount_amounts"])
    credit = held["total"] - held["amount_due"]
    rows = [("Discount", -off), ("From your balance", -credit if held["total"] > 0 else 0)]
    return [
        {"what": what, "amount": wording.money(amount, currency)} for what, amount in rows if amount
    ]
