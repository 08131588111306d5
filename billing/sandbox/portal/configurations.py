"""What customers may do in the portal, as an account has set it."""

from billing.sandbox.documents import Document
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

KIND = "billing_portal.configuration"
_PATH = "/v1/billing_portal/configurations"
_PRORATIONS = frozenset({"always_invoice", "create_prorations", "none"})


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a configuration."""
    return _add(world, params, is_default=False)


@route("GET", f"{_PATH}/{{configuration}}")
def retrieve(world: World, _: Params, configuration: str) -> Document:
    """Return a configuration."""
    return world.get(KIND, configuration)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return configurations, newest first."""
    return world.listing(params, KIND, params.filters(flags=("active", "is_default")))


@route("POST", f"{_PATH}/{{configuration}}")
def update(world: World, params: Params, configuration: str) -> Document:
    """Change a configuration."""
    held = world.get(KIND, configuration)
    if (active := params.flag("active")) is not None:
        held["active"] = active
    params.change_texts(held, "default_return_url", "name")
    held["features"] |= _features(params.nested("features"))
    held |= {"metadata": params.merged_metadata(held["metadata"]), "updated": world.now()}
    return world.save_as(held, event="billing_portal.configuration.updated")


def default(world: World) -> Document:
    """Return the configuration that holds when a session names none."""
    known = world.all(KIND, {"is_default": True})
    return known[0] if known else _add(world, Params({}), is_default=True)


def _add(world: World, params: Params, *, is_default: bool) -> Document:
    profile = params.nested("business_profile")
    names = ("headline", "privacy_policy_url", "terms_of_service_url")
    configuration: Document = {
        "id": world.new_id("bpc"),
        "object": KIND,
        "active": True,
        "business_profile": {name: profile.text(name) for name in names},
        "created": world.now(),
        "default_return_url": params.text("default_return_url"),
        "features": _nothing_special() | _features(params.nested("features")),
        "is_default": is_default,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": params.merged_metadata(),
        "name": params.text("name"),
        "updated": world.now(),
    }
    return world.add(configuration, event="billing_portal.configuration.created")


def _nothing_special() -> Document:
    return {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "options": []},
            "enabled": True,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {
            "duration": {"interval_options": [], "type": "indefinite"},
            "enabled": False,
        },
        "subscription_update": _switching(Params({})),
    }


def _features(params: Params) -> Document:
    given: Document = {}
    for name in ("invoice_history", "payment_method_update"):
        if name in params:
            given[name] = {"enabled": bool(params.nested(name).flag("enabled"))}
    if "payment_method_update" in given:
        given["payment_method_update"]["payment_method_configuration"] = None
    if "subscription_cancel" in params:
        wish = params.nested("subscription_cancel")
        given["subscription_cancel"] = {
            "cancellation_reason": {"enabled": False, "options": []},
            "enabled": bool(wish.flag("enabled")),
            "mode": wish.choice("mode", {"at_period_end", "immediately"}) or "at_period_end",
            "proration_behavior": wish.choice("proration_behavior", _PRORATIONS) or "none",
        }
    if "subscription_update" in params:
        given["subscription_update"] = _switching(params.nested("subscription_update"))
    return given


def _switching(wish: Params) -> Document:
    products = [
        {
            "adjustable_quantity": {"enabled": False, "maximum": None, "minimum": 1},
            "prices": one.texts("prices"),
            "product": one.text("product"),
        }
        for one in wish.each("products")
    ]
    return {
        "billing_cycle_anchor": None,
        "default_allowed_updates": wish.texts("default_allowed_updates"),
        "enabled": bool(wish.flag("enabled")),
        "products": products,
        "proration_behavior": wish.choice("proration_behavior", _PRORATIONS) or "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "continue_trial",
    }
