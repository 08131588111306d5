"""Events as Stripe keeps them: listed, fetched, and sent again when asked for."""

from datetime import UTC, datetime

from billing.sandbox.documents import Document
from billing.sandbox.errors import Lacking, Missing
from billing.sandbox.requests import Params
from billing.sandbox.routing import route, shows
from billing.sandbox.world import World

# Stripe lets events be asked for so long, and no longer.
_KEPT_DAYS = 30


@shows("event")
def show(world: World, event: Document) -> Document:
    """Count the endpoints that did not take it yet."""
    row = world.store.sql.execute(
        "SELECT count(*) FROM delivery WHERE event = ? AND state = 'pending'", (event["id"],)
    ).fetchone()
    return event | {"pending_webhooks": row[0]}


@route("GET", "/v1/events/{id}")
def retrieve(world: World, _params: Params, id: str) -> Document:  # noqa: A002 - the path's name
    """Return an event of the last thirty days."""
    event = world.get("event", id)
    if event["created"] < _oldest(world):
        raise Missing("event", id)
    return event


def _oldest(world: World) -> int:
    """Return since when events can be asked for."""
    return world.account_now - _KEPT_DAYS * 86_400


@route("GET", "/v1/events")
def list_all(world: World, params: Params) -> Document:
    """Return events of the last thirty days, newest first; of one type or several."""
    if "delivery_success" in params:
        raise Lacking("events by delivery_success", param="delivery_success")
    where: Document = {}
    if (type_ := params.text("type")) is not None:
        where["type"] = type_
    if types := params.texts("types"):
        where["type"] = types
    return world.listing(params, "event", where, since=_oldest(world))


@route("POST", "/v1/events/{id}/retry")
def resend(world: World, params: Params, id: str) -> Document:  # noqa: A002 - the path's name
    """Send an event again, to one endpoint or to all that want it (as Stripe's CLI asks)."""
    event = world.get("event", id)
    chosen = params.text("webhook_endpoint")
    endpoints = (
        [world.get("webhook_endpoint", chosen, param="webhook_endpoint")]
        if chosen
        else world.all("webhook_endpoint", {"status": "enabled"})
    )
    for endpoint in endpoints:
        world.store.post(event["id"], endpoint["id"], at=world.account_now)
    return event


THIN = "v2.core.event"


@route("GET", "/v2/core/events/{id}")
def retrieve_thin(world: World, _params: Params, id: str) -> Document:  # noqa: A002 - the path's name
    """Return a thin event."""
    return world.get(THIN, id)


def send_thin(world: World, type_: str, kind: str, id_: str) -> str:
    """Keep a thin event, which only names its object, and send it to all endpoints."""
    created = datetime.fromtimestamp(world.account_now, UTC)
    thin: Document = {
        "id": world.new_id("evt"),
        "object": THIN,
        "type": type_,
        "livemode": False,
        "created": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "related_object": {
            "id": id_,
            "type": kind,
            "url": f"/v1/{kind.replace('.', '/')}s/{id_}",
        },
        "reason": None,
    }
    world.store.put(thin)
    for endpoint in world.all("webhook_endpoint", {"status": "enabled"}):
        world.store.post(thin["id"], endpoint["id"], at=world.account_now)
    return str(thin["id"])
