"""Keeps gifts equal to what Stripe holds of their payments: booked, redeemable, and in force.

As with subscriptions: a fetch is numbered before it begins, and applied only over one of a lower
number. What was paid is booked for who bought the gift; what it gave ends when the money is gone.
"""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import structlog

from billing.gateway.client import Gateway
from billing.gateway.shapes import Payment
from billing.subscriptions import entries, gift_money, gift_rows, putting_off, syncing
from billing.subscriptions.drifts import Drift
from billing.subscriptions.gift_rows import Gift
from billing.subscriptions.views import GiftState
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import bucket_of, shard_of
from coalition.kernel.outbox import Event

_TOLD = {
    GiftState.REFUNDED: "membership.gift_refunded",
    GiftState.DISPUTED: "membership.gift_disputed",
    GiftState.LOST: "membership.gift_lost",
}

_PAGE = 500

_logger = structlog.get_logger(__name__)


async def look(gateway: Gateway, payment: str, at: datetime) -> bool:
    """Fetch the payment of a gift and let the gift follow; return whether it was applied.

    It is not for a payment that is no gift's, or when a later fetch was faster. Raises
    `StripeUnavailable`, `StripeRefused`.
    """

    async def number() -> tuple[bytes, int] | None:
        async with transaction() as connection:
            return await gift_rows.next_fetch(connection, payment)

    found = await retrying(number)
    if found is None:
        return False
    picture = await gateway.payment(payment)
    if picture is None:
        _logger.warning("gift_without_money", payment=payment)
        return False
    digest, fetch_no = found

    async def attempt() -> bool:
        async with transaction() as connection:
            gift = await gift_rows.read(connection, digest, lock=True)
            assert gift is not None, "gifts are never deleted"
            if gift.applied_no >= fetch_no:
                return False
            await _apply(connection, gift, picture, fetch_no=fetch_no, at=at)
            return True

    return await retrying(attempt)


async def drifted(
    gateway: Gateway, is_as_kept: Callable[[str, Payment | None], bool]
) -> AsyncIterator[tuple[str, Drift]]:
    """Yield the payments of gifts that are not here as they are at Stripe, and how.

    Only those are fetched that are not `is_as_kept`, by what is listed as given back of them.
    """
    after: bytes | None = None
    while True:
        async with transaction() as connection:
            gifts = await gift_rows.paid_after(connection, after, _PAGE)
        if not gifts:
            return
        after = gifts[-1].digest
        for gift in gifts:
            if gift.payment is None:
                continue
            if is_as_kept(gift.payment, gift.picture) and _stands(gift):
                continue
            shown = await gateway.payment(gift.payment)
            if shown is None:
                continue
            async with transaction() as connection:
                found = await drift(connection, gift, shown)
            if found:
                member = str(gift.bought_by)
                told = Drift(subscription=gift.payment, member_id=member, differences=tuple(found))
                yield gift.payment, told


async def drift(connection: Connection, gift: Gift, shown: Payment) -> list[str]:
    """Return how a gift is not here as its payment is at Stripe, in words."""
    found = [*gift_money.differences(gift.picture, shown)]
    if not found and not _stands(gift):
        found.append(f"state: {gift.state} here, and its payment says otherwise")
    for _, one in await entries.lacking(connection, gift.bought_by, gift_money.bookings(shown)):
        found.append(f"the ledger lacks {one.amount_minor} {one.currency} of {one.source}")
    return found


def _stands(gift: Gift) -> bool:
    """Tell whether a gift is in the state that its payment, as it is kept, makes it."""
    if gift.picture is None:
        return True
    return gift.state is gift_money.state(gift.picture, is_redeemed=gift.redeemed_by is not None)


async def _apply(
    connection: Connection, gift: Gift, picture: Payment, *, fetch_no: int, at: datetime
) -> None:
    is_redeemed = gift.redeemed_by is not None
    state = gift_money.state(picture, is_redeemed=is_redeemed)
    told = gift_money.bookings(picture)
    await entries.agree(connection, member=gift.bought_by, gift_id=gift.id, told=told, at=at)
    await gift_rows.apply(
        connection, gift.digest, fetch_no=fetch_no, state=state, picture=picture, at=at
    )
    if gift.redeemed_by is not None:
        lost = gift_money.gone(picture)
        membership = await syncing.unpaid(
            connection,
            gift.source,
            member=gift.redeemed_by,
            since=lost.at,
            for_good=lost.for_good,
            at=at,
        )
        if membership is not None and lost.for_good:
            await putting_off.bring_forward(connection, membership, at)
    if state is not gift.state and state in _TOLD:
        await tell(connection, _TOLD[state], gift, at)


async def tell(connection: Connection, kind: str, gift: Gift, at: datetime) -> None:
    """Tell others of a gift, in the caller's transaction."""
    told = {"gift_id": str(gift.id), "member_id": str(gift.bought_by)}
    shard = shard_of(bucket_of(gift.bought_by))
    await outbox.append(connection, [Event(kind, told, shard=shard)], at)
