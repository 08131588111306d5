"""The rows of orders: what was chosen, what was shown before it, and what became of it."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from billing.plans.countries.terms import digest_of
from billing.subscriptions.views import Disclosure
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of


class OrderState(StrEnum):
    """Where an order stands; one that is begun or open keeps others from beginning."""

    BEGUN = "begun"
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    TRIAL_REFUSED = "trial_refused"


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is kept; `disclosure` is the digest of the text that was shown."""

    id: UUID
    member_id: MemberId
    price_no: int
    country: str
    language: str
    disclosure: bytes
    disclosure_version: str
    trial_days: int
    trial_digests: tuple[bytes, ...]
    state: OrderState
    checkout_id: str | None
    url: str | None
    begun_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None
    subscription: str | None


_COLUMNS = """id, member_id, price_no, country, language, disclosure, disclosure_version,
    trial_days, trial_digests, state, checkout_id, url, begun_at, expires_at,
    settled_at, subscription"""
_KEEP_TEXT = """
INSERT INTO disclosure_text (digest, version, language, shown, first_shown_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING
"""
_BEGIN = """
INSERT INTO membership_order (bucket, id, member_id, price_no, country, language, disclosure,
    disclosure_version, trial_days, trial_digests, state, begun_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'begun', $11)
ON CONFLICT (bucket, id) DO NOTHING
"""
_OPEN = """
UPDATE membership_order SET state = 'open', checkout_id = $3, url = $4, expires_at = $5
WHERE bucket = $1 AND id = $2 AND state IN ('begun', 'open')
"""
_SETTLE = """
UPDATE membership_order SET state = $3, settled_at = $4, subscription = $5
WHERE bucket = $1 AND id = $2 AND state IN ('begun', 'open')
RETURNING true
"""
_READ = f"SELECT {_COLUMNS} FROM membership_order WHERE bucket = $1 AND id = $2"  # noqa: S608 - ours
_TEXT = "SELECT shown FROM disclosure_text WHERE digest = $1"
_OF_MEMBER = f"""
SELECT {_COLUMNS} FROM membership_order WHERE bucket = $1 AND member_id = $2
ORDER BY begun_at DESC, id
"""  # noqa: S608 - ours

_LANGUAGES = """
SELECT wanted.member_id, kept.language
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id), LATERAL (
    SELECT language FROM membership_order
    WHERE membership_order.bucket = wanted.bucket AND membership_order.member_id = wanted.member_id
    ORDER BY begun_at DESC, id LIMIT 1) AS kept
"""


async def begin(
    connection: Connection,
    *,
    order_id: UUID,
    member: MemberId,
    price_no: int,
    country: str,
    shown: Disclosure,
    trial_days: int,
    trial_digests: tuple[bytes, ...],
    at: datetime,
) -> None:
    """Write down an order before Stripe hears of it; the same order again changes nothing.

    Raises `CheckoutOpen` where another one is open.
    """
    digest = digest_of(shown.text)
    await connection.execute(_KEEP_TEXT, digest, shown.version, shown.language, shown.text, at)
    await connection.execute(
        _BEGIN,
        bucket_of(member),
        order_id,
        member,
        price_no,
        country,
        shown.language,
        digest,
        shown.version,
        trial_days,
        list(trial_digests),
        at,
    )


async def opened(
    connection: Connection, order: OrderRow, *, checkout_id: str, url: str, expires_at: datetime
) -> None:
    """Write down the page on which an order is paid."""
    bucket = bucket_of(order.member_id)
    await connection.execute(_OPEN, bucket, order.id, checkout_id, url, expires_at)


async def settle(
    connection: Connection,
    order: OrderRow,
    state: OrderState,
    *,
    subscription: str | None,
    at: datetime,
) -> bool:
    """Write down what became of an order; return whether that was news."""
    bucket = bucket_of(order.member_id)
    return bool(await connection.fetchval(_SETTLE, bucket, order.id, state, at, subscription))


async def read(connection: Connection, member: MemberId, order_id: UUID) -> OrderRow | None:
    """Return an order of a member."""
    row = await connection.fetchrow(_READ, bucket_of(member), order_id)
    return None if row is None else msgspec.convert(dict(row), OrderRow)


async def of_member(connection: Connection, member: MemberId) -> list[OrderRow]:
    """Return the orders of a member, the latest first."""
    rows = await connection.fetch(_OF_MEMBER, bucket_of(member), member)
    return [msgspec.convert(dict(row), OrderRow) for row in rows]


async def languages_of(
    connection: Connection, members: Collection[MemberId]
) -> dict[MemberId, str]:
    """Return the language of the last order of each of `members` that has ordered."""
    ordered = list(members)
    rows = await connection.fetch(_LANGUAGES, [bucket_of(one) for one in ordered], ordered)
    return {MemberId(row[0]): row[1] for row in rows}


async def text_shown(connection: Connection, order: OrderRow) -> str:
    """Return the text that was disclosed before an order."""
    shown: str = await connection.fetchval(_TEXT, order.disclosure)
    return shown


async def waiting(connection: Connection, member: MemberId) -> OrderRow | None:
    """Return the order that has not been settled, if there is one."""
    found = await of_member(connection, member)
    return next((one for one in found if one.settled_at is None), None)


async def of_subscription(
    connection: Connection, member: MemberId, subscription: str
) -> OrderRow | None:
    """Return the order from which a subscription came."""
    found = await of_member(connection, member)
    return next((one for one in found if one.subscription == subscription), None)


async def last_country(connection: Connection, member: MemberId) -> str | None:
    """Return the country of a member's latest order, whose law holds for it; None without one."""
    found = await of_member(connection, member)
    return found[0].country if found else None
