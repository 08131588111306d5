"""What memberships keep of a member: for its copy, for its end, and for forgetting it.

Whoever leaves pays no more: the subscription is ended at Stripe by an intent that is written down
with the leaving, and made by the worker. Books of what was paid stay, under an id.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from billing.gateway import inbox, intents
from billing.subscriptions import entries, orders, receipts, register
from billing.subscriptions.campaigns import rows as campaigns
from billing.subscriptions.fees import rows as fees
from billing.subscriptions.orders import OrderState
from billing.subscriptions.reading import LIVING
from billing.subscriptions.recovering import END, EXPIRE, FORGET
from billing.subscriptions.seats import rows as seats
from billing.subscriptions.seats import sharing
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members.privacy import Keeper, Piece

_CUSTOMERS = "SELECT customer_id FROM member_at_stripe WHERE bucket = $1 AND member_id = $2"
_GIFTS = """
SELECT id AS gift_id, plan_no, months, amount_minor, currency, state, made_at, redeemed_at
FROM gift WHERE bought_by = $1 ORDER BY made_at, id
"""
_WITHDRAWALS = """
SELECT id AS withdrawal_id, membership_id, declared_at, refund_minor, currency, confirmed_at
FROM membership_withdrawal WHERE bucket = $1 AND member_id = $2 ORDER BY declared_at
"""


async def leave(connection: Connection, member_id: MemberId, at: datetime) -> None:
    """Let a member who leaves be charged no more, and an order that waits be none."""
    for membership in await register.of_member(connection, member_id):
        for kept in await register.kept_of(connection, membership.id):
            if kept.picture is not None and kept.picture.subscription.status in LIVING:
                request = {"subscription": kept.id}
                await intents.promise(connection, END, f"leave-{kept.id}", request, at=at)
    await sharing.leave(connection, member_id, at)
    await drop_order(connection, member_id, at)


async def drop_order(connection: Connection, member_id: MemberId, at: datetime) -> None:
    """Let an order that waits be none, and promise that its page is closed."""
    waiting = await orders.waiting(connection, member_id)
    if waiting is not None:
        await orders.settle(connection, waiting, OrderState.EXPIRED, subscription=None, at=at)
    if waiting is not None and waiting.checkout_id is not None:
        request = {"checkout": waiting.checkout_id}
        await intents.promise(connection, EXPIRE, f"leave-{waiting.id}", request, at=at)


async def _export(
    connection: Connection, member_id: MemberId, at: datetime
) -> AsyncIterator[Piece]:
    del at
    key = bucket_of(member_id), member_id
    yield "memberships", await register.of_member(connection, member_id)
    yield "membership_payments", await entries.of_member(connection, member_id)
    yield (
        "membership_orders",
        [
            {
                "order_id": one.id,
                "price_no": one.price_no,
                "country": one.country,
                "disclosure_version": one.disclosure_version,
                "state": one.state,
                "begun_at": one.begun_at,
                "settled_at": one.settled_at,
            }
            for one in await orders.of_member(connection, member_id)
        ],
    )
    yield "membership_receipts", list(await receipts.of_member(connection, member_id))
    yield (
        "membership_withdrawals",
        [dict(row) for row in await connection.fetch(_WITHDRAWALS, *key)],
    )
    yield "fees_of_families", await fees.of_payer(connection, member_id)
    held = await seats.held_by(connection, member_id)
    yield "seats_of_plans", [*held, *await seats.paid_by_member(connection, member_id)]
    yield "price_changes", await campaigns.of_member(connection, member_id)
    yield "gifts", [dict(row) for row in await connection.fetch(_GIFTS, member_id)]
    customers = await connection.fetch(_CUSTOMERS, *key)
    yield "customers_at_stripe", [row["customer_id"] for row in customers]


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    """Let Stripe forget the customer: its name, address and cards; its invoices stay there too."""
    for row in await connection.fetch(_CUSTOMERS, bucket_of(member_id), member_id):
        customer = row["customer_id"]
        request = {"customer": customer}
        await intents.promise(connection, FORGET, f"forget-{customer}", request, at=asked_at)
        await inbox.forget(connection, customer)


KEEPER = Keeper("memberships", _export, _erase, leave)
