"""Features of products, and which of them a customer is entitled to by active subscriptions."""

from billing.sandbox.documents import Document, listed
from billing.sandbox.errors import Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import reacts, route
from billing.sandbox.world import World

_FEATURE = "entitlements.feature"
_ENTITLEMENT = "entitlements.active_entitlement"
_ATTACHED = "product_feature"
_PATH = "/v1/entitlements/features"
_ENTITLING = ["active", "trialing", "past_due"]


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a feature under a key that is its own."""
    lookup_key = params.required.text("lookup_key")
    if world.all(_FEATURE, {"lookup_key": lookup_key}):
        raise Invalid(
            "A feature with that lookup_key already exists.",
            param="lookup_key",
            code="resource_already_exists",
        )
    feature: Document = {
        "id": world.new_id("feat"),
        "object": _FEATURE,
        "active": True,
        "livemode": False,
        "lookup_key": lookup_key,
        "metadata": params.merged_metadata(),
        "name": params.required.text("name"),
        "_created": world.now(),
    }
    world.store.put(feature)
    return feature


@route("GET", f"{_PATH}/{{id}}")
def retrieve(world: World, _params: Params, id: str) -> Document:  # noqa: A002 - the path's name
    """Return a feature."""
    return world.get(_FEATURE, id)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return features, newest first."""
    where = params.filters("lookup_key")
    if (archived := params.flag("archived")) is not None:
        where["active"] = not archived
    return world.listing(params, _FEATURE, where)


@route("POST", f"{_PATH}/{{id}}")
def update(world: World, params: Params, id: str) -> Document:  # noqa: A002 - the path's name
    """Rename a feature, or put it out of use."""
    feature = world.get(_FEATURE, id)
    params.change_texts(feature, "name")
    if (active := params.flag("active")) is not None:
        feature["active"] = active
    feature["metadata"] = params.merged_metadata(feature["metadata"])
    return world.save(feature)


@route("POST", "/v1/products/{product}/features")
def attach(world: World, params: Params, product: str) -> Document:
    """Give a product a feature."""
    world.get("product", product)
    wanted = params.required.text("entitlement_feature") or ""
    feature = world.get(_FEATURE, wanted, param="entitlement_feature")
    attached: Document = {
        "id": world.new_id("prodft"),
        "object": _ATTACHED,
        "entitlement_feature": feature,
        "livemode": False,
        "_product": product,
    }
    world.store.put(attached)
    return attached


@route("GET", "/v1/products/{product}/features")
def list_attached(world: World, params: Params, product: str) -> Document:
    """Return the features of a product."""
    world.get("product", product)
    return world.listing(params, _ATTACHED, {"_product": product})


@route("GET", "/v1/products/{product}/features/{id}")
def retrieve_attached(
    world: World,
    _params: Params,
    product: str,
    id: str,  # noqa: A002 - the path's name
) -> Document:
    """Return one feature of a product."""
    world.get("product", product)
    return world.get(_ATTACHED, id)


@route("DELETE", "/v1/products/{product}/features/{id}")
def detach(
    world: World,
    _params: Params,
    product: str,
    id: str,  # noqa: A002 - the path's name
) -> Document:
    """Take a feature from a product."""
    world.get("product", product)
    return world.remove(world.get(_ATTACHED, id))


# ---- what a customer is entitled to


@reacts("customer.subscription.created")
@reacts("customer.subscription.updated")
@reacts("customer.subscription.deleted")
def entitle(world: World, subscription: Document) -> None:
    """Let the customer's active entitlements follow the subscriptions, and tell what changed."""
    customer = subscription["customer"]
    wanted = _features_of(world, customer)
    held = {
        entitlement["feature"]: entitlement
        for entitlement in world.all(_ENTITLEMENT, {"_customer": customer})
    }
    if wanted.keys() == held.keys():
        return
    for feature_id in held.keys() - wanted.keys():
        world.store.remove(held[feature_id]["id"])
    for feature_id in sorted(wanted.keys() - held.keys()):
        world.store.put(
            {
                "id": world.new_id("ent"),
                "object": _ENTITLEMENT,
                "feature": feature_id,
                "livemode": False,
                "lookup_key": wanted[feature_id]["lookup_key"],
                "_customer": customer,
            }
        )
    _tell(world, customer)


def _features_of(world: World, customer: str) -> dict[str, Document]:
    subscriptions = world.all("subscription", {"customer": customer, "status": _ENTITLING})
    items = [item for each in subscriptions for item in world.show(each)["items"]["data"]]
    products = sorted({item["price"]["product"] for item in items})
    attached = world.all(_ATTACHED, {"_product": products}) if products else []
    return {each["entitlement_feature"]["id"]: each["entitlement_feature"] for each in attached}


def _tell(world: World, customer: str) -> None:
    entitlements = world.all(_ENTITLEMENT, {"_customer": customer})
    url = f"/v1/entitlements/active_entitlements?customer={customer}"
    summary = {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": listed(entitlements, url),
        "livemode": False,
    }
    world.emit("entitlements.active_entitlement_summary.updated", summary)


@route("GET", "/v1/entitlements/active_entitlements")
def list_active(world: World, params: Params) -> Document:
    """Return what a customer is entitled to."""
    customer = world.get("customer", params.required.text("customer") or "", param="customer")
    return world.listing(params, _ENTITLEMENT, {"_customer": customer["id"]})


@route("GET", "/v1/entitlements/active_entitlements/{id}")
def retrieve_active(
    world: World,
    _params: Params,
    id: str,  # noqa: A002 - the path's name
) -> Document:
    """Return one active entitlement."""
    return world.get(_ENTITLEMENT, id)
