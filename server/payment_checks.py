"""What the doctor says of payments: whether Stripe is set up, and what to set for the real one."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import Any, Final

from billing.gateway.client import API_VERSION, Gateway
from billing.gateway.intake import PATH
from billing.gateway.refusals import StripeRefused, StripeUnavailable
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


_KINDS: Final = {
    "sk_test_": "a test key",
    "rk_test_": "a restricted test key",
    "sk_live_": "a live key",
    "rk_live_": "a restricted live key",
}


async def all_of(settings: Settings) -> list[Finding]:
    """Return whether payments are set up, and with a key of ours, what Stripe says to it."""
    found = [stripe(settings)]
    key = settings.stripe_key
    if key is None or settings.stripe_sandbox or not any(map(key.startswith, _KINDS)):
        return found
    gateway = Gateway(key, pauses_s=())
    try:
        return [*found, await at_stripe(settings, gateway)]
    finally:
        await gateway.close()


def stripe(settings: Settings) -> Finding:
    """Return whether payments are set up, and how to take real ones; nobody is asked for it."""
    if settings.stripe_sandbox:
        return Finding("stripe", ok=True, found=_sandbox(settings))
    if settings.stripe_key is None:
        found = (
            "no payments: there is no key, and no sandbox; "
            f"{_real(settings)}; or work with --data, which brings the sandbox"
        )
        return Finding("stripe", ok=True, found=found)
    return _with_key(settings, settings.stripe_key)


def _sandbox(settings: Settings) -> str:
    made_up = f"the sandbox at {settings.issuer}{MOUNT}, with made-up cards alone"
    if settings.stripe_key is not None:
        beside = f"{PREFIX}STRIPE_KEY is set too and not used: set {PREFIX}STRIPE_SANDBOX=0"
        return f"{made_up}; {beside} to take payments with {_kind(settings.stripe_key)}"
    return f"{made_up}; {_real(settings)}"


def _real(settings: Settings) -> str:
    return (
        f"for the real Stripe set {PREFIX}STRIPE_KEY to the secret key of your account "
        f"(sk_test_… to try), {_endpoint(settings)}, and set {PREFIX}STRIPE_WEBHOOK_SECRET to its "
        "signing secret (whsec_…)"
    )


def _endpoint(settings: Settings) -> str:
    asked = f"API version {API_VERSION} and events {', '.join(EVENTS)}"
    return f"make an endpoint for {settings.issuer}{PATH} there with {asked}"


def _kind(key: str) -> str:
    return next((kind for start, kind in _KINDS.items() if key.startswith(start)), "no secret key")


def _with_key(settings: Settings, key: str) -> Finding:
    mode = _kind(key)
    secrets = [one.strip() for one in (settings.stripe_webhook_secret or "").split(",")]
    if not any(map(key.startswith, _KINDS)):
        is_public = key.startswith("pk_")
        found = f"{PREFIX}STRIPE_KEY is {'the publishable key' if is_public else 'no key'}"
        mend = "take the secret key of your account, which begins with sk_test_ or sk_live_"
    elif not any(secrets):
        found = f"{mode}, and no webhook secret"
        mend = f"at Stripe {_endpoint(settings)}, and set {PREFIX}STRIPE_WEBHOOK_SECRET to its "
        mend += "signing secret (whsec_…)"
    elif wrong := [one for one in secrets if not one.startswith("whsec_")]:
        found = f"{mode}; {len(wrong)} of the webhook secrets do not begin with whsec_"
        mend = f"set {PREFIX}STRIPE_WEBHOOK_SECRET to the signing secret that Stripe shows with the"
        mend += " endpoint; two of them, with a comma, while one is rolled"
    elif settings.issuer.startswith("http://"):
        found = f"{mode}; {settings.issuer} is no address that Stripe can reach"
        mend = f"set {PREFIX}ISSUER to the https address of this service"
    else:
        return Finding("stripe", ok=True, found=f"{mode}, and a webhook secret")
    return Finding("stripe", ok=False, found=found, mend=mend)


async def at_stripe(settings: Settings, gateway: Gateway) -> Finding:
    """Ask Stripe whether it takes our key, and whether its webhooks come to us."""
    ours, check = settings.issuer + PATH, "stripe answers"
    try:
        page = await gateway.get("/v1/webhook_endpoints", {"limit": 100})
    except StripeUnavailable as failure:
        mend = f"look at {PREFIX}STRIPE_KEY: was it copied whole, is it of this account, was it "
        mend += "rolled? Or the network: this machine has to reach api.stripe.com"
        return Finding(check, ok=False, found=str(failure), mend=mend)
    except StripeRefused as refused:
        mend = "a restricted key has to read webhook endpoints, and to write the rest"
        return Finding(check, ok=False, found=f"it says no: {refused.reason}", mend=mend)
    named = [one for one in page["data"] if one["url"] == ours]
    wrong = [text for one in named for text in _amiss(one)]
    if not named or wrong:
        found = "; ".join(wrong) or f"it takes our key, and has no endpoint for {ours}"
        return Finding(check, ok=False, found=found, mend=f"at Stripe {_endpoint(settings)}")
    return Finding(check, ok=True, found=f"it takes our key, and sends webhooks to {ours}")


def _amiss(endpoint: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with our endpoint at Stripe."""
    if endpoint["status"] != "enabled":
        yield "our endpoint is disabled there"
    if endpoint.get("api_version") != API_VERSION:
        yield f"our endpoint has API version {endpoint.get('api_version') or 'of the account'}"
    enabled = endpoint["enabled_events"]
    lacking = [
        wanted
        for wanted in EVENTS
        if "*" not in enabled and not any(fnmatch(name, wanted) for name in enabled)
    ]
    if lacking:
        yield f"our endpoint is not sent {', '.join(lacking)}"


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
