"""Portal sessions over HTTP: a link that lets one customer in for a while."""

from billing.sandbox.documents import Document
from billing.sandbox.errors import Lacking
from billing.sandbox.portal import configurations
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

KIND = "billing_portal.session"


@route("POST", "/v1/billing_portal/sessions")
def create(world: World, params: Params) -> Document:
    """Let a customer into the portal; the link is good for a day."""
    if "flow_data" in params:
        raise Lacking("portal flows; the page has them all", param="flow_data")
    id_ = params.required.text("customer") or ""
    customer = world.get("customer", id_, param="customer")
    chosen = params.text("configuration")
    configuration = (
        configurations.default(world)
        if chosen is None
        else world.get(configurations.KIND, chosen, param="configuration")
    )
    session_id = world.new_id("bps")
    return world.add(
        {
            "id": session_id,
            "object": KIND,
            "configuration": configuration["id"],
            "created": world.now(),
            "customer": customer["id"],
            "flow": None,
            "livemode": False,
            "locale": params.text("locale"),
            "on_behalf_of": None,
            "return_url": params.text("return_url") or configuration["default_return_url"],
            "url": world.url(f"/portal/{session_id}"),
        },
        event="billing_portal.session.created",
    )
