"""An invoice's way: draft, finalised, paid, void or given up, with the payments for it."""

import json
from collections.abc import Sequence

from billing.sandbox.calendar import Period
from billing.sandbox.documents import Document, listed
from billing.sandbox.dunning import Timetable
from billing.sandbox.engine import discounting, invoice_shapes
from billing.sandbox.engine.reckoning import reckon
from billing.sandbox.engine.shapes import Charge
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.payments import customers, payment_intents
from billing.sandbox.payments.amounts import settled
from billing.sandbox.routing import reacts
from billing.sandbox.world import World

RENEWAL = "subscription_cycle"
_RETRIED = frozenset({RENEWAL, "subscription_update", "subscription"})
_CLOSED = frozenset({"paid", "void"})


def draft(
    world: World,
    subscription: Document,
    charges: Sequence[Charge],
    *,
    reason: str,
    period: Period,
    proration_date: int | None = None,
    finalizes_at: int | None = None,
    advances: bool = True,
) -> Document:
    """Make an invoice that may still change; with `finalizes_at` it goes on by itself then."""
    id_ = world.new_id("in")
    reckoned = reckon(world, subscription, charges, invoice=id_)
    invoice = invoice_shapes.new_invoice(
        id_,
        customer=world.get("customer", subscription["customer"]),
        subscription=subscription,
        reason=reason,
        at=world.now(),
        period=period,
        lines=reckoned.lines,
        amounts=reckoned.amounts,
    )
    invoice["parent"]["subscription_details"]["subscription_proration_date"] = proration_date
    invoice |= {"auto_advance": advances, "automatically_finalizes_at": finalizes_at}
    invoice["next_payment_attempt"] = finalizes_at
    world.add(invoice, event="invoice.created")
    if finalizes_at is not None:
        world.schedule("invoice.finalize", id_, at=finalizes_at, customer=subscription["customer"])
    return invoice


def finalize(world: World, id_: str) -> Document:
    """Fix the invoice and number it; with nothing due it is paid, else an intent is made."""
    invoice = world.get("invoice", id_)
    if invoice["status"] != "draft":
        raise Invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    world.unschedule("invoice.finalize", id_)
    balance, due_amount = _balance_applied(world, invoice)
    now = world.now()
    invoice |= {
        "status": "open",
        "number": _number(world, invoice["customer"]),
        "effective_at": now,
        "automatically_finalizes_at": None,
        "next_payment_attempt": None,
        "ending_balance": balance,
        "amount_due": due_amount,
        "amount_remaining": due_amount,
        "hosted_invoice_url": world.url(f"/invoices/{id_}"),
        "status_transitions": invoice["status_transitions"] | {"finalized_at": now},
    }
    discounting.use_up(
        world,
        [one["discount"] for one in invoice["total_discount_amounts"] if one["amount"] > 0],
    )
    world.save(invoice)
    if due_amount > 0:
        _ask_for_payment(world, invoice)
    world.emit("invoice.finalized", invoice)
    if due_amount == 0:
        return _mark_paid(world, id_, amount=0)
    return invoice


def collect(
    world: World, id_: str, *, payment_method: str | None = None, off_session: bool = False
) -> Document:
    """Try to have an open invoice paid, by the given card or the one that is kept for it.

    Raises `CardDeclined` when the card refuses or wants its holder's word; what was tried stays.
    """
    invoice = world.get("invoice", id_)
    method = payment_method or payment_method_of(world, invoice)
    intent = world.get("payment_intent", invoice["_payment_intent"])
    if method is None:
        _failed(world, invoice)
        raise CardDeclined(
            code="invoice_payment_intent_requires_action",
            message="There is no payment method to charge this invoice to.",
            payment_intent=intent,
        )
    intent = payment_intents.confirm(world, intent, method, off_session=off_session, waits=True)
    if intent["status"] == "requires_action":
        raise CardDeclined(
            code="invoice_payment_intent_requires_action",
            message="The invoice's payment requires additional user action before it succeeds.",
            payment_intent=intent,
        )
    return world.get("invoice", id_)


def void(world: World, id_: str) -> Document:
    """Take an open invoice back: it need not be paid any more."""
    invoice = _not_closed(world, id_)
    now = world.now()
    _stop(world, invoice, cancel_intent=True)
    if invoice["total"] != invoice["amount_due"]:
        customers.change_balance(
            world,
            invoice["customer"],
            invoice["amount_due"] - invoice["total"],
            type_="unapplied_from_invoice",
            currency=invoice["currency"],
            invoice=id_,
        )
    invoice |= {
        "status": "void",
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_transitions": invoice["status_transitions"] | {"voided_at": now},
    }
    world.save(invoice)
    world.emit("invoice.voided", invoice)
    return world.get("invoice", id_)


def give_up(world: World, id_: str) -> Document:
    """Count an invoice as one that will not be paid."""
    invoice = _not_closed(world, id_)
    _stop(world, invoice, cancel_intent=False)
    transitions = invoice["status_transitions"] | {"marked_uncollectible_at": world.now()}
    invoice |= {"status": "uncollectible", "auto_advance": False, "next_payment_attempt": None}
    world.save(invoice | {"status_transitions": transitions})
    world.emit("invoice.marked_uncollectible", world.get("invoice", id_))
    return world.get("invoice", id_)


def rest(world: World, subscription_id: str) -> None:
    """Advance the unfinished invoices of a subscription no further by themselves."""
    path = "parent.subscription_details.subscription"
    for invoice in world.all("invoice", {path: subscription_id, "status": ["draft", "open"]}):
        _stop(world, invoice, cancel_intent=False)
        calm = {"auto_advance": False, "next_payment_attempt": None}
        world.save(invoice | calm | {"automatically_finalizes_at": None}, event="invoice.updated")


def mark_paid_elsewhere(world: World, id_: str) -> Document:
    """Count an open invoice as paid by other means than Stripe's."""
    invoice = _not_closed(world, id_)
    _stop(world, invoice, cancel_intent=True)
    return _mark_paid(world, id_, amount=invoice["amount_remaining"])


def payment_method_of(world: World, invoice: Document) -> str | None:
    """Return what would be charged: the invoice's, the subscription's or the customer's card."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    subscription = world.find("subscription", details.get("subscription")) or {}
    customer = world.get("customer", invoice["customer"])
    kept = (customer.get("invoice_settings") or {}).get("default_payment_method")
    chosen = invoice["default_payment_method"] or subscription.get("default_payment_method")
    return chosen or kept


def timetable(world: World) -> Timetable:
    """Return when failed payments are tried again in this account."""
    kept = world.store.meta("dunning")
    if kept is None:
        return Timetable()
    days, last_resort = json.loads(kept)
    return Timetable(tuple(days), last_resort)


def set_timetable(world: World, timetable: Timetable) -> None:
    """Say when failed payments are tried again in this account."""
    world.store.set_meta("dunning", json.dumps([timetable.days, timetable.last_resort]))


@reacts("payment_intent.succeeded")
def settle(world: World, intent: Document) -> None:
    """Count the invoice as paid whose intent has succeeded."""
    id_ = intent.get("_invoice")
    if id_ is not None and world.get("invoice", id_)["status"] not in _CLOSED:
        _mark_paid(world, id_, amount=intent["amount"])


@reacts("payment_intent.payment_failed")
def failed(world: World, intent: Document) -> None:
    """Count a try that failed, and plan the next."""
    if (id_ := intent.get("_invoice")) is not None:
        _failed(world, world.get("invoice", id_))


@reacts("payment_intent.requires_action")
def needs_its_holder(world: World, intent: Document) -> None:
    """Tell that the card's holder has to agree, which off session counts as a try that failed."""
    if (id_ := intent.get("_invoice")) is not None:
        world.emit("invoice.payment_action_required", world.get("invoice", id_))
        _failed(world, world.get("invoice", id_))


def _failed(world: World, invoice: Document) -> None:
    if invoice["status"] in _CLOSED:
        return
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    if invoice["auto_advance"] and invoice["billing_reason"] in _RETRIED and invoice["_tries"]:
        first = invoice["_first_failed_at"] or world.now()
        next_at = timetable(world).next_attempt(first, invoice["_tries"])
        invoice |= {"_first_failed_at": first, "next_payment_attempt": next_at}
        if next_at is None:
            world.unschedule("invoice.collect", invoice["id"])
        else:
            world.schedule(
                "invoice.collect", invoice["id"], at=next_at, customer=invoice["customer"]
            )
    world.save(invoice, event="invoice.updated")
    world.emit("invoice.payment_failed", invoice)


def _ask_for_payment(world: World, invoice: Document) -> None:
    intent = payment_intents.begin(
        world,
        customer=invoice["customer"],
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        description=_what_for(invoice),
        setup_future_usage="off_session",
        extra={"_invoice": invoice["id"]},
    )
    invoice["_payment_intent"] = intent["id"]
    world.save(invoice)
    payment = invoice_shapes.new_payment(
        world.new_id("inpay"), invoice, intent=intent["id"], at=world.now()
    )
    world.add(payment)


def _mark_paid(world: World, id_: str, *, amount: int) -> Document:
    invoice = world.get("invoice", id_)
    world.unschedule("invoice.collect", id_)
    now = world.now()
    is_charged = amount > 0
    invoice |= {
        "status": "paid",
        "attempted": True,
        "attempt_count": invoice["attempt_count"] + (1 if is_charged else 0),
        "auto_advance": False,
        "amount_paid": amount,
        "amount_remaining": 0,
        "next_payment_attempt": None,
        "status_transitions": invoice["status_transitions"] | {"paid_at": now},
    }
    world.save(invoice)
    if is_charged:
        _pay_its_payment(world, invoice, amount)
    world.emit("invoice.paid", invoice)
    world.emit("invoice.payment_succeeded", invoice)
    return world.get("invoice", id_)


def _pay_its_payment(world: World, invoice: Document, amount: int) -> None:
    for payment in world.all("invoice_payment", {"invoice": invoice["id"], "status": "open"}):
        payment |= {"status": "paid", "amount_paid": amount}
        payment["status_transitions"] |= {"paid_at": world.now()}
        world.save(payment)
        world.emit("invoice_payment.paid", payment)


def _balance_applied(world: World, invoice: Document) -> tuple[int, int]:
    """Use what the customer has to its credit, or add to it; return the new balance and the rest.

    A negative balance is credit, as at Stripe; what is too little to be charged is owed.
    """
    customer = world.get("customer", invoice["customer"])
    after = customer["balance"] + invoice["total"]
    balance, due_amount = settled(after, invoice["currency"])
    if balance != customer["balance"]:
        customers.change_balance(
            world,
            customer["id"],
            balance - customer["balance"],
            type_="applied_to_invoice",
            currency=invoice["currency"],
            invoice=invoice["id"],
        )
    return balance, due_amount


def _number(world: World, customer_id: str) -> str:
    customer = world.get("customer", customer_id)
    sequence = customer.get("next_invoice_sequence") or 1
    world.save(customer | {"next_invoice_sequence": sequence + 1})
    return f"{customer['invoice_prefix']}-{sequence:04d}"


def _stop(world: World, invoice: Document, *, cancel_intent: bool) -> None:
    world.unschedule("invoice.finalize", invoice["id"])
    world.unschedule("invoice.collect", invoice["id"])
    if cancel_intent and invoice["_payment_intent"] is not None:
        intent = world.get("payment_intent", invoice["_payment_intent"])
        payment_intents.cancel(world, intent, reason="void_invoice")


def _not_closed(world: World, id_: str) -> Document:
    invoice = world.get("invoice", id_)
    if invoice["status"] not in {"open", "uncollectible"}:
        raise Invalid(
            f"You can only do this with an open invoice; this one is {invoice['status']}.",
            code="invoice_not_editable",
        )
    return invoice


def _what_for(invoice: Document) -> str:
    reasons = {"subscription_create": "Subscription creation", RENEWAL: "Subscription update"}
    return reasons.get(invoice["billing_reason"], "Subscription update")


def list_of_lines(invoice: Document) -> Document:
    """Return the lines as an invoice holds them."""
    lines: list[Document] = invoice["lines"]["data"]
    return listed(lines, f"/v1/invoices/{invoice['id']}/lines") | {"total_count": len(lines)}
