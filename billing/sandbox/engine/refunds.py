"""Refunds: money that goes back to a card, in full or in part, never more than was paid."""

from typing import Any

from billing.sandbox.calendar import DAY_S
from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid
from billing.sandbox.payments import balance, payment_methods
from billing.sandbox.requests import Params
from billing.sandbox.routing import due, route, shows
from billing.sandbox.world import World

_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
_SLOW_S = 2 * DAY_S


@route("POST", "/v1/refunds")
def create(world: World, params: Params) -> Document:
    """Refund a charge, by its id or that of its payment intent."""
    charge = _charge_of(world, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = params.integer("amount")
    if left <= 0:
        raise Invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if charge["disputed"]:
        raise Invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    if amount is not None and not 0 < amount <= left:
        raise Invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            if amount > 0
            else "Invalid positive integer",
            param="amount",
        )
    refund = world.add(
        _new(world, charge, left if amount is None else amount, params), event="refund.created"
    )
    _book(world, charge, refund["amount"])
    return refund


@route("GET", "/v1/refunds/{refund}")
def retrieve(world: World, _: Params, refund: str) -> Document:
    """Return a refund."""
    return world.get("refund", refund)


@route("GET", "/v1/refunds")
def listing(world: World, params: Params) -> Document:
    """Return refunds, newest first."""
    where: dict[str, Any] = {
        name: value
        for name in ("charge", "payment_intent")
        if (value := params.text(name)) is not None
    }
    return world.listing(params, "refund", where)


@route("POST", "/v1/refunds/{refund}")
def update(world: World, params: Params, refund: str) -> Document:
    """Change a refund's metadata."""
    held = world.get("refund", refund)
    held["metadata"] = params.merged_metadata(held["metadata"])
    return world.save(held, event="refund.updated")


@shows("refund")
def show(_world: World, refund: Document) -> Document:
    """Show it without `livemode`, which a refund does not tell."""
    return {name: value for name, value in refund.items() if name != "livemode"}


@due("refund.settle")
def settle(world: World, id_: str) -> None:
    """Finish a refund that takes its days; one that fails leaves the money with the merchant."""
    refund = world.get("refund", id_)
    charge = world.get("charge", refund["charge"])
    if _way_of(world, charge) == "failed":
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        world.save(refund, event="refund.updated")
        world.emit("refund.failed", refund)
        _book(world, charge, -refund["amount"])
    else:
        world.save(refund | {"status": "succeeded"}, event="refund.updated")


def _charge_of(world: World, params: Params) -> Document:
    if (id_ := params.text("charge")) is not None:
        charge = world.get("charge", id_, param="charge")
    else:
        intent_id = params.required.text("payment_intent") or ""
        intent = world.get("payment_intent", intent_id, param="payment_intent")
        if intent["latest_charge"] is None:
            raise Invalid(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = world.get("charge", intent["latest_charge"])
    if charge["status"] != "succeeded":
        raise Invalid(
            f"This charge ({charge['id']}) did not succeed, so there is nothing to refund."
        )
    world.live_by(charge["customer"])
    return charge


def _way_of(world: World, charge: Document) -> str:
    method = world.find("payment_method", charge["payment_method"])
    return "succeeded" if method is None else payment_methods.card_of(method).refund


def _new(world: World, charge: Document, amount: int, params: Params) -> Document:
    id_, way = world.new_id("re"), _way_of(world, charge)
    if way != "succeeded":
        world.schedule("refund.settle", id_, at=world.now() + _SLOW_S, customer=charge["customer"])
    booked = balance.book(world, "refund", amount=-amount, currency=charge["currency"], source=id_)
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
    return {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "balance_transaction": booked["id"],
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"card": card | {"type": "refund"}, "type": "card"},
        "failure_balance_transaction": None,
        "metadata": params.merged_metadata(),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.choice("reason", _REASONS),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if way == "pending" else "succeeded",
        "transfer_reversal": None,
    }


def _book(world: World, charge: Document, amount: int) -> None:
    refunded = charge["amount_refunded"] + amount
    charge |= {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]}
    world.save(charge, event="charge.refunded" if amount > 0 else "charge.updated")
