"""What the doctor says of payments: whether Stripe is set up, and what to set for the real one."""

from typing import Final

from billing.gateway.intake import PATH
from billing.plans import catalogue
from coalition.kernel.database import Connection
from coalition.kernel.settings import PREFIX, Settings
from server.findings import Finding
from server.payments import MOUNT

EVENTS: Final = (
    "checkout.session.*",
    "customer.subscription.*",
    "invoice.*",
    "charge.refund*",
    "refund.*",
    "charge.dispute.*",
)
"""The events that our endpoint at Stripe has to be sent."""


def stripe(settings: Settings) -> Finding:
    """Return whether payments are set up, and how to take real ones."""
    url = settings.issuer + PATH
    asked = f"with events {', '.join(EVENTS)}"
    if settings.stripe_sandbox:
        found = (
            f"the sandbox at {settings.issuer}{MOUNT}, with made-up cards alone; for the real "
            f"Stripe set {PREFIX}STRIPE_KEY, make an endpoint for {url} there {asked}, and set "
            f"{PREFIX}STRIPE_WEBHOOK_SECRET"
        )
        return Finding("stripe", ok=True, found=found)
    if settings.stripe_key is None:
        found = f"no payments; set {PREFIX}STRIPE_KEY, or work with --data for the sandbox"
        return Finding("stripe", ok=True, found=found)
    mode = "a live key" if "_live_" in settings.stripe_key else "a test key"
    if not settings.stripe_webhook_secret:
        mend = f"make an endpoint for {url} at Stripe, {asked}, and set "
        mend += f"{PREFIX}STRIPE_WEBHOOK_SECRET to its signing secret"
        return Finding("stripe", ok=False, found=f"{mode}, and no webhook secret", mend=mend)
    if settings.issuer.startswith("http://"):
        found = f"{mode}; {settings.issuer} is no address that Stripe can reach"
        mend = f"set {PREFIX}ISSUER to the https address of this service"
        return Finding("stripe", ok=False, found=found, mend=mend)
    return Finding("stripe", ok=True, found=f"{mode}, and a webhook secret")


async def plans(connection: Connection, settings: Settings) -> Finding:
    """Return whether all plans have been brought to Stripe."""
    known = await catalogue.load(connection)
    prices = [price for plan in known.plans for price in plan.prices]
    lacking = [price for price in prices if price.stripe_price_id is None]
    found = f"{len(known.plans)} versions with {len(prices)} prices"
    is_set_up = settings.stripe_sandbox or settings.stripe_key is not None
    if lacking and is_set_up:
        mend = "the worker brings them within ten minutes; or run `coalition plan sync`"
        return Finding("plans", ok=False, found=f"{found}, {len(lacking)} not at Stripe", mend=mend)
    return Finding("plans", ok=True, found=found)
