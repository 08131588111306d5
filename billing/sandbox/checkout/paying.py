"""Paying on a session: the card is charged or kept, and what was sold begins."""

from datetime import UTC, datetime
from typing import NamedTuple

from billing.sandbox.checkout import sessions, totals
from billing.sandbox.checkout.sessions import KIND
from billing.sandbox.documents import Document
from billing.sandbox.engine import standing, subscribing
from billing.sandbox.errors import CardDeclined
from billing.sandbox.payments import customers, payment_intents, payment_methods, setup_intents
from billing.sandbox.payments.addresses import address_of
from billing.sandbox.payments.amounts import settled
from billing.sandbox.requests import Params
from billing.sandbox.routing import reacts
from billing.sandbox.world import World


class Typed(NamedTuple):
    """What somebody typed on the page."""

    email: str
    name: str | None
    method: Document | None


def pay(world: World, id_: str, typed: Typed) -> str | None:
    """Try to complete a session; return the intent that waits for 3-D Secure, or None.

    Raises `CardDeclined` when the card refuses; the session stays open then.
    """
    session = _with_customer(world, world.get(KIND, id_), typed)
    method = typed.method["id"] if typed.method else None
    if session["mode"] == "payment" and session["amount_total"] > 0:
        return _pay_once(world, session, method)
    if session["mode"] == "subscription" and _due(world, session) > 0:
        return _pay_first(world, session, method)
    if method is not None:
        return _keep_card(world, session, method)
    _begin_unpaid(world, session, None)
    return None


def kept_cards(world: World, session: Document) -> list[Document]:
    """Return the cards of the customer that the page of a single payment offers to pay with."""
    options = session.get("saved_payment_method_options")
    if session["mode"] != "payment" or not options or session["customer"] is None:
        return []
    held = payment_methods.list_of_customer(world, Params({}), session["customer"])["data"]
    return [one for one in held if one["allow_redisplay"] in options["allow_redisplay_filters"]]


def needs_card(session: Document) -> bool:
    """Tell whether the page asks for a card."""
    is_always = session["mode"] == "setup" or session["payment_method_collection"] == "always"
    return is_always or bool(session["amount_total"] > 0)


def _due(world: World, session: Document) -> int:
    """Return what is charged for the first invoice, which the customer's credit may pay."""
    customer = world.find("customer", session["customer"]) or {}
    owed = session["amount_total"] + customer.get("balance", 0)
    _, amount = settled(owed, session["currency"])
    return amount if session["amount_total"] > 0 else 0


def waiting_intent(world: World, session: Document) -> Document | None:
    """Return the intent by which somebody has begun to pay, or None."""
    started = session["_started"]
    if started is None:
        return None
    return world.find("payment_intent", started) or world.find("setup_intent", started)


def _with_customer(world: World, session: Document, typed: Typed) -> Document:
    """Note who pays; a subscription needs a customer, who is made when there is none."""
    if session["customer"] is None and session["customer_creation"] == "always":
        made = customers.create(world, Params(_known(typed)))
        session["customer"] = made["id"]
    customer = world.find("customer", session["customer"]) or {}
    session["customer_details"] = {
        "address": customer.get("address") or address_of(None),
        "business_name": None,
        "email": typed.email or customer.get("email"),
        "individual_name": None,
        "name": typed.name or customer.get("name"),
        "phone": customer.get("phone"),
        "tax_exempt": "none",
        "tax_ids": [],
    }
    return world.save(session)


def _known(typed: Typed) -> Document:
    return {"email": typed.email} | ({"name": typed.name} if typed.name else {})


def _pay_once(world: World, session: Document, method: str | None) -> str | None:
    data = Params(session["_payment_intent_data"], "payment_intent_data")
    intent = waiting_intent(world, session)
    if intent is None:
        intent = payment_intents.begin(
            world,
            customer=session["customer"],
            amount=session["amount_total"],
            currency=session["currency"],
            description=data.text("description"),
            metadata=data.merged_metadata(),
            setup_future_usage=data.text("setup_future_usage"),
            extra={"_checkout": session["id"], "_return_url": _page(world, session)},
        )
        _note(world, session, intent)
    return _confirm(world, intent, method)


def _pay_first(world: World, session: Document, method: str | None) -> str | None:
    subscription = world.find("subscription", session.get("_subscription"))
    if subscription is None or subscription["status"] != "incomplete":
        subscription = _begin(world, session, None)
    invoice = world.get("invoice", subscription["latest_invoice"])
    intent = world.get("payment_intent", invoice["_payment_intent"])
    if intent["_return_url"] is None:
        intent = world.save(intent | {"_return_url": _page(world, session)})
    session = world.get(KIND, session["id"]) | {"_subscription": subscription["id"]}
    _note(world, session, intent)
    return _confirm(world, intent, method)


def _keep_card(world: World, session: Document, method: str) -> str | None:
    intent = waiting_intent(world, session)
    if intent is None or intent["status"] == "succeeded":
        data = Params(session["_setup_intent_data"], "setup_intent_data")
        intent = setup_intents.begin(
            world,
            customer=session["customer"],
            metadata=data.merged_metadata(),
            return_url=_page(world, session),
            extra={"_checkout": session["id"]},
        )
        _note(world, session, intent)
    intent = setup_intents.confirm(world, intent, method)
    return intent["id"] if intent["status"] == "requires_action" else None


def _confirm(world: World, intent: Document, method: str | None) -> str | None:
    intent = payment_intents.confirm(world, intent, method)
    return intent["id"] if intent["status"] == "requires_action" else None


def _note(world: World, session: Document, intent: Document) -> None:
    world.save(session | {"_started": intent["id"]})


def _page(world: World, session: Document) -> str:
    return world.url(f"/checkout/{session['id']}")


def _begin(world: World, session: Document, method: str | None) -> Document:
    """Make the subscription that a session sells."""
    data = dict(session["_subscription_data"])
    items = sessions.lines_of(session)
    if session["discounts"]:
        given = [{k: v for k, v in one.items() if v} for one in session["discounts"]]
        data["discounts"] = given
    if session["automatic_tax"]["enabled"]:
        data["automatic_tax"] = {"enabled": "true"}
    params = Params(data)
    start = subscribing.Start(
        world.get("customer", session["customer"]),
        Params({"items": items}).each("items"),
        payment_method=method,
        extra={"_checkout": session["id"]},
    )
    return subscribing.begin(world, params, start)


def _begin_unpaid(world: World, session: Document, method: str | None) -> None:
    """Begin what costs nothing yet: a trial, or what a coupon pays for."""
    if session["mode"] == "subscription":
        subscription = _begin(world, session, method)
        session = world.get(KIND, session["id"]) | {
            "subscription": subscription["id"],
            "invoice": subscription["latest_invoice"],
        }
    _complete(world, session, payment_status="no_payment_required")


def _complete(world: World, session: Document, *, payment_status: str) -> None:
    if session["status"] != "open":
        return
    world.unschedule("checkout.expire", session["id"])
    done = {"status": "complete", "payment_status": payment_status, "url": None}
    world.save_as(session | done, event="checkout.session.completed")


@reacts("payment_intent.succeeded")
def paid_once(world: World, intent: Document) -> None:
    """Complete the session of a single payment."""
    session = world.find(KIND, intent.get("_checkout"))
    if session is not None:
        session["payment_intent"] = intent["id"]
        _complete(world, session, payment_status="paid")


@reacts("setup_intent.succeeded")
def card_kept(world: World, intent: Document) -> None:
    """Complete a session that only kept a card, or begin the trial with it."""
    session = world.find(KIND, intent.get("_checkout"))
    if session is None or session["status"] != "open":
        return
    if session["mode"] == "setup":
        session["setup_intent"] = intent["id"]
        _complete(world, session, payment_status="no_payment_required")
    else:
        _begin_unpaid(world, session, intent["payment_method"])


@reacts("invoice.payment_succeeded")
def first_paid(world: World, invoice: Document) -> None:
    """Complete the session whose subscription has been paid for the first time."""
    subscription = standing.subscription_of(world, invoice)
    session = world.find(KIND, (subscription or {}).get("_checkout"))
    if subscription is None or session is None or session["status"] != "open":
        return
    intent = world.find("payment_intent", invoice["_payment_intent"])
    if intent is None:
        return
    standing.save(world, subscription | {"default_payment_method": intent["payment_method"]})
    session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
    _complete(world, session, payment_status="paid")


def card_typed(world: World, params: Params, *, name: str | None, email: str | None) -> Document:
    """Return the payment method of a card that was typed on a page.

    Raises `CardDeclined` with what is wrong with it.
    """
    month, year = _expiry(world, params.text("expiry") or "")
    cvc = params.text("cvc") or ""
    if not (cvc.isdecimal() and 3 <= len(cvc) <= 4):
        raise CardDeclined(code="invalid_cvc", message="Your card's security code is invalid.")
    card = {"number": params.text("number") or "", "exp_month": month, "exp_year": year}
    details = {"name": name or "", "email": email or ""}
    wish = {"type": "card", "card": card, "billing_details": details}
    return payment_methods.make(world, Params(wish))


def _expiry(world: World, text: str) -> tuple[int, int]:
    parts = [part.strip() for part in text.replace("-", "/").split("/")]
    if len(parts) == 1 and len(text.strip()) == 4:
        parts = [text.strip()[:2], text.strip()[2:]]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise CardDeclined(
            code="invalid_expiry_month", message="Write when the card expires as 12 / 34."
        )
    month, year = int(parts[0]), int(parts[1])
    year += 2000 if year < 100 else 0
    if not 1 <= month <= 12:
        raise CardDeclined(
            code="invalid_expiry_month", message="Your card's expiration month is invalid."
        )
    now = datetime.fromtimestamp(world.now(), UTC)
    if (year, month) < (now.year, now.month):
        raise CardDeclined(
            code="invalid_expiry_year", message="Your card's expiration year is in the past."
        )
    return month, year


def total_of(world: World, session: Document) -> Document:
    """Return the session with its sums reckoned again."""
    return session | totals.totals(world, session).fields
