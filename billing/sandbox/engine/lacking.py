"""What Stripe heeds and the sandbox does not: refused, since to ignore it would lie."""

from collections.abc import Iterable

from billing.sandbox.errors import Lacking
from billing.sandbox.requests import Params

_SUBSCRIPTION = (
    *("add_invoice_items", "application_fee_percent", "backdate_start_date"),
    *("billing_cycle_anchor_config", "billing_schedules", "billing_thresholds", "days_until_due"),
    *("on_behalf_of", "pending_invoice_item_interval", "transfer_data", "trial_from_plan"),
)
_ITEM = ("billing_thresholds", "current_trial", "discounts", "plan", "price_data", "tax_rates")
_CHECKOUT = (
    *("consent_collection", "custom_fields", "invoice_creation", "name_collection"),
    *("optional_items", "phone_number_collection", "shipping_address_collection"),
    *("shipping_options", "tax_id_collection"),
)


def check_subscription(params: Params) -> None:
    """Refuse what subscriptions of the sandbox cannot do."""
    _check(params, _SUBSCRIPTION)
    if params.text("collection_method") == "send_invoice":
        raise Lacking("invoices that are sent", param=params.name_of("collection_method"))
    for item in params.each("items"):
        _check(item, _ITEM)


def check_checkout(params: Params) -> None:
    """Refuse what the page of the sandbox does not ask for."""
    _check(params, _CHECKOUT)
    check_subscription(params.nested("subscription_data"))
    data = params.nested("payment_intent_data")
    if data.text("capture_method") == "manual":
        raise Lacking("checkout that only reserves", param=data.name_of("capture_method"))


def check_list(params: Params, *names: str) -> None:
    """Refuse a list by what the sandbox does not sort things by."""
    _check(params, names)


def _check(params: Params, names: Iterable[str]) -> None:
    for name in names:
        if params.values.get(name, "") not in ("", "false"):
            raise Lacking(f"`{name}` here", param=params.name_of(name))
