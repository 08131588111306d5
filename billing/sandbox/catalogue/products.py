"""Products: what prices are for."""

from billing.sandbox.catalogue import prices
from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_PATH = "/v1/products"
_TEXTS = ("description", "statement_descriptor", "tax_code", "unit_label", "url")


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a product, with its default price when that is described too."""
    product = add(world, params)
    data = params.nested("default_price_data")
    if data.values:
        price = prices.add(world, data, product_id=product["id"])
        product["default_price"] = price["id"]
        world.save(product)
    return product


def add(world: World, params: Params) -> Document:
    """Keep a new product as the parameters describe it."""
    id_ = params.text("id") or world.new_id("prod")
    if world.find("product", id_) is not None:
        raise Invalid("Product already exists.", param="id", code="resource_already_exists")
    product: Document = {
        "id": id_,
        "object": "product",
        "active": params.flag("active") is not False,
        "created": world.now(),
        "default_price": None,
        "images": params.texts("images"),
        "livemode": False,
        "marketing_features": [
            {"name": each.text("name")} for each in params.each("marketing_features")
        ],
        "metadata": params.merged_metadata(),
        "name": params.required.text("name"),
        "package_dimensions": None,
        "shippable": params.flag("shippable"),
        "type": params.text("type") or "service",
        "updated": world.now(),
    }
    product |= {name: params.text(name) for name in _TEXTS}
    return world.add(product, event="product.created")


@route("GET", f"{_PATH}/{{product}}")
def retrieve(world: World, _params: Params, product: str) -> Document:
    """Return a product."""
    return world.get("product", product)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return products, newest first."""
    where = params.filters("url", "type", flags=("active", "shippable"))
    if ids := params.texts("ids"):
        where["id"] = ids
    return world.listing(params, "product", where)


@route("POST", f"{_PATH}/{{product}}")
def update(world: World, params: Params, product: str) -> Document:
    """Change a product."""
    document = world.get("product", product)
    params.change_texts(document, "name", *_TEXTS)
    for name in ("active", "shippable"):
        if name in params:
            document[name] = params.flag(name)
    if "images" in params:
        document["images"] = params.texts("images")
    if "marketing_features" in params:
        features = params.each("marketing_features")
        document["marketing_features"] = [{"name": each.text("name")} for each in features]
    if (price := params.text("default_price")) is not None:
        document["default_price"] = world.get("price", price, param="default_price")["id"]
    document["metadata"] = params.merged_metadata(document["metadata"])
    document["updated"] = world.now()
    return world.save(document, event="product.updated")


@route("DELETE", f"{_PATH}/{{product}}")
def delete(world: World, _params: Params, product: str) -> Document:
    """Delete a product that no price was ever made for."""
    document = world.get("product", product)
    if world.all("price", {"product": product}):
        raise Invalid(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    return world.remove(document, event="product.deleted")
