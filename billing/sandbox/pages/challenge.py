"""The page of a 3-D Secure step, on which a card's holder agrees or fails."""

from urllib.parse import urlencode

from billing.sandbox.documents import Document
from billing.sandbox.engine import wording
from billing.sandbox.errors import Missing
from billing.sandbox.pages.rendering import rendered
from billing.sandbox.payments import payment_intents, setup_intents
from billing.sandbox.requests import Params
from billing.sandbox.routing import Page, Redirect, page
from billing.sandbox.world import World


@page("GET", "/3ds/{intent}")
def ask(world: World, _params: Params, intent: str) -> Page:
    """Show the step, as long as it waits."""
    document = _intent(world, intent)
    if document["status"] != "requires_action":
        return _closed(world, "Nothing waits for you here", "You may close this page.")
    method = world.get("payment_method", document["payment_method"])
    is_payment = document["object"] == payment_intents.KIND
    amount = wording.money(document["amount"], document["currency"]) if is_payment else ""
    content = {"last4": method["card"]["last4"], "amount": amount}
    return rendered(world, "challenge.html", leads_to=(document["_return_url"],), page=content)


@page("POST", "/3ds/{intent}")
def end(world: World, params: Params, intent: str) -> Page | Redirect:
    """End the step, and go back to where the merchant wants the customer."""
    document = _intent(world, intent)
    if document["status"] == "requires_action":
        succeeds = params.text("outcome") == "complete"
        is_payment = document["object"] == payment_intents.KIND
        authenticate = (payment_intents if is_payment else setup_intents).authenticate
        document = authenticate(world, document, succeeds=succeeds)
    return_url = document["_return_url"]
    if return_url is None:
        return _closed(world, "Thank you", "That was all. You may close this page.")
    query = {
        document["object"]: document["id"],
        f"{document['object']}_client_secret": document["client_secret"],
        "redirect_status": "succeeded" if document["status"] == "succeeded" else "failed",
    }
    joint = "&" if "?" in return_url else "?"
    return Redirect(f"{return_url}{joint}{urlencode(query)}")


def _closed(world: World, heading: str, text: str) -> Page:
    return rendered(world, "closed.html", page={"heading": heading, "text": text, "link": None})


def _intent(world: World, id_: str) -> Document:
    for kind in (payment_intents.KIND, setup_intents.KIND):
        if (found := world.find(kind, id_)) is not None:
            world.live_by(found["customer"])
            return found
    raise Missing(payment_intents.KIND, id_)
