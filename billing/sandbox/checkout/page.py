"""The hosted page of a session: what is sold, a card, 3-D Secure, and the way back."""

from typing import Any, NamedTuple

from billing.sandbox.catalogue import promotion_codes
from billing.sandbox.checkout import paying, sessions, totals
from billing.sandbox.checkout.sessions import KIND
from billing.sandbox.documents import Document
from billing.sandbox.engine import wording
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.pages.rendering import as_typed, rendered
from billing.sandbox.payments import payment_intents
from billing.sandbox.requests import Params
from billing.sandbox.routing import Page, Redirect, page
from billing.sandbox.world import World

_PATH = "/checkout/{session}"
_FAILED_AUTHENTICATION = (
    "We are unable to authenticate your payment method. Please choose a different payment method "
    "and try again."
)


class Trouble(NamedTuple):
    """What went wrong, and what had been typed."""

    card: str = ""
    code: str = ""
    typed: dict[str, str] | None = None


@page("GET", _PATH)
def show(world: World, params: Params, session: str) -> Page | Redirect:
    """Show an open session; whoever comes back from 3-D Secure goes on from here."""
    held = world.find(KIND, session)
    if held is None:
        return _closed(world, "There is no such page", "The link is not complete.", None)
    if held["status"] == "complete":
        return Redirect(sessions.back(held))
    if held["status"] == "expired":
        text = "Nothing was charged. Go back to the shop and begin again."
        return _closed(world, "This page has expired", text, held["cancel_url"])
    intent = paying.waiting_intent(world, held)
    if intent is not None and intent["status"] == "requires_action":
        return Redirect(f"../3ds/{intent['id']}")
    failed = "redirect_status" in params and params.text("redirect_status") == "failed"
    return _shown(world, held, Trouble(card=_why(intent) if failed else ""))


@page("POST", _PATH)
def act(world: World, params: Params, session: str) -> Page | Redirect:
    """Pay, or apply a promotion code."""
    held = world.find(KIND, session)
    if held is None or held["status"] != "open":
        return show(world, Params({}), session)
    if params.text("action") == "promotion":
        return _apply_code(world, held, params)
    typed = as_typed(params, "name", "email")
    try:
        intent = paying.pay(world, session, _typed(world, held, params))
    except CardDeclined as declined:
        return _shown(world, world.get(KIND, session), Trouble(declined.message, typed=typed))
    except Invalid as refusal:
        return _shown(world, held, Trouble(refusal.message, typed=typed))
    return Redirect(session if intent is None else f"../3ds/{intent}")


def _typed(world: World, held: Document, params: Params) -> paying.Typed:
    email = _email(world, held) or params.text("email") or ""
    if "@" not in email:
        raise Invalid("Write your e-mail address.", param="email")
    name, method = params.text("name"), None
    kept = {one["id"]: one for one in paying.kept_cards(world, held)}
    if params.text("kept") in kept:
        method = kept[params.text("kept") or ""]
    elif paying.needs_card(held):
        method = paying.card_typed(world, params, name=name, email=email)
    return paying.Typed(email, name, method)


def _apply_code(world: World, held: Document, params: Params) -> Page | Redirect:
    code = params.text("code") or ""
    customer = world.find("customer", held["customer"])
    found = promotion_codes.find_active(world, code.strip())
    if found is None or not _takes_codes(world, held):
        return _shown(world, held, Trouble(code="This code is not valid.", typed={"code": code}))
    try:
        promotion_codes.check_for(
            world,
            found,
            customer=customer,
            amount=held["amount_subtotal"],
            currency=held["currency"],
        )
    except Invalid as refusal:
        return _shown(world, held, Trouble(code=refusal.message, typed={"code": code}))
    held["discounts"] = [{"coupon": None, "promotion_code": found["id"]}]
    world.save(paying.total_of(world, held))
    return Redirect(held["id"])


def _takes_codes(world: World, held: Document) -> bool:
    """Tell whether a code may be typed: one at most, and none once a payment has begun."""
    has_begun = paying.waiting_intent(world, held) is not None
    return bool(held["allow_promotion_codes"]) and not held["discounts"] and not has_begun


def _shown(world: World, held: Document, trouble: Trouble) -> Page:
    email = _email(world, held)
    typed = (trouble.typed or {}) | ({"email": email} if email else {})
    content: dict[str, Any] = _content(world, held) | {
        "trouble": trouble.card,
        "code_trouble": trouble.code,
        "code": typed.pop("code", ""),
        "email_fixed": bool(email),
    }
    leads_to = (held["success_url"], held["cancel_url"])
    return rendered(world, "checkout.html", typed=typed, leads_to=leads_to, page=content)


def _content(world: World, held: Document) -> dict[str, Any]:
    reckoned = totals.totals(world, held)
    currency = held["currency"] or "sek"
    heading, price, per = _heading(held, reckoned)
    lines = [
        {"what": totals.says(line), "amount": wording.money(line.amount, currency)}
        for line in reckoned.lines
    ]
    if reckoned.off:
        lines.append({"what": "Discount", "amount": wording.money(-reckoned.off, currency)})
    message = (held["custom_text"]["submit"] or {}).get("message")
    return {
        "heading": heading,
        "price": price,
        "per": per,
        "after_trial": _after_trial(held, reckoned),
        "lines": lines,
        "due_today": wording.money(reckoned.total, currency),
        "takes_codes": _takes_codes(world, held),
        "cancel_url": held["cancel_url"],
        "needs_card": paying.needs_card(held),
        "kept": [_kept(one) for one in paying.kept_cards(world, held)],
        "button": _button(held, reckoned),
        "promise": message or _promise(held),
    }


def _kept(method: Document) -> dict[str, str]:
    card = method["card"]
    brand = str(card["display_brand"] or card["brand"]).replace("_", " ").title()
    return {"id": method["id"], "says": f"{brand} ending in {card['last4']}"}


def _heading(held: Document, reckoned: totals.Totals) -> tuple[str, str, str | None]:
    if held["mode"] == "setup":
        return "Keep a card for later payments", "", None
    first = reckoned.lines[0]
    amount = sum(line.price["unit_amount"] * line.quantity for line in reckoned.lines)
    price = wording.money(amount, held["currency"])
    if held["mode"] == "payment":
        return f"Pay for {totals.says(first)}", price, None
    if totals.has_trial(held):
        return f"Try {totals.says(first)}", _trial(held), "free"
    return f"Subscribe to {totals.says(first)}", price, totals.per(first.price)


def _trial(held: Document) -> str:
    data = held["_subscription_data"]
    if days := data.get("trial_period_days"):
        return f"{days} days"
    return f"until {wording.day(int(data['trial_end']))}"


def _after_trial(held: Document, reckoned: totals.Totals) -> str:
    if held["mode"] != "subscription" or not totals.has_trial(held):
        return ""
    price = reckoned.lines[0].price
    amount = wording.money(price["unit_amount"] * reckoned.lines[0].quantity, price["currency"])
    return f"Then {amount} {totals.per(price)}"


def _button(held: Document, reckoned: totals.Totals) -> str:
    if held["mode"] == "setup":
        return "Keep the card"
    if reckoned.total > 0:
        return f"Pay {wording.money(reckoned.total, held['currency'])}"
    return "Start the trial" if totals.has_trial(held) else "Subscribe"


def _promise(held: Document) -> str:
    if held["mode"] != "subscription":
        return ""
    return "The card is kept and charged each period until you cancel."


def _email(world: World, held: Document) -> str:
    customer = world.find("customer", held["customer"]) or {}
    return customer.get("email") or held["customer_email"] or ""


def _why(intent: Document | None) -> str:
    if intent is None:
        return _FAILED_AUTHENTICATION
    is_payment = intent["object"] == payment_intents.KIND
    error = intent["last_payment_error" if is_payment else "last_setup_error"] or {}
    if "authentication" in (error.get("code") or "authentication"):
        return _FAILED_AUTHENTICATION
    return str(error.get("message") or _FAILED_AUTHENTICATION)


def _closed(world: World, heading: str, text: str, link: str | None) -> Page:
    content = {"heading": heading, "text": text, "link": link, "link_text": "Back to the shop"}
    return rendered(world, "closed.html", status=200 if link else 404, page=content)
