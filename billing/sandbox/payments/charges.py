"""Charges: each attempt to take money from a card, that succeeded or failed."""

from billing.sandbox.documents import Document
from billing.sandbox.engine import lacking
from billing.sandbox.errors import DECLINES, CardDeclined
from billing.sandbox.payments import balance
from billing.sandbox.payments.addresses import address_of, optional_address
from billing.sandbox.payments.payment_methods import card_of
from billing.sandbox.requests import Params
from billing.sandbox.routing import expands, route
from billing.sandbox.world import World

_KIND = "charge"
_PATH = "/v1/charges"


def attempt(
    world: World, intent: Document, method: Document, *, is_authenticated: bool
) -> Document:
    """Charge a card for an intent; return the charge, with `status` failed when it declines."""
    card = card_of(method)
    is_captured = intent["capture_method"] != "manual"
    charge: Document = {
        "id": world.new_id("ch"),
        "object": _KIND,
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": {"address": address_of(None), "email": None, "name": None, "phone": None}
        | method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": world.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": _outcome(None),
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(intent, method, is_authenticated=is_authenticated),
        "receipt_email": intent["receipt_email"],
        "receipt_url": None,
        "refunded": False,
        "shipping": intent["shipping"],
        "status": "succeeded",
    }
    if card.decline is not None:
        return _failed(world, charge, *card.decline)
    if is_captured:
        _take(world, charge, charge["amount"])
    return world.add(charge, event="charge.succeeded")


def _failed(world: World, charge: Document, code: str, decline_code: str | None) -> Document:
    charge |= {
        "failure_code": code,
        "failure_message": DECLINES.get(decline_code or code, DECLINES["generic_decline"]),
        "outcome": _outcome(decline_code or code),
        "paid": False,
        "status": "failed",
        "_decline_code": decline_code,
    }
    return world.add(charge, event="charge.failed")


def capture(world: World, charge: Document, amount: int) -> Document:
    """Take money that was only reserved."""
    _take(world, charge, amount)
    return world.save_as(charge, event="charge.captured")


def decline_of(charge: Document, method: Document) -> CardDeclined:
    """Return the error that tells why a charge failed."""
    return CardDeclined(
        code=charge["failure_code"],
        decline_code=charge["_decline_code"],
        message=charge["failure_message"],
        charge=charge["id"],
        payment_method=method,
    )


def _take(world: World, charge: Document, amount: int) -> None:
    booked = balance.book(
        world,
        "charge",
        amount=amount,
        currency=charge["currency"],
        source=charge["id"],
        fee=balance.fee_of(amount),
        description=charge["description"],
    )
    charge |= {
        "amount_captured": amount,
        "balance_transaction": booked["id"],
        "captured": True,
    }


def _outcome(reason: str | None) -> Document:
    is_fine = reason is None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None if is_fine else "02",
        "network_status": "approved_by_network" if is_fine else "declined_by_network",
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete."
        if is_fine
        else "The bank did not return any further details with this decline.",
        "type": "authorized" if is_fine else "issuer_declined",
    }


def _details(intent: Document, method: Document, *, is_authenticated: bool) -> Document:
    card = method["card"]
    names = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    secure = {
        "authentication_flow": "challenge",
        "result": "authenticated",
        "result_reason": None,
        "version": "2.2.0",
    }
    shown = {name: card[name] for name in (*names, "last4", "regulated_status", "wallet")}
    shown |= {
        "amount_authorized": intent["amount"],
        "installments": None,
        "mandate": None,
        "network": card["brand"],
        "three_d_secure": secure if is_authenticated else None,
    }
    return {"card": shown, "type": "card"}


@expands(_KIND, "refunds")
def refunds(world: World, charge: Document) -> Document:
    """Return the refunds of a charge, newest first."""
    found = world.all("refund", {"charge": charge["id"]}, newest_first=True)
    url = f"{_PATH}/{charge['id']}/refunds"
    return {"object": "list", "data": found, "has_more": False, "url": url}


@route("GET", f"{_PATH}/{{charge}}")
def retrieve(world: World, _params: Params, charge: str) -> Document:
    """Return a charge."""
    return world.get(_KIND, charge)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return charges, newest first."""
    lacking.check_list(params, "transfer_group")
    return world.listing(params, _KIND, params.filters("customer", "payment_intent"))


@route("POST", f"{_PATH}/{{charge}}")
def update(world: World, params: Params, charge: str) -> Document:
    """Change what a charge says of itself."""
    document = world.get(_KIND, charge)
    params.change_texts(document, "description", "receipt_email")
    if "shipping" in params:
        inner = params.nested("shipping")
        document["shipping"] = {"address": optional_address(inner), "name": inner.text("name")}
    document["metadata"] = params.merged_metadata(document["metadata"])
    return world.save(document, event="charge.updated")
