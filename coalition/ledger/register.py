"""Postings and holds read back as they were written, for the partner that made them.

Every statement names the partner, and its callers' transactions see the rows of one tenant only.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of

_COLUMNS = """
SELECT bucket, id, kind, holder, partner_no, store_no, receipt, occurred_at, committed_at, points,
       direction, currency_no, reverses, linked, purchase_minor, purchase_currency, rule_no, reason,
       (SELECT coalesce(sum(reversed), 0) FROM reversed_leg
        WHERE reversed_leg.bucket = posting.bucket AND reversed_leg.posting = posting.id)
FROM posting
"""

_ONE = _COLUMNS + "WHERE bucket = $1 AND id = $2 AND partner_no = $3"

# Ids are time-ordered, so the latest come first and a page begins where the last one ended.
_PAGE = (
    _COLUMNS
    + """
WHERE partner_no = $1 AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3
"""
)

# The postings of a batch are made in one millisecond, so their ids lie together.
_ON_RECEIPT = (
    _COLUMNS
    + """
WHERE partner_no = $1 AND id BETWEEN $2 AND $3 AND batch = $4 AND receipt = $5
ORDER BY id DESC
"""
)

# No index leads from a holder to its postings: those of its bucket, one in 1024, are walked by key.
_OF_HOLDER = (
    _COLUMNS
    + """
WHERE bucket = $1 AND holder = $2 AND id > $3
ORDER BY bucket, id LIMIT $4
"""
)

_LATEST_OF_HOLDER = (
    _COLUMNS
    + """
WHERE bucket = $1 AND holder = $2 AND ($3::uuid IS NULL OR id < $3)
ORDER BY bucket DESC, id DESC LIMIT $4
"""
)

_MOVED = """
SELECT wanted.id, coalesce(leg.points, posting.points), kept.issuer_no, kept.expires_on
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id)
JOIN posting ON posting.bucket = wanted.bucket AND posting.id = wanted.id
LEFT JOIN leg ON leg.bucket = wanted.bucket AND leg.posting = wanted.id,
LATERAL (
    SELECT issuer_no, expires_on FROM lot
    WHERE lot.bucket = wanted.bucket AND lot.id = coalesce(leg.lot, posting.lot)
    UNION ALL
    SELECT issuer_no, expires_on FROM lot_history AS swept
    WHERE swept.bucket = wanted.bucket AND swept.id = coalesce(leg.lot, posting.lot)
    LIMIT 1) AS kept
ORDER BY wanted.id, leg.no
"""

_KIND = "SELECT kind FROM posting WHERE bucket = $1 AND id = $2 AND partner_no = $3"

_HOLD = """
SELECT id, holder, store_no, receipt, points, state, occurred_at, made_at, expires_at, resolved_at,
       posting, currency_no
FROM hold WHERE bucket = $1 AND id = $2 AND partner_no = $3
"""


class Moved(NamedTuple):
    """Points of one lot that a posting moved: who issued them and when they expire."""

    points: int
    issuer_no: int
    expires_on: date | None


class Recorded(NamedTuple):
    """A posting as it stands in the books; `reversed` points of it were reversed since."""

    bucket: int
    id: UUID
    kind: int
    holder: UUID
    partner_no: int
    store_no: int | None
    receipt: str | None
    occurred_at: datetime
    committed_at: datetime
    points: int
    direction: int
    currency_no: int
    reverses: UUID | None
    linked: UUID | None
    purchase_minor: int | None
    purchase_currency: str | None
    rule_no: int | None
    reason: str | None
    reversed: int
    moved: list[Moved]


class RecordedHold(NamedTuple):
    """A hold as it stands in the books."""

    id: UUID
    holder: UUID
    store_no: int | None
    receipt: str
    points: int
    state: int
    occurred_at: datetime
    made_at: datetime
    expires_at: datetime
    resolved_at: datetime | None
    posting: UUID | None
    currency_no: int


async def read_posting(
    connection: Connection, posting: UUID, *, partner_no: int
) -> Recorded | None:
    """Return a posting of the partner with what it moved; None when it has no such posting."""
    rows = await connection.fetch(_ONE, bucket_of(posting), posting, partner_no)
    found = await _with_moved(connection, rows)
    return found[0] if found else None


async def list_postings(
    connection: Connection,
    *,
    partner_no: int,
    before: UUID | None,
    limit: int,
) -> list[Recorded]:
    """Return at most `limit` postings of the partner, the latest first, older than `before`."""
    rows = await connection.fetch(_PAGE, partner_no, before, limit)
    return await _with_moved(connection, rows)


async def list_of_holder(
    connection: Connection, holder: UUID, *, after: UUID, limit: int
) -> list[Recorded]:
    """Return at most `limit` postings of a holder by any partner, the earliest first."""
    rows = await connection.fetch(_OF_HOLDER, bucket_of(holder), holder, after, limit)
    return await _with_moved(connection, rows)


async def list_latest_of_holder(
    connection: Connection, holder: UUID, *, before: UUID | None, limit: int
) -> list[Recorded]:
    """Return at most `limit` postings of a holder by any partner, the latest first."""
    rows = await connection.fetch(_LATEST_OF_HOLDER, bucket_of(holder), holder, before, limit)
    return await _with_moved(connection, rows)


async def list_on_receipt(
    connection: Connection, batch: UUID, *, partner_no: int, receipt: str
) -> list[Recorded]:
    """Return the postings of `batch` that the partner made on `receipt`, whatever store and day."""
    first = batch.int >> 80 << 80
    ends = UUID(int=first), UUID(int=first | (1 << 80) - 1)
    rows = await connection.fetch(_ON_RECEIPT, partner_no, *ends, batch, receipt)
    return await _with_moved(connection, rows)


async def read_kind(connection: Connection, posting: UUID, *, partner_no: int) -> int | None:
    """Return the kind of a posting of the partner; None when it has no such posting."""
    kind: int | None = await connection.fetchval(_KIND, bucket_of(posting), posting, partner_no)
    return kind


async def read_hold(connection: Connection, hold: UUID, *, partner_no: int) -> RecordedHold | None:
    """Return a hold of the partner; None when it has no such hold."""
    row = await connection.fetchrow(_HOLD, bucket_of(hold), hold, partner_no)
    return None if row is None else RecordedHold(*row)


async def _with_moved(connection: Connection, rows: Iterable[asyncpg.Record]) -> list[Recorded]:
    found = {row[1]: Recorded._make([*row, []]) for row in rows}
    if found:
        buckets = [recorded.bucket for recorded in found.values()]
        for row in await connection.fetch(_MOVED, buckets, list(found)):
            found[row[0]].moved.append(Moved(*row[1:]))
    return list(found.values())
