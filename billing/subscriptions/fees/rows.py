"""The rows of fees: each has the id of what waits for it."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.money import Money


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """A fee of a transfer or an act, and how its payment stands."""

    id: UUID
    kind: str
    payer: MemberId
    amount_minor: int
    currency: str
    state: str
    attempt: int
    checkout_id: str | None = None
    url: str | None = None
    expires_at: datetime | None = None
    payment: str | None = None
    begun_at: datetime
    paid_at: datetime | None = None
    outcome: str | None = None

    @property
    def money(self) -> Money:
        """What it comes to."""
        return Money(self.amount_minor, self.currency)


_COLUMNS = ", ".join(Fee.__struct_fields__)
_READ = f"SELECT {_COLUMNS} FROM family_fee WHERE bucket = $1 AND id = $2"  # noqa: S608 - ours
_OF_PAYER = (
    f"SELECT {_COLUMNS} FROM family_fee "  # noqa: S608 - names of our own
    "WHERE payer = $1 ORDER BY begun_at, id"
)
# What was begun stays the same attempt; a page that has expired, or money that went back, is
# followed by the next one.
_BEGIN = f"""
INSERT INTO family_fee AS kept
    (bucket, id, kind, payer, amount_minor, currency, state, attempt, begun_at)
VALUES ($1, $2, $3, $4, $5, $6, 'open', 1, $7)
ON CONFLICT (bucket, id) DO UPDATE
SET attempt = kept.attempt + 1, state = 'open', checkout_id = NULL, url = NULL, payment = NULL,
    paid_at = NULL, outcome = NULL, begun_at = excluded.begun_at
WHERE kept.state IN ('expired', 'returned')
RETURNING {_COLUMNS}
"""  # noqa: S608 - names of our own
_OPENED = """
UPDATE family_fee SET checkout_id = $3, url = $4, expires_at = $5
WHERE bucket = $1 AND id = $2 AND state = 'open'
"""
_EXPIRED = """
UPDATE family_fee SET state = 'expired'
WHERE bucket = $1 AND id = $2 AND state = 'open' AND checkout_id = $3
"""
_CLOSED = """
UPDATE family_fee SET state = 'expired', outcome = $3
WHERE bucket = $1 AND id = $2 AND state = 'open'
"""
_PAID = """
UPDATE family_fee SET state = 'paid', payment = $3, paid_at = $4
WHERE bucket = $1 AND id = $2 AND state IN ('open', 'expired')
"""
_OVER = """
UPDATE family_fee SET state = $3, outcome = $4
WHERE bucket = $1 AND id = $2 AND state IN ('paid', 'done')
RETURNING true
"""


async def read(connection: Connection, fee_id: UUID, *, lock: bool = False) -> Fee | None:
    """Return a fee that somebody has begun to pay."""
    query = _READ + " FOR UPDATE" if lock else _READ
    row = await connection.fetchrow(query, bucket_of(fee_id), fee_id)
    return None if row is None else msgspec.convert(dict(row), Fee)


async def of_payer(connection: Connection, member: MemberId) -> list[Fee]:
    """Return the fees that a member has begun to pay, the first one first."""
    rows = await connection.fetch(_OF_PAYER, member)
    return [msgspec.convert(dict(row), Fee) for row in rows]


async def begin(
    connection: Connection,
    fee_id: UUID,
    kind: str,
    *,
    payer: MemberId,
    money: Money,
    at: datetime,
) -> Fee:
    """Store that a fee is about to be paid; return it, also where it was begun before."""
    facts = kind, payer, money.amount_minor, money.currency, at
    row = await connection.fetchrow(_BEGIN, bucket_of(fee_id), fee_id, *facts)
    found = await read(connection, fee_id) if row is None else msgspec.convert(dict(row), Fee)
    assert found is not None, "it is there now"
    return found


async def opened(
    connection: Connection, fee_id: UUID, checkout_id: str, url: str | None, expires_at: datetime
) -> None:
    """Store the page on which a fee is paid."""
    await connection.execute(_OPENED, bucket_of(fee_id), fee_id, checkout_id, url, expires_at)


async def expired(connection: Connection, fee_id: UUID, checkout_id: str) -> None:
    """Store that a page has expired, if it is still the fee's."""
    await connection.execute(_EXPIRED, bucket_of(fee_id), fee_id, checkout_id)


async def closed(connection: Connection, fee_id: UUID, why: str) -> None:
    """Store that a fee's page is to be closed, and why; money that comes yet is still seen."""
    await connection.execute(_CLOSED, bucket_of(fee_id), fee_id, why)


async def paid(connection: Connection, fee_id: UUID, payment: str, at: datetime) -> None:
    """Store that a fee was paid."""
    await connection.execute(_PAID, bucket_of(fee_id), fee_id, payment, at)


async def over(connection: Connection, fee_id: UUID, state: str, outcome: str) -> bool:
    """Store what came of a fee that was paid; return whether it was anything else before."""
    return bool(await connection.fetchval(_OVER, bucket_of(fee_id), fee_id, state, outcome))
