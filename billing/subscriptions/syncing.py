"""Keeps memberships equal to what Stripe holds: by fetching it, never by what an event says.

A fetch is numbered in a short transaction before it begins, and its picture applied only over one
of a lower number. Whatever changes at Stripe is followed by an event whose fetch begins after the
change, so the highest number has seen it, in whatever order events come. See docs/adr/0059.
"""

from datetime import datetime
from uuid import UUID

import structlog

from billing.gateway import intents
from billing.gateway.client import Gateway
from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Picture
from billing.subscriptions import deriving, grounds, register
from billing.subscriptions.grounds import Gift
from billing.subscriptions.recovering import STOP
from billing.subscriptions.register import Kept, Membership
from billing.subscriptions.stretches import is_over
from billing.subscriptions.telling import of_refunds
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import MemberId
from coalition.members import queries

MEMBER = "member_id"
"""The key of Stripe's metadata under which everything names its member."""

TURNED_AT_ONCE = 500

_logger = structlog.get_logger(__name__)


async def sync(gateway: Gateway, subscription_id: str, *, at: datetime) -> bool:
    """Fetch a subscription and let its membership follow; return whether the picture was applied.

    It is not when a later fetch was faster, or Stripe knows no such subscription. Raises
    `StripeUnavailable`, `StripeRefused`.
    """

    async def number() -> int:
        async with transaction() as connection:
            return await register.next_fetch(connection, subscription_id)

    fetch_no = await retrying(number)
    try:
        picture = await gateway.picture(subscription_id)
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        _logger.warning("subscription_unknown_to_stripe", subscription=subscription_id)
        return False
    return await follow(picture, fetch_no=fetch_no, at=at)


async def follow(picture: Picture, *, fetch_no: int, at: datetime) -> bool:
    """Apply the picture of the fetch `fetch_no`, unless a later one was; return whether it was."""

    async def attempt() -> bool:
        async with transaction() as connection:
            kept = await register.kept(connection, picture.subscription.id, lock=True)
            assert kept is not None, "a fetch is numbered before it begins"
            if kept.applied_no >= fetch_no:
                return False
            await _apply(connection, picture, kept, fetch_no=fetch_no, at=at)
            return True

    return await retrying(attempt)


async def turn(at: datetime) -> int:
    """Let memberships stand as their time has come: grace begins and ends, what is given ends.

    Returns how many have turned. What they entitle to was written in advance and is as before. One
    that fails is logged and tried again the next time, and the others go on.
    """
    turned, failed = 0, 0
    while True:
        async with transaction() as connection:
            due = await register.turning(connection, at, TURNED_AT_ONCE + failed)
        if len(due) <= failed:
            return turned
        failed = 0
        for membership_id in due:
            try:
                await derive_again(membership_id, at=at)
            except Exception as error:
                failed += 1
                _logger.warning("turn_failed", membership=str(membership_id), exc_info=error)
            else:
                turned += 1


async def derive_again(membership_id: UUID, *, at: datetime) -> Membership | None:
    """Derive a membership anew from what is kept of it; what was right already stays."""

    async def attempt() -> Membership | None:
        return await _turn(membership_id, at)

    return await retrying(attempt)


async def _turn(membership_id: UUID, at: datetime) -> Membership | None:
    async with transaction() as connection:
        found = await register.by_id(connection, membership_id)
        if found is None:
            return None
        await queries.lock_members(connection, [found.member_id])
        before = await register.by_id(connection, membership_id, lock=True)
        assert before is not None, "memberships are never deleted"
        plans = await deriving.plans_now(connection)
        return await deriving.derive(connection, before, plans=plans, at=at)


async def give(connection: Connection, gift: Gift, *, member: MemberId, at: datetime) -> Membership:
    """Give months of a plan to a member, in the caller's transaction; once for each source.

    They come to the membership that lives, or begin one.
    """
    await queries.lock_members(connection, [member])
    plans = await deriving.plans_now(connection)
    before = await register.live(connection, member, lock=True)
    has_begun = before is None
    if before is None:
        before = await deriving.begin(
            connection, member, plan_no=gift.plan_no, started_at=gift.begins, at=at
        )
    await grounds.add(connection, gift, member=member, membership_id=before.id, at=at)
    return await deriving.derive(connection, before, plans=plans, at=at, has_begun=has_begun)


async def take_back(
    connection: Connection, source: str, *, member: MemberId, at: datetime
) -> Membership | None:
    """Take back what was given from `source`, from now on, in the caller's transaction."""
    await queries.lock_members(connection, [member])
    membership_id = await grounds.take_back(connection, source, member=member, at=at)
    return await _derive_locked(connection, membership_id, at=at)


async def unpaid(
    connection: Connection,
    source: str,
    *,
    member: MemberId,
    since: datetime | None,
    for_good: bool,
    at: datetime,
) -> Membership | None:
    """Let what was given from `source` end or rest since its money is gone, or hold again.

    `since` None is that the money is here. Works in the caller's transaction; None where nothing
    has changed.
    """
    await queries.lock_members(connection, [member])
    membership_id = await grounds.unpaid(
        connection, source, member=member, since=since, for_good=for_good
    )
    return await _derive_locked(connection, membership_id, at=at)


async def _derive_locked(
    connection: Connection, membership_id: UUID | None, *, at: datetime
) -> Membership | None:
    """Derive a membership whose member is locked; nothing for none."""
    if membership_id is None:
        return None
    before = await register.by_id(connection, membership_id, lock=True)
    assert before is not None, "a ground belongs to a membership"
    plans = await deriving.plans_now(connection)
    return await deriving.derive(connection, before, plans=plans, at=at)


async def _apply(
    connection: Connection, picture: Picture, kept: Kept, *, fetch_no: int, at: datetime
) -> None:
    member = await _member(connection, picture, kept)
    plans = await deriving.plans_now(connection)
    before, has_begun = None, False
    if member is not None:
        before = await _membership(connection, picture, kept, member)
        if before is None:
            before = await deriving.begin_with(connection, member, picture, plans=plans, at=at)
            has_begun = before is not None
    await register.apply(
        connection,
        picture,
        fetch_no=fetch_no,
        member=member,
        membership_id=None if before is None else before.id,
        at=at,
    )
    if before is not None:
        await deriving.derive(connection, before, plans=plans, at=at, has_begun=has_begun)
        await of_refunds.tell_of(connection, before, picture, plans, at=at)
    await _stop_if_lost(connection, picture, at=at)


async def _stop_if_lost(connection: Connection, picture: Picture, *, at: datetime) -> None:
    """Let no renewal be charged to a card whose bank took a payment back for good.

    Once for each dispute: whoever restores the membership then wants it.
    """
    one = picture.subscription
    if is_over(one) or one.cancel_at_period_end:
        return
    for dispute in picture.disputes:
        if dispute.is_lost:
            request = {"subscription": one.id}
            await intents.promise(connection, STOP, f"lost-{dispute.id}", request, at=at)


async def owner(connection: Connection, picture: Picture, kept: Kept | None) -> MemberId | None:
    """Return whose subscription it is; None for one that is nobody's here."""
    told = picture.subscription.metadata.get(MEMBER, "")
    try:
        member = (None if kept is None else kept.member_id) or MemberId(UUID(told))
    except ValueError:
        return None
    return None if await queries.read_standing(connection, member) is None else member


async def _member(connection: Connection, picture: Picture, kept: Kept) -> MemberId | None:
    """Return the member of a subscription, locked; None for one that is nobody's here."""
    member = await owner(connection, picture, kept)
    if member is not None and kept.membership_id is None:
        # Paid for while its member was merged, it is the survivor's.
        member = await queries.survivor(connection, member)
    if member is None or not await queries.lock_members(connection, [member]):
        _logger.warning("subscription_of_nobody", subscription=picture.subscription.id)
        return None
    return member


async def _membership(
    connection: Connection, picture: Picture, kept: Kept, member: MemberId
) -> Membership | None:
    """Return the membership to which a subscription belongs: its own, or the one that lives."""
    if kept.membership_id is not None:
        return await register.by_id(connection, kept.membership_id, lock=True)
    if is_over(picture.subscription) and not picture.invoices:
        return None
    return await register.live(connection, member, lock=True)
