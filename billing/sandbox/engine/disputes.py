"""Disputes: a cardholder says that a payment was not right; the bank decides who keeps it."""

from typing import Any

from billing.sandbox.calendar import DAY_S
from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid
from billing.sandbox.payments import balance, payment_methods
from billing.sandbox.requests import Params
from billing.sandbox.routing import due, reacts, route
from billing.sandbox.world import World

_ANSWER_WITHIN_S = 7 * DAY_S
_FEE_MINOR = 2_000
_DECIDED = frozenset({"won", "lost", "warning_closed"})
_TEXTS = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure"
    " cancellation_rebuttal customer_communication customer_email_address customer_name"
    " customer_purchase_ip customer_signature duplicate_charge_documentation"
    " duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy"
    " refund_policy_disclosure refund_refusal_explanation service_date service_documentation"
    " shipping_address shipping_carrier shipping_date shipping_documentation"
    " shipping_tracking_number uncategorized_file uncategorized_text"
)


@reacts("charge.succeeded")
def dispute_at_once(world: World, charge: Document) -> None:
    """Let the test cards for disputes dispute what they have just paid."""
    method = world.find("payment_method", charge["payment_method"])
    reason = None if method is None else payment_methods.card_of(method).dispute
    if reason is not None:
        world.schedule("charge.dispute", charge["id"], at=world.now(), customer=charge["customer"])


@due("charge.dispute")
def dispute_when_due(world: World, charge_id: str) -> None:
    """Dispute a payment a moment after it was made."""
    charge = world.get("charge", charge_id)
    method = world.get("payment_method", charge["payment_method"])
    open_one(world, charge, reason=payment_methods.card_of(method).dispute or "fraudulent")


def open_one(world: World, charge: Document, *, reason: str = "fraudulent") -> Document:
    """Dispute a charge as its holder's bank does; also for demos and tests, which have no bank."""
    is_inquiry = reason == "warning"
    dispute = world.add(_new(world, charge, reason), event="charge.dispute.created")
    world.save(charge | {"disputed": True}, event="charge.updated")
    if not is_inquiry:
        _book(world, dispute, -dispute["amount"], fee=_FEE_MINOR)
        world.emit("charge.dispute.funds_withdrawn", dispute)
    world.schedule(
        "dispute.end",
        dispute["id"],
        at=dispute["evidence_details"]["due_by"],
        customer=charge["customer"],
    )
    return dispute


def decide(world: World, dispute: Document, *, is_won: bool) -> Document:
    """Decide a dispute: won gives the money back, lost keeps it away."""
    world.unschedule("dispute.end", dispute["id"])
    is_inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if is_inquiry else "won" if is_won else "lost"
    world.save(dispute, event="charge.dispute.updated")
    if is_won and not is_inquiry:
        _book(world, dispute, dispute["amount"])
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute)
    return dispute


@due("dispute.end")
def end_unanswered(world: World, id_: str) -> None:
    """Count a dispute as lost that nobody answered in time."""
    dispute = world.get("dispute", id_)
    if dispute["status"] not in _DECIDED:
        decide(world, dispute, is_won=False)


@route("GET", "/v1/disputes/{dispute}")
def retrieve(world: World, _: Params, dispute: str) -> Document:
    """Return a dispute."""
    return world.get("dispute", dispute)


@route("GET", "/v1/disputes")
def listing(world: World, params: Params) -> Document:
    """Return disputes, newest first."""
    where: dict[str, Any] = {
        name: value
        for name in ("charge", "payment_intent")
        if (value := params.text(name)) is not None
    }
    return world.listing(params, "dispute", where)


@route("POST", "/v1/disputes/{dispute}")
def update(world: World, params: Params, dispute: str) -> Document:
    """Give evidence; with `winning_evidence` or `losing_evidence` as text it decides, as in tests.

    Those words are Stripe's own for its test mode.
    """
    held = _open(world, dispute)
    given = params.nested("evidence")
    for name in _TEXTS.split():
        if name in given:
            held["evidence"][name] = given.text(name)
    held["metadata"] = params.merged_metadata(held["metadata"])
    held["evidence_details"]["has_evidence"] = any(
        held["evidence"][name] for name in _TEXTS.split()
    )
    is_submitted = params.flag("submit") is not False and "evidence" in params
    if is_submitted:
        is_inquiry = held["status"].startswith("warning")
        held["status"] = "warning_under_review" if is_inquiry else "under_review"
        held["evidence_details"] |= {"submission_count": 1, "submission_method": "manual"}
    world.save(held, event="charge.dispute.updated")
    word = held["evidence"]["uncategorized_text"]
    if is_submitted and word in {"winning_evidence", "losing_evidence"}:
        return decide(world, held, is_won=word == "winning_evidence")
    return held


@route("POST", "/v1/disputes/{dispute}/close")
def close(world: World, _: Params, dispute: str) -> Document:
    """Accept a dispute as lost."""
    return decide(world, _open(world, dispute), is_won=False)


def _open(world: World, id_: str) -> Document:
    dispute = world.get("dispute", id_)
    if dispute["status"] in _DECIDED:
        raise Invalid("This dispute is already closed.", code="dispute_closed")
    world.live_by(world.get("charge", dispute["charge"])["customer"])
    return dispute


def _book(world: World, dispute: Document, amount: int, *, fee: int = 0) -> None:
    booked = balance.book(
        world,
        "adjustment",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        fee=fee,
        description=f"Chargeback for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(booked)
    world.save(dispute)


def _new(world: World, charge: Document, reason: str) -> Document:
    is_inquiry = reason == "warning"
    enhanced: Document = {}
    evidence: Document = dict.fromkeys(_TEXTS.split())
    card = {"brand": "visa", "network": "visa", "network_reason_code": "10.4"}
    return {
        "id": world.new_id("du"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": evidence | {"enhanced_evidence": enhanced},
        "evidence_details": {
            "due_by": world.now() + _ANSWER_WITHIN_S,
            "enhanced_eligibility": enhanced,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": card | {"case_type": "inquiry" if is_inquiry else "chargeback"},
            "type": "card",
        },
        "reason": "general" if is_inquiry else reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
        "_customer": charge["customer"],
    }
