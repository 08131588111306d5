"""The page of a 3-D Secure step, on which the customer agrees or fails."""

from html import escape
from urllib.parse import urlencode

from billing.sandbox.documents import Document
from billing.sandbox.errors import Missing
from billing.sandbox.payments import payment_intents, setup_intents
from billing.sandbox.requests import Params
from billing.sandbox.routing import Page, Redirect, page
from billing.sandbox.world import World

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>3-D Secure</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto }}
button {{ font: inherit; padding: .6rem 1.2rem; margin-right: .5rem }}
</style>
<h1>3-D Secure</h1>
<p>{what}</p>
{form}
</html>
"""
_FORM = """<form method="post">
<button name="outcome" value="complete">Complete authentication</button>
<button name="outcome" value="fail">Fail authentication</button>
</form>"""


@page("GET", "/3ds/{intent}")
def ask(world: World, _params: Params, intent: str) -> Page:
    """Show the step, as long as it waits."""
    document = _intent(world, intent)
    if document["status"] != "requires_action":
        return Page(_PAGE.format(what="Nothing waits for you here any more.", form=""))
    if document["object"] == payment_intents.KIND:
        amount, currency = document["amount"], document["currency"].upper()
        what = f"Your bank asks whether you pay {escape(f'{amount} {currency}')} (minor units)."
    else:
        what = "Your bank asks whether this card may be used for later payments."
    return Page(_PAGE.format(what=what, form=_FORM))


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
        return Page(_PAGE.format(what="Thank you, that was all.", form=""))
    query = {
        document["object"]: document["id"],
        f"{document['object']}_client_secret": document["client_secret"],
        "redirect_status": "succeeded" if document["status"] == "succeeded" else "failed",
    }
    joint = "&" if "?" in return_url else "?"
    return Redirect(f"{return_url}{joint}{urlencode(query)}")


def _intent(world: World, id_: str) -> Document:
    for kind in (payment_intents.KIND, setup_intents.KIND):
        if (found := world.find(kind, id_)) is not None:
            world.live_by(found["customer"])
            return found
    raise Missing(payment_intents.KIND, id_)
