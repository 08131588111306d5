"""Webhook endpoints: which events go where, and the secrets that sign them while one is rolled."""

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import API_VERSION, World

_KIND = "webhook_endpoint"
_PATH = "/v1/webhook_endpoints"


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make an endpoint; the answer is the only one that shows its secret."""
    events = params.texts("enabled_events")
    if not events:
        raise Invalid(
            "Missing required param: enabled_events.",
            param="enabled_events",
            code="parameter_missing",
        )
    secret = world.store.new_id("whsec", 32)
    endpoint: Document = {
        "id": world.new_id("we"),
        "object": _KIND,
        "api_version": params.text("api_version") or API_VERSION,
        "application": None,
        "created": world.account_now,
        "description": params.text("description"),
        "enabled_events": events,
        "livemode": False,
        "metadata": params.merged_metadata(),
        "status": "enabled",
        "url": params.required.text("url"),
        "_secrets": [{"secret": secret, "until": None}],
    }
    return world.add(endpoint) | {"secret": secret}


@route("GET", f"{_PATH}/{{webhook_endpoint}}")
def retrieve(world: World, _params: Params, webhook_endpoint: str) -> Document:
    """Return an endpoint, without its secret."""
    return world.get(_KIND, webhook_endpoint)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return the endpoints."""
    return world.listing(params, _KIND)


@route("POST", f"{_PATH}/{{webhook_endpoint}}")
def update(world: World, params: Params, webhook_endpoint: str) -> Document:
    """Change an endpoint, or disable it."""
    endpoint = world.get(_KIND, webhook_endpoint)
    for name in ("url", "description"):
        if name in params:
            endpoint[name] = params.text(name)
    if "enabled_events" in params:
        endpoint["enabled_events"] = params.texts("enabled_events")
    if (disabled := params.flag("disabled")) is not None:
        endpoint["status"] = "disabled" if disabled else "enabled"
    endpoint["metadata"] = params.merged_metadata(endpoint["metadata"])
    return world.save(endpoint)


@route("DELETE", f"{_PATH}/{{webhook_endpoint}}")
def delete(world: World, _params: Params, webhook_endpoint: str) -> Document:
    """Delete an endpoint; what was not delivered yet stays undelivered."""
    return world.remove(world.get(_KIND, webhook_endpoint))


def roll_secret(world: World, endpoint_id: str, *, keep_seconds: int) -> str:
    """Give an endpoint a new secret; the former signs beside it for that long."""
    endpoint = world.get(_KIND, endpoint_id)
    secret = world.store.new_id("whsec", 32)
    until = world.account_now + keep_seconds
    kept = [held | {"until": held["until"] or until} for held in endpoint["_secrets"]]
    endpoint["_secrets"] = [{"secret": secret, "until": None}, *kept]
    world.save(endpoint)
    return secret
