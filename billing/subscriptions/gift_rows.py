"""The rows of gifts: found by the digest of the code, by the payment, or by who bought them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from billing.gateway.shapes import Payment
from billing.subscriptions.views import GiftState
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.members.contacts import bucket_of_digest


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """A gift as our books have it; `picture` is its payment as it was fetched last."""

    digest: bytes
    id: UUID
    bought_by: MemberId
    plan_no: int
    months: int
    amount_minor: int
    currency: str
    state: GiftState
    checkout_id: str | None
    url: str | None
    payment: str | None
    made_at: datetime
    paid_at: datetime | None
    valid_until: datetime | None
    redeemed_by: MemberId | None
    redeemed_at: datetime | None
    applied_no: int
    picture: Payment | None

    @property
    def price(self) -> Money:
        """What it costs."""
        return Money(self.amount_minor, self.currency)

    @property
    def source(self) -> str:
        """The source of the months that it gives."""
        return f"gift:{self.id}"


_COLUMNS = ", ".join(Gift.__struct_fields__)
_ADD = """
INSERT INTO gift (bucket, digest, id, bought_by, plan_no, months, amount_minor, currency, state,
    made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9) ON CONFLICT (bucket, digest) DO NOTHING
"""
_OPENED = "UPDATE gift SET checkout_id = $3, url = $4 WHERE bucket = $1 AND digest = $2"
_PAID = """
UPDATE gift SET state = 'paid', payment = $3, paid_at = $4, valid_until = $5
WHERE bucket = $1 AND digest = $2 AND state IN ('open', 'expired') RETURNING true
"""
_EXPIRED = "UPDATE gift SET state = 'expired' WHERE bucket = $1 AND digest = $2 AND state = 'open'"
_REDEEMED = """
UPDATE gift SET state = 'redeemed', redeemed_by = $3, redeemed_at = $4
WHERE bucket = $1 AND digest = $2 AND state = 'paid'
"""
_NEXT_FETCH = """
UPDATE gift SET fetch_no = fetch_no + 1 WHERE payment = $1 RETURNING digest, fetch_no
"""
_APPLY = """
UPDATE gift SET applied_no = $3, state = $4, picture = $5, applied_at = $6
WHERE bucket = $1 AND digest = $2
"""
_READ = f"SELECT {_COLUMNS} FROM gift WHERE bucket = $1 AND digest = $2"  # noqa: S608 - ours
_BOUGHT = f"""
SELECT {_COLUMNS} FROM gift WHERE bought_by = ANY ($1) ORDER BY made_at DESC, id
"""  # noqa: S608 - ours
_PAID_AFTER = f"""
SELECT {_COLUMNS} FROM gift WHERE payment IS NOT NULL AND (bucket, digest) > ($1, $2)
ORDER BY bucket, digest LIMIT $3
"""  # noqa: S608 - ours

_decoder = msgspec.json.Decoder(Payment)


async def add(
    connection: Connection,
    digest: bytes,
    *,
    gift_id: UUID,
    bought_by: MemberId,
    plan_no: int,
    months: int,
    price: Money,
    at: datetime,
) -> None:
    """Write down a gift before Stripe hears of it; the same again changes nothing."""
    facts = gift_id, bought_by, plan_no, months, price.amount_minor, price.currency, at
    await connection.execute(_ADD, *_place(digest), *facts)


async def opened(connection: Connection, digest: bytes, page: str, url: str | None) -> None:
    """Write down the page on which a gift is paid."""
    await connection.execute(_OPENED, *_place(digest), page, url)


async def paid(
    connection: Connection, digest: bytes, payment: str, *, at: datetime, valid_until: datetime
) -> bool:
    """Write down by what a gift was paid; return whether that was news."""
    facts = payment, at, valid_until
    return bool(await connection.fetchval(_PAID, *_place(digest), *facts))


async def expired(connection: Connection, digest: bytes) -> None:
    """Write down that nobody paid for a gift."""
    await connection.execute(_EXPIRED, *_place(digest))


async def redeemed(connection: Connection, digest: bytes, by: MemberId, at: datetime) -> None:
    """Write down who has redeemed a gift; the caller has locked it and seen that it is paid."""
    await connection.execute(_REDEEMED, *_place(digest), by, at)


async def next_fetch(connection: Connection, payment: str) -> tuple[bytes, int] | None:
    """Return whose payment it is and the number of the fetch that begins now; None for nobody's."""
    row = await connection.fetchrow(_NEXT_FETCH, payment)
    return None if row is None else (row["digest"], row["fetch_no"])


async def apply(
    connection: Connection,
    digest: bytes,
    *,
    fetch_no: int,
    state: GiftState,
    picture: Payment,
    at: datetime,
) -> None:
    """Keep how a gift's payment stands, in place of what was known of it before."""
    written = msgspec.json.encode(picture)
    await connection.execute(_APPLY, *_place(digest), fetch_no, state, written, at)


async def read(connection: Connection, digest: bytes, *, lock: bool = False) -> Gift | None:
    """Return a gift by the digest of its code."""
    query = f"{_READ} FOR UPDATE" if lock else _READ
    row = await connection.fetchrow(query, *_place(digest))
    return None if row is None else _gift(row)


async def bought(connection: Connection, members: Sequence[MemberId]) -> list[Gift]:
    """Return the gifts that one of `members` has bought, the latest first."""
    return [_gift(row) for row in await connection.fetch(_BOUGHT, list(members))]


async def paid_after(connection: Connection, after: bytes | None, most: int) -> list[Gift]:
    """Return gifts that were ever paid, the next ones after the one with the digest `after`."""
    place = (-1, b"") if after is None else _place(after)
    return [_gift(row) for row in await connection.fetch(_PAID_AFTER, *place, most)]


def _place(digest: bytes) -> tuple[int, bytes]:
    return bucket_of_digest(digest), digest


def _gift(row: asyncpg.Record) -> Gift:
    told = dict(row)
    picture = told.pop("picture")
    gift = msgspec.convert(told | {"picture": None}, Gift)
    if picture is None:
        return gift
    return msgspec.structs.replace(gift, picture=_decoder.decode(picture))
