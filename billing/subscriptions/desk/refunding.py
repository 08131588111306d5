"""Staff give a payment back, whole or in part: one proposes it, and a second person approves.

The approving transaction promises the refund (docs/adr/0059), so that it is asked of Stripe once
whoever dies; the books, the benefits and the member's message follow from what Stripe then shows.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from billing.gateway import amounts, intents
from billing.gateway.shapes import Picture
from billing.subscriptions import register, syncing
from billing.subscriptions.desk import acts, rules
from billing.subscriptions.desk.rules import REFUND_ID, PaymentOfMember
from billing.subscriptions.house import House, one_act
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.members import queries
from coalition.members.refusals import UnknownMember
from coalition.oversight import approvals, audit_log
from coalition.oversight.reasons import valid_reason

REFUND = "membership_refund"
"""The kind of approval by which a payment goes back."""
REFUNDED = "membership.refunded"

_PAYLOAD = "SELECT payload FROM approval WHERE id = $1 AND kind = $2"


class PreparedRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person sees: how much of which payment goes back to whom, and why."""

    member_id: UUID
    membership_id: UUID
    subscription: str
    payment: str
    amount_minor: int
    currency: str
    reason: str


class Wanted(NamedTuple):
    """What is to go back: all that is left where no amount is named, of the latest payment."""

    member: MemberId
    reason: str
    payment: str | None = None
    amount_minor: int | None = None


class _Found(NamedTuple):
    payments: list[PaymentOfMember]
    pictures: dict[str, Picture]


async def payments(connection: Connection, member: MemberId, at: datetime) -> list[PaymentOfMember]:
    """Return what a member has paid for memberships, the oldest first, and what is left of it.

    Raises `UnknownMember`.
    """
    return (await _found(connection, member, at)).payments


async def look(house: House, member: MemberId, *, at: datetime) -> None:
    """Look at Stripe at all that a member has paid for. Raises what `syncing.sync` does."""
    async with transaction() as connection:
        pictures = (await _found(connection, member, at)).pictures
    for subscription in pictures:
        await syncing.sync(house.gateway, subscription, at=at)


async def prepare(wanted: Wanted, *, prepared_by: str, at: datetime) -> UUID:
    """Propose a refund; return the id of the approval. Whoever calls has had a `look`.

    Raises `UnknownMember`, `UnknownPayment`, `NothingToRefund`, `AmountAboveLeft`,
    `PaymentDisputed`, `AmountNotTaken`, `ReasonNeeded`.
    """
    reason = valid_reason(wanted.reason)
    async with transaction() as connection:
        found = await payments(connection, wanted.member, at)
        one = rules.chosen(found, wanted.payment)
        amount_minor = rules.amount_of(one, wanted.amount_minor)
        amounts.amount_of(Money(amount_minor, one.amount.currency))
        refund = PreparedRefund(
            member_id=wanted.member,
            membership_id=one.membership_id,
            subscription=one.subscription,
            payment=one.payment,
            amount_minor=amount_minor,
            currency=one.amount.currency,
            reason=reason,
        )
        return await approvals.prepare(
            kind=REFUND,
            subject=f"member:{wanted.member}",
            payload=refund,
            prepared_by=prepared_by,
            at=at,
        )


async def prepared(connection: Connection, approval_id: UUID) -> PreparedRefund | None:
    """Return what was proposed under an id; None where that is no refund."""
    payload = await connection.fetchval(_PAYLOAD, approval_id, REFUND)
    return None if payload is None else msgspec.json.decode(payload, type=PreparedRefund)


@asynccontextmanager
async def carried_out(house: House, approval_id: UUID, *, at: datetime) -> AsyncIterator[None]:
    """Let the block approve: look at Stripe before it, and ask for what was promised after it.

    What is no refund is left alone. No other act of the member goes on meanwhile. Raises
    `ActInProgress`, `StripeUnavailable` (what is promised by then is done by the worker), and
    `StripeRefused` where Stripe does not give it back.
    """
    async with transaction() as connection:
        wanted = await prepared(connection, approval_id)
    if wanted is None:
        yield
        return
    async with one_act(MemberId(wanted.member_id), acts.REFUND, str(approval_id), at):
        await syncing.sync(house.gateway, wanted.subscription, at=at)
        yield
        for kind, key in _promises(approval_id):
            await _ask(house, kind, key, at=at)
        await syncing.sync(house.gateway, wanted.subscription, at=at)


async def approve(
    house: House, approval_id: UUID, *, approved_by: str, at: datetime
) -> PreparedRefund:
    """Give back as the second person what was proposed; return it.

    Raises what `approvals.approve`, `prepare` and `carried_out` do.
    """
    async with carried_out(house, approval_id, at=at):
        done = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=REFUND)
    assert isinstance(done, PreparedRefund), "the applier of this kind returns it"
    return done


@approvals.applies(REFUND)
async def _apply(connection: Connection, approval: approvals.Approval) -> PreparedRefund:
    at = approval.decided_at
    assert at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedRefund)
    member = MemberId(wanted.member_id)
    await queries.lock_members(connection, [member])
    found = await _found(connection, member, at)
    rules.amount_of(rules.chosen(found.payments, wanted.payment), wanted.amount_minor)
    request = {
        "subscription": wanted.subscription,
        "member_id": str(wanted.member_id),
        REFUND_ID: str(approval.id),
        "payment": wanted.payment,
        "amount_minor": wanted.amount_minor,
        "currency": wanted.currency,
    }
    (kind, key), (of_credit, credit_key) = _promises(approval.id)
    await intents.promise(connection, kind, key, request, at=at)
    picture = found.pictures[wanted.subscription]
    of_it = [one for one in found.payments if one.subscription == wanted.subscription]
    left = sum(one.left.amount_minor for one in of_it)
    credit_minor = rules.credit_to_take(picture, left, wanted.amount_minor)
    if credit_minor:
        of_customer = {"customer": picture.subscription.customer_id, "credit_minor": credit_minor}
        await intents.promise(connection, of_credit, credit_key, request | of_customer, at=at)
    await audit_log.record(
        connection,
        actor=approval.decided_by or "",
        action=REFUNDED,
        subject=approval.subject,
        facts={
            "approval_id": approval.id,
            "membership_id": wanted.membership_id,
            "payment": wanted.payment,
            "amount_minor": wanted.amount_minor,
            "currency": wanted.currency,
            "prepared_by": approval.prepared_by,
            "reason": wanted.reason,
        },
        at=at,
    )
    return wanted


def _promises(approval_id: UUID) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return kind and key of what an approval may promise: the refund, and credit taken back."""
    own = f"desk-refund-{approval_id}"
    return (acts.REFUND, own), (acts.CREDIT, f"{own}{acts.OF_CREDIT}")


async def _ask(house: House, kind: str, key: str, *, at: datetime) -> None:
    """Ask Stripe for what was promised under a key; nothing for nothing."""
    request = await intents.request_of(key)
    if request is None:
        return

    async def call() -> object:
        return await acts.CALLS[kind](house.gateway, key, request)

    await intents.perform(kind, key, request, call, answer=object, at=at)


async def _found(connection: Connection, member: MemberId, at: datetime) -> _Found:
    """Return all payments of a member with the pictures they are seen in, the oldest first."""
    if await queries.read_standing(connection, member) is None:
        raise UnknownMember
    found: list[PaymentOfMember] = []
    pictures: dict[str, Picture] = {}
    for membership in reversed(await register.of_member(connection, member)):
        for kept in await register.kept_of(connection, membership.id):
            if kept.picture is None:
                continue
            pictures[kept.id] = kept.picture
            promised = await intents.promises(connection, kept.id, acts.REFUND, at)
            found += rules.payments(kept.picture, membership.id, promised)
    dated = [(one.paid_at or at, number, one) for number, one in enumerate(found)]
    return _Found([one for _, _, one in sorted(dated, key=lambda each: each[:2])], pictures)
