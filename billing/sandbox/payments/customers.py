"""Customers: who pays, by what card when nothing else is said, and what is to their credit."""

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.payments import payment_methods
from billing.sandbox.payments.addresses import address_of, optional_address
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_KIND = "customer"
_PATH = "/v1/customers"
_TEXTS = ("business_name", "description", "email", "individual_name", "name", "phone")
_BALANCE = "customer_balance_transaction"


@route("POST", _PATH)
def create(world: World, params: Params) -> Document:
    """Make a customer, who lives by a test clock from the start or never."""
    if "source" in params:
        raise Lacking("sources; use payment methods", param="source")
    clock = params.text("test_clock")
    if clock is not None:
        world.get("test_helpers.test_clock", clock, param="test_clock")
        world.live_by_clock(clock)
    id_ = world.new_id("cus")
    customer: Document = {
        "id": id_,
        "object": _KIND,
        "address": optional_address(params),
        "balance": params.integer("balance") or 0,
        "created": world.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": (params.text("invoice_prefix") or id_[-8:]).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": params.merged_metadata(),
        "next_invoice_sequence": params.integer("next_invoice_sequence") or 1,
        "preferred_locales": params.texts("preferred_locales"),
        "shipping": shipping_of(params),
        "tax_exempt": params.text("tax_exempt") or "none",
        "test_clock": clock,
        **{name: params.text(name) for name in _TEXTS},
    }
    world.add(customer, event="customer.created")
    if (method_id := params.text("payment_method")) is not None:
        method = payment_methods.resolve(world, method_id)
        payment_methods.attach_to(world, method, id_)
    _set_invoice_settings(world, customer, params.nested("invoice_settings"))
    return world.save(customer)


def shipping_of(params: Params) -> Document | None:
    """Return the `shipping` that parameters hold, or None."""
    inner = params.nested("shipping")
    if not inner.values:
        return None
    return {
        "address": address_of(inner.nested("address")),
        "name": inner.text("name"),
        "phone": inner.text("phone"),
    }


def _set_invoice_settings(world: World, customer: Document, params: Params) -> None:
    settings = customer["invoice_settings"]
    params.change_texts(settings, "footer")
    if "default_payment_method" not in params:
        return
    method_id = params.text("default_payment_method")
    if method_id is not None:
        name = params.name_of("default_payment_method")
        method = payment_methods.resolve(world, method_id, param=name)
        if method["customer"] != customer["id"]:
            raise Invalid(
                "The customer does not have a payment method with the ID "
                f"{method_id}. The payment method must be attached to the customer.",
                param=name,
                code="resource_missing",
            )
        method_id = method["id"]
    settings["default_payment_method"] = method_id


@route("GET", f"{_PATH}/{{customer}}")
def retrieve(world: World, _params: Params, customer: str) -> Document:
    """Return a customer; of a deleted one only that."""
    found = world.find(_KIND, customer)
    return found if found is not None and found.get("deleted") else world.get(_KIND, customer)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return customers, newest first; those of test clocks only when their clock is named."""
    where = params.filters("email")
    where["test_clock"] = params.text("test_clock")
    return world.listing(params, _KIND, where | {"deleted": None})


@route("POST", f"{_PATH}/{{customer}}")
def update(world: World, params: Params, customer: str) -> Document:
    """Change a customer."""
    document = world.get(_KIND, customer)
    if "source" in params:
        raise Lacking("sources; use payment methods", param="source")
    params.change_texts(document, *_TEXTS, "invoice_prefix", "tax_exempt")
    if "address" in params:
        document["address"] = optional_address(params)
    if "shipping" in params:
        document["shipping"] = shipping_of(params)
    if "preferred_locales" in params:
        document["preferred_locales"] = params.texts("preferred_locales")
    if (balance := params.integer("balance")) is not None:
        document["balance"] = balance
    if (sequence := params.integer("next_invoice_sequence")) is not None:
        document["next_invoice_sequence"] = sequence
    document["metadata"] = params.merged_metadata(document["metadata"])
    _set_invoice_settings(world, document, params.nested("invoice_settings"))
    return world.save(document, event="customer.updated")


@route("DELETE", f"{_PATH}/{{customer}}")
def delete(world: World, _params: Params, customer: str) -> Document:
    """Delete a customer for good; what is active ends with it."""
    document = world.get(_KIND, customer)
    world.emit("customer.deleted", document)
    clock = document["test_clock"]
    gone = {"id": customer, "object": _KIND, "deleted": True}
    world.save(gone | {"created": document["created"], "_test_clock": clock})
    return gone


# ---- what is to a customer's credit


def change_balance(
    world: World,
    customer_id: str,
    amount: int,
    *,
    type_: str = "adjustment",
    currency: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    **references: str,
) -> Document:
    """Change what a customer owes by `amount` minor units: negative is to the customer's credit.

    `references` are such as `invoice` or `checkout_session`.
    """
    customer = world.get(_KIND, customer_id, param="customer")
    customer["balance"] += amount
    customer["currency"] = customer["currency"] or currency or "eur"
    world.save(customer, event="customer.updated")
    transaction: Document = {
        "id": world.new_id("cbtxn"),
        "object": _BALANCE,
        "amount": amount,
        "created": world.now(),
        "currency": customer["currency"],
        "customer": customer_id,
        "description": description,
        "ending_balance": customer["balance"],
        "livemode": False,
        "metadata": metadata or {},
        "type": type_,
        **references,
    }
    return world.add(transaction)


@route("POST", f"{_PATH}/{{customer}}/balance_transactions")
def adjust_balance(world: World, params: Params, customer: str) -> Document:
    """Change a customer's balance by hand."""
    world.get(_KIND, customer)
    return change_balance(
        world,
        customer,
        params.required.integer("amount") or 0,
        currency=params.required.text("currency"),
        description=params.text("description"),
        metadata=params.merged_metadata(),
    )


@route("GET", f"{_PATH}/{{customer}}/balance_transactions")
def list_balance(world: World, params: Params, customer: str) -> Document:
    """Return the changes of a customer's balance, newest first."""
    world.get(_KIND, customer)
    return world.listing(params, _BALANCE, params.filters("invoice") | {"customer": customer})


@route("GET", f"{_PATH}/{{customer}}/balance_transactions/{{transaction}}")
def retrieve_balance(world: World, _params: Params, customer: str, transaction: str) -> Document:
    """Return one change of a customer's balance."""
    world.get(_KIND, customer)
    return world.get(_BALANCE, transaction)
