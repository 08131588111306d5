"""Receipts: that something was done to a membership, and when; kept, and shown again."""

from uuid import UUID

import msgspec

from billing.subscriptions.telling import of_receipts
from billing.subscriptions.views import Receipt, ReceiptKind
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_KEEP = """
INSERT INTO membership_receipt (bucket, id, member_id, membership_id, key, kind, at, facts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true
"""
_OF_KEY = "SELECT facts FROM membership_receipt WHERE bucket = $1 AND member_id = $2 AND key = $3"
_OF_MEMBER = """
SELECT facts FROM membership_receipt WHERE bucket = $1 AND member_id = $2 ORDER BY at DESC, id
"""


async def keep(connection: Connection, member: MemberId, key: str, receipt: Receipt) -> Receipt:
    """Keep a receipt of the act with this key, and return the one that was kept first.

    A receipt that another key has is kept once. The member is told of what is kept.
    """
    is_news = await connection.fetchval(
        _KEEP,
        bucket_of(member),
        receipt.receipt_id,
        member,
        receipt.membership_id,
        key,
        receipt.kind,
        receipt.at,
        msgspec.json.encode(receipt).decode(),
    )
    if is_news:
        await of_receipts.tell_of(connection, member, receipt)
    return await of_key(connection, member, key) or receipt


async def of_key(connection: Connection, member: MemberId, key: str) -> Receipt | None:
    """Return the receipt of an act that was done before."""
    found = await connection.fetchval(_OF_KEY, bucket_of(member), member, key)
    return None if found is None else msgspec.json.decode(found, type=Receipt)


async def of_member(connection: Connection, member: MemberId) -> tuple[Receipt, ...]:
    """Return all receipts of a member, the latest first."""
    rows = await connection.fetch(_OF_MEMBER, bucket_of(member), member)
    return tuple(msgspec.json.decode(row["facts"], type=Receipt) for row in rows)


async def last_of(
    connection: Connection, member: MemberId, membership_id: UUID, kind: ReceiptKind
) -> Receipt | None:
    """Return the last receipt of a kind about a membership."""
    found = await of_member(connection, member)
    return next(
        (one for one in found if one.membership_id == membership_id and one.kind is kind), None
    )
