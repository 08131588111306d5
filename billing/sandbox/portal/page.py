"""The portal's page: what runs and what it costs, the card, the invoices, leaving and switching."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from billing.sandbox.calendar import DAY_S
from billing.sandbox.checkout.paying import card_typed
from billing.sandbox.documents import Document
from billing.sandbox.engine import invoicing, schedules, standing, updating, wording
from billing.sandbox.engine.shapes import items_of, period_of
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.pages.rendering import as_typed, rendered
from billing.sandbox.payments import setup_intents
from billing.sandbox.portal import configurations
from billing.sandbox.portal.sessions import KIND
from billing.sandbox.requests import Params
from billing.sandbox.routing import Page, Redirect, page, reacts
from billing.sandbox.world import World

_PATH = "/portal/{session}"
_DONE = {
    "card": "Your new card is kept.",
    "cancel": "You have cancelled. You keep what is paid until its end.",
    "keep": "You stay. Thank you.",
    "switch": "Your plan is changed.",
}
_TONES = {"active": "good", "trialing": "good", "past_due": "bad", "unpaid": "bad"}
_INVOICE_TONES = {"paid": "good", "open": "warn", "uncollectible": "bad"}
_STATES = {
    "active": "Runs",
    "trialing": "Trial",
    "past_due": "Payment is late",
    "unpaid": "Not paid",
    "paused": "Paused",
    "incomplete": "Waits for payment",
}
_LASTS_S = DAY_S


@page("GET", _PATH)
def show(world: World, params: Params, session: str) -> Page:
    """Show what the customer of a session has."""
    held = world.find(KIND, session)
    if held is None or world.now() - held["created"] > _LASTS_S:
        text = "Go back to the shop and open it again."
        content = {"heading": "This page has expired", "text": text, "link": None}
        return rendered(world, "closed.html", status=404, page=content)
    failed = params.text("redirect_status") == "failed"
    trouble = "Your bank did not confirm the card. It is not kept." if failed else ""
    succeeded = "card" if params.text("redirect_status") == "succeeded" else ""
    done = _DONE.get(params.text("done") or succeeded, "")
    return _shown(world, held, done=done, trouble=trouble)


@page("POST", _PATH)
def act(world: World, params: Params, session: str) -> Page | Redirect:
    """Do what a button says."""
    held = world.find(KIND, session)
    action = params.text("action") or ""
    if held is None or action not in _ACTIONS or world.now() - held["created"] > _LASTS_S:
        return show(world, Params({}), session)
    try:
        there = _ACTIONS[action](world, held, params)
    except (CardDeclined, Invalid) as refusal:
        typed = as_typed(params) if action == "card" else None
        return _shown(world, held, trouble=refusal.message, typed=typed)
    return Redirect(there or f"{session}?done={action}")


def _leave(world: World, held: Document, params: Params) -> None:
    subscription = _own(world, held, params)
    if subscription["schedule"] is not None:
        schedules.release(world, Params({}), subscription["schedule"])
    updating.update(world, Params({"cancel_at_period_end": "true"}), subscription["id"])


def _stay(world: World, held: Document, params: Params) -> None:
    subscription = _own(world, held, params)
    updating.update(world, Params({"cancel_at_period_end": "false"}), subscription["id"])


def _switch(world: World, held: Document, params: Params) -> None:
    subscription = _own(world, held, params)
    price = params.text("price")
    if price not in {other["id"] for other in _others(world, held, subscription)}:
        raise Invalid("This plan is not on offer.")
    features = _features(world, held)["subscription_update"]
    item = {"id": items_of(subscription)[0]["id"], "price": price}
    wish = {
        "items": [item],
        "proration_behavior": features["proration_behavior"],
        "payment_behavior": "pending_if_incomplete",
    }
    after = updating.update(world, Params(wish), subscription["id"])
    if after["pending_update"] is not None:
        raise Invalid("The payment did not succeed, so the plan stays as it is.")


def _keep_card(world: World, held: Document, params: Params) -> str | None:
    method = card_typed(world, params, name=None, email=None)
    intent = setup_intents.begin(
        world,
        customer=held["customer"],
        return_url=world.url(f"/portal/{held['id']}"),
        extra={"_portal": held["id"]},
    )
    intent = setup_intents.confirm(world, intent, method["id"])
    return f"../3ds/{intent['id']}" if intent["status"] == "requires_action" else None


_ACTIONS: dict[str, Callable[[World, Document, Params], str | None]] = {
    "cancel": _leave,
    "card": _keep_card,
    "keep": _stay,
    "switch": _switch,
}


@reacts("setup_intent.succeeded")
def use_card(world: World, intent: Document) -> None:
    """Charge everything to the card that was kept in the portal, and try what is open with it."""
    if intent.get("_portal") is None:
        return
    method = intent["payment_method"]
    customer = world.get("customer", intent["customer"])
    customer["invoice_settings"]["default_payment_method"] = method
    world.save(customer, event="customer.updated")
    for subscription in _running(world, customer["id"]):
        if subscription["default_payment_method"] is not None:
            standing.save(world, subscription | {"default_payment_method": method})
    for invoice in world.all("invoice", {"customer": customer["id"], "status": "open"}):
        with suppress(CardDeclined):
            invoicing.collect(world, invoice["id"])


def _own(world: World, held: Document, params: Params) -> Document:
    """Return the subscription that a button names, which has to be the customer's."""
    id_ = params.text("subscription")
    for subscription in _running(world, held["customer"]):
        if subscription["id"] == id_:
            return subscription
    raise Invalid("There is no such membership.")


def _running(world: World, customer: str) -> list[Document]:
    found = world.all("subscription", {"customer": customer}, newest_first=True)
    return [one for one in found if one["status"] not in standing.ENDED]


def _features(world: World, held: Document) -> Document:
    features: Document = world.get(configurations.KIND, held["configuration"])["features"]
    return features


def _shown(
    world: World,
    held: Document,
    *,
    done: str = "",
    trouble: str = "",
    typed: dict[str, str] | None = None,
) -> Page:
    invoices = world.all("invoice", {"customer": held["customer"]}, newest_first=True)
    content: dict[str, Any] = {
        "return_url": held["return_url"],
        "done": done,
        "trouble": trouble,
        "subscriptions": [
            _subscription(world, held, one) for one in _running(world, held["customer"])
        ],
        "card": _card(world, held["customer"]),
        "card_open": typed is not None,
        "invoices": [_invoice(one) for one in invoices if one["status"] != "draft"],
    }
    return rendered(world, "portal.html", typed=typed, leads_to=(held["return_url"],), page=content)


def _subscription(world: World, held: Document, one: Document) -> dict[str, Any]:
    price = world.get("price", items_of(one)[0]["price"])
    leaves = one["cancel_at"] is not None
    may_leave = bool(_features(world, held)["subscription_cancel"]["enabled"])
    return {
        "id": one["id"],
        "name": world.get("product", price["product"])["name"],
        "state": "Ends" if leaves else _STATES.get(one["status"], one["status"]),
        "tone": "warn" if leaves else _TONES.get(one["status"], ""),
        "price": wording.money(price["unit_amount"], price["currency"]),
        "per": f"per {wording.every(price)}",
        "what_next": _what_next(one),
        "others": _others(world, held, one),
        "may_cancel": may_leave and not leaves and one["status"] != "incomplete",
        "may_keep": leaves,
    }


def _what_next(one: Document) -> str:
    end = wording.day(period_of(one).end)
    if one["cancel_at"] is not None:
        return f"Ends on {wording.day(one['cancel_at'])} and is not charged again."
    if one["pause_collection"] is not None:
        return "Payments are paused."
    if one["status"] == "trialing":
        return f"The trial ends on {end}; then it is charged."
    if one["status"] in {"past_due", "unpaid"}:
        return "The last payment failed. Use another card, or pay the open invoice below."
    return f"Charged again on {end}."


def _others(world: World, held: Document, one: Document) -> list[dict[str, str]]:
    """Return what one may switch to, as the configuration lists it."""
    feature = _features(world, held)["subscription_update"]
    if not feature["enabled"] or one["status"] not in {"active", "trialing"}:
        return []
    current = items_of(one)[0]["price"]
    ids = [id_ for product in feature["products"] or [] for id_ in product["prices"]]
    prices = [world.get("price", id_) for id_ in ids if id_ != current]
    return [
        {"id": price["id"], "says": _offer(world, price)}
        for price in prices
        if price["currency"] == one["currency"]
    ]


def _offer(world: World, price: Document) -> str:
    name = world.get("product", price["product"])["name"]
    amount = wording.money(price["unit_amount"], price["currency"])
    return f"{name}, {amount} per {wording.every(price)}"


def _card(world: World, customer_id: str) -> str:
    customer = world.get("customer", customer_id)
    chosen = [one["default_payment_method"] for one in _running(world, customer_id)]
    ids = [*chosen, customer["invoice_settings"]["default_payment_method"]]
    method = next((found for id_ in ids if (found := world.find("payment_method", id_))), None)
    if method is None:
        return ""
    card = method["card"]
    expiry = f"{card['exp_month']:02d} / {card['exp_year'] % 100:02d}"
    return f"{card['brand'].title()} ending in {card['last4']}, expires {expiry}"


def _invoice(one: Document) -> dict[str, Any]:
    return {
        "id": one["id"],
        "number": one["number"],
        "on": one["created"],
        "state": one["status"],
        "tone": _INVOICE_TONES.get(one["status"], ""),
        "total": wording.money(one["total"], one["currency"]),
    }
