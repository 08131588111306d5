"""Cancelling and restoring, pausing and resuming: each with a receipt."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from billing.gateway import intents
from billing.gateway.intents import Intent
from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.plans.catalogue import PlanPrice, Plans
from billing.subscriptions import orders, putting_off, reading, receipts, register, syncing
from billing.subscriptions.house import House, one_act
from billing.subscriptions.months import months_after
from billing.subscriptions.reading import Paid
from billing.subscriptions.refusals import (
    NotAMember,
    NothingToCancel,
    NothingToRestore,
    NotPaused,
    PauseNotPossible,
)
from billing.subscriptions.views import CancelOffer, Receipt, ReceiptKind
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.oversight.reasons import valid_reason

PAUSES = (1, 2, 3)
"""For how many months a membership may be paused."""

UNPAID = frozenset(
    {
        SubscriptionStatus.PAST_DUE,
        SubscriptionStatus.UNPAID,
        SubscriptionStatus.INCOMPLETE,
        SubscriptionStatus.PAUSED,
    }
)
"""States in which nothing that is paid could run out."""


async def cancel_offer(house: House, member: MemberId, *, at: datetime) -> CancelOffer:
    """Say what cancelling would do; see `Memberships.cancel_offer`."""
    paid = await _cancellable(house, member)
    plans = await house.plans()
    one = paid.subscription
    ends_at = at if one.status in UNPAID else one.period_end
    smaller = _smaller(plans, paid.price, at)
    if smaller is not None and one.status in {
        SubscriptionStatus.ACTIVE,
        SubscriptionStatus.TRIALING,
    }:
        return CancelOffer(
            ends_at=ends_at,
            instead="smaller_plan",
            smaller_plan=plans.plan(smaller.plan_no).code,
            smaller_price_no=smaller.no,
            smaller_price=smaller.money,
        )
    if _is_pausable(paid):
        return CancelOffer(ends_at=ends_at, instead="pause", pause_months=PAUSES)
    return CancelOffer(ends_at=ends_at)


async def cancel(
    house: House, member: MemberId, *, key: str, at: datetime, reason: str | None = None
) -> Receipt:
    """End a membership with what is paid; see `Memberships.cancel`.

    One that is not paid for ends at once: there is nothing to run out.
    """
    why = None if reason is None else valid_reason(reason)

    async def work(own: str) -> Receipt:
        begun = await intents.begun(own)
        paid = await _cancellable(house, member, begun)
        one = paid.subscription
        if one.cancel_at_period_end and begun is None:
            async with transaction() as connection:
                before = await receipts.last_of(
                    connection, member, paid.membership.id, ReceiptKind.CANCELLED
                )
            if before is not None:
                return before
        if one.schedule_id is not None:
            await house.gateway.drop_schedule(f"{own}:drop", one)
        is_unpaid = one.status in UNPAID if begun is None else bool(begun.request["now"])

        async def call() -> Subscription:
            if is_unpaid:
                return await house.gateway.cancel_now(own, one.id)
            return await house.gateway.cancel_at_period_end(own, one.id, cancel=True)

        request = {"subscription": one.id, "now": is_unpaid, "reason": why}
        await intents.perform("cancel", own, request, call, answer=Subscription, at=at)
        ends_at = at if is_unpaid else one.period_end
        return await _receipt(
            house, paid, ReceiptKind.CANCELLED, at=at, ends_at=ends_at, reason=why
        )

    return await _with_receipt(member, "cancel", key, at, work)


async def cancel_as_stranger(
    house: House, member: MemberId, *, at: datetime, reason: str | None = None
) -> Receipt:
    """Cancel for somebody who has not signed in; see `Memberships.cancel_as_stranger`.

    Nothing was sent before by which a second click could be known, so what has been cancelled so
    far makes the key: sent twice at once it is one act, and after a change of mind it is another.
    """
    async with transaction() as connection:
        before = await receipts.of_member(connection, member)
    so_far = sum(one.kind is ReceiptKind.CANCELLED for one in before)
    return await cancel(house, member, key=f"stranger-{so_far}", at=at, reason=reason)


async def uncancel(house: House, member: MemberId, *, key: str, at: datetime) -> Receipt:
    """Let a cancelled membership go on; see `Memberships.uncancel`."""

    async def work(own: str) -> Receipt:
        try:
            paid = await reading.paid(house, member)
        except NotAMember as error:
            raise NothingToRestore from error
        one = paid.subscription
        if not one.cancel_at_period_end and await intents.begun(own) is None:
            raise NothingToRestore

        async def call() -> Subscription:
            return await house.gateway.cancel_at_period_end(own, one.id, cancel=False)

        request = {"subscription": one.id}
        await intents.perform("uncancel", own, request, call, answer=Subscription, at=at)
        async with transaction() as connection:
            given = await putting_off.given_until(connection, paid.membership)
        if given is not None and given > one.period_end:
            put_off = putting_off.request_of(one, given, at)
            # Done twice it is the same; of two instants the spans differ by a moment.
            key_there = f"{own}:put-off:{int(at.timestamp())}"
            await putting_off.perform(house, key_there, put_off, at=at)
        return await _receipt(house, paid, ReceiptKind.UNCANCELLED, at=at)

    return await _with_receipt(member, "uncancel", key, at, work)


async def pause(house: House, member: MemberId, *, months: int, key: str, at: datetime) -> Receipt:
    """Pause from the end of what is paid; see `Memberships.pause`."""
    if months not in PAUSES:
        raise PauseNotPossible(f"A pause is of {PAUSES[0]} to {PAUSES[-1]} months")

    async def work(own: str) -> Receipt:
        begun = await intents.begun(own)
        paid = await reading.paid(house, member)
        if begun is None and not _is_pausable(paid):
            raise PauseNotPossible
        one = paid.subscription
        # The invoice of the last month of the pause is void too, and the next one is charged.
        until = months_after(one.period_end, months)
        if begun is not None:
            until = datetime.fromisoformat(begun.request["until"])

        async def call() -> Subscription:
            return await house.gateway.pause(own, one.id, until - timedelta(hours=1))

        request = {"subscription": one.id, "until": until.isoformat()}
        await intents.perform("pause", own, request, call, answer=Subscription, at=at)
        return await _receipt(house, paid, ReceiptKind.PAUSED, at=at, paused_until=until)

    return await _with_receipt(member, "pause", key, at, work)


async def resume(house: House, member: MemberId, *, key: str, at: datetime) -> Receipt:
    """End a pause now; see `Memberships.resume`."""

    async def work(own: str) -> Receipt:
        paid = await reading.paid(house, member)
        one = paid.subscription
        if not one.is_collection_paused and await intents.begun(own) is None:
            raise NotPaused

        async def call() -> Subscription:
            return await house.gateway.resume(own, one.id)

        request = {"subscription": one.id}
        await intents.perform("resume", own, request, call, answer=Subscription, at=at)
        return await _receipt(house, paid, ReceiptKind.RESUMED, at=at)

    return await _with_receipt(member, "resume", key, at, work)


async def _with_receipt(
    member: MemberId,
    kind: str,
    key: str,
    at: datetime,
    work: Callable[[str], Awaitable[Receipt]],
) -> Receipt:
    """Do `work` once for this key and keep its receipt; asked again, return that."""
    async with one_act(member, kind, key, at) as own:
        async with transaction() as connection:
            before = await receipts.of_key(connection, member, own)
        if before is not None:
            return before
        receipt = await work(own)
        async with transaction() as connection:
            return await receipts.keep(connection, member, own, receipt)


async def _receipt(
    house: House, paid: Paid, kind: ReceiptKind, *, at: datetime, **facts: Any
) -> Receipt:
    await syncing.sync(house.gateway, paid.subscription.id, at=at)
    return await receipt_of(house, paid, kind, at=at, **facts)


async def receipt_of(
    house: House, paid: Paid, kind: ReceiptKind, *, at: datetime, **facts: Any
) -> Receipt:
    """Return a receipt of what is done to a membership at `at`; it is not kept yet."""
    plans = await house.plans()
    async with transaction() as connection:
        member, subscription = paid.membership.member_id, paid.subscription.id
        order = await orders.of_subscription(connection, member, subscription)
    terms = house.countries.of(None if order is None else order.country)
    return Receipt(
        receipt_id=random_id(),
        kind=kind,
        membership_id=paid.membership.id,
        at=at,
        plan=plans.plan(paid.price.plan_no).code,
        text_version=terms.disclosure_version,
        **facts,
    )


async def _cancellable(house: House, member: MemberId, begun: Intent | None = None) -> Paid:
    """Return what can be cancelled, or was by what was `begun` and not answered."""
    try:
        return await reading.paid(house, member)
    except NotAMember as error:
        ended = None if begun is None else await _ended(house, member, begun)
        if ended is None:
            raise NothingToCancel from error
        return ended


async def _ended(house: House, member: MemberId, begun: Intent) -> Paid | None:
    subscription = begun.request["subscription"]
    async with transaction() as connection:
        found = await register.of_member(connection, member)
        plans = await house.shelf.read(connection)
    picture = await house.gateway.picture(subscription)
    price = plans.price_at_stripe(picture.subscription.price_id)
    membership = next((one for one in found if one.subscription == subscription), None)
    if membership is None or price is None:
        return None
    return Paid(membership=membership, picture=picture, price=price)


def _is_pausable(paid: Paid) -> bool:
    one = paid.subscription
    # A void invoice of a year would be a year without benefits.
    return (
        one.status is SubscriptionStatus.ACTIVE
        and paid.price.interval == "month"
        and not one.cancel_at_period_end
        and not one.is_collection_paused
        and one.schedule_id is None
    )


def _smaller(plans: Plans, price: PlanPrice, at: datetime) -> PlanPrice | None:
    """Return the like price of the next lower plan on sale, if there is one."""
    rank = plans.plan(price.plan_no).document.rank
    lower = [plan for plan in plans.at(at) if plan.document.rank < rank]
    alike = [
        one
        for plan in lower[-1:]
        for one in plan.prices
        if (one.interval, one.money.currency, one.eligibility)
        == (price.interval, price.money.currency, None)
    ]
    return alike[0] if alike else None
