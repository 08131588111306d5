"""Lets a subscription be charged next when what was given has ended: nothing is paid for twice."""

from datetime import datetime, timedelta

import structlog

from billing.gateway import intents
from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.subscriptions import grounds, put_offs, register, syncing
from billing.subscriptions.deriving import plans_now
from billing.subscriptions.house import House
from billing.subscriptions.recovering import PUT_OFF
from billing.subscriptions.refusals import AlreadyMember, GiftWaits
from billing.subscriptions.register import Membership
from billing.subscriptions.stretches import is_over
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId

NOTICE = timedelta(days=1)
"""How long before it is charged a member hears that what put its renewal off was taken back."""
TOO_NEAR = timedelta(minutes=15)
"""So close to a renewal it may be under way already."""

_logger = structlog.get_logger(__name__)


async def given_until(connection: Connection, membership: Membership) -> datetime | None:
    """Return the end of all months that a membership was given; None without any."""
    given = await grounds.of_membership(connection, membership.id, await plans_now(connection))
    return max((one.ends for one in given if one.ends > one.begins), default=None)


async def beginning(connection: Connection, member: MemberId, at: datetime) -> datetime | None:
    """Return until when what a member orders at `at` is put off; None for whoever has nothing.

    Raises `AlreadyMember` for who pays already, or has a plan that others share with it.
    """
    live = await register.live(connection, member)
    if live is None:
        return None
    kept = await register.kept_of(connection, live.id)
    ends = await given_until(connection, live)
    pays = any(one.picture is not None and not is_over(one.picture.subscription) for one in kept)
    if pays or ends is None or ends <= at or live.entitled_until is None:
        raise AlreadyMember(membership_id=str(live.id))
    return ends


def check(one: Subscription, at: datetime) -> None:
    """Refuse to put off what something else is under way with. Raises `GiftWaits`."""
    if one.is_collection_paused:
        raise _waits("The membership is paused; resume it first", one.resumes_at)
    if one.status not in {SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING}:
        raise GiftWaits("A payment is due; pay it or end the membership first")
    if one.has_pending_update:
        raise GiftWaits("A change of the plan waits for its payment; pay it first")
    if one.schedule_id is not None:
        raise _waits("Another price comes with the next period; redeem it then", one.period_end)
    if one.period_end - at < TOO_NEAR:
        raise _waits("The membership renews in a moment; redeem it then", one.period_end)


def _waits(why: str, until: datetime | None) -> GiftWaits:
    return GiftWaits(why) if until is None else GiftWaits(why, until=until.isoformat())


def request_of(one: Subscription, until: datetime, at: datetime) -> dict[str, str]:
    """Return the intent's request that a subscription is charged next at `until`."""
    metadata = put_offs.put(one, until, at)
    return {"subscription": one.id, "until": until.isoformat()} | metadata


async def perform(house: House, key: str, request: dict[str, str], *, at: datetime) -> None:
    """Put a renewal off as it was promised, and let the membership follow.

    What Stripe refuses, such as for a subscription that has ended meanwhile, stays as it is.
    """
    subscription = request["subscription"]

    async def call() -> Subscription:
        return await house.gateway.put_off(
            key,
            subscription,
            datetime.fromisoformat(request["until"]),
            put_offs.metadata_of(request),
        )

    try:
        await intents.perform(PUT_OFF, key, request, call, answer=Subscription, at=at)
    except StripeRefused as refused:
        _logger.warning("not_put_off", subscription=subscription, reason=refused.reason)
    await syncing.sync(house.gateway, subscription, at=at)


async def bring_forward(connection: Connection, membership: Membership, at: datetime) -> None:
    """Let a renewal be put off no longer than there are months given; the worker sees to it."""
    for kept in await register.kept_of(connection, membership.id):
        one = None if kept.picture is None else kept.picture.subscription
        if one is None or one.trial_end is None or not put_offs.is_put_off(one):
            continue
        given = await given_until(connection, membership)
        paid = [
            line.period_end
            for invoice in (() if kept.picture is None else kept.picture.invoices)
            for line in invoice.lines
            if line.amount.amount_minor > 0
        ]
        until = max([at + NOTICE, *([] if given is None else [given]), *paid])
        if until < one.trial_end - timedelta(seconds=1):
            request = request_of(one, until, at)
            key = f"put-off-{one.id}-{int(until.timestamp())}"
            await intents.promise(connection, PUT_OFF, key, request, at=at)
