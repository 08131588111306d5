"""Books as expired what can no longer be spent, for holders that are locked.

Points end with their last day, or when the clock that rules them has run out, whichever is first;
while expiry is suspended for their holder they do not end.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.ids import bucket_of
from coalition.ledger.accounts import OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Till
from coalition.ledger.journal import Journal, in_parts
from coalition.ledger.living import ENDED
from coalition.ledger.provenance import last_lot, lowest_lot

# An issue sets a clock back without locking its holder; whoever comes second waits here.
_LOCK_CLOCKS = """
SELECT kept.live_until
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, holder), LATERAL (
    SELECT live_until FROM holder_clock
    WHERE holder_clock.bucket = wanted.bucket AND holder_clock.holder = wanted.holder
    OFFSET 0 FOR NO KEY UPDATE) AS kept
"""

_OF_HOLDERS = f"""
SELECT lot.id, lot.holder
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::uuid[])
     AS wanted (bucket, holder, first, last), LATERAL (
    SELECT * FROM lot
    WHERE lot.bucket = wanted.bucket AND lot.id >= wanted.first AND lot.id <= wanted.last
      AND lot.holder = wanted.holder AND points_in > points_out + held
    OFFSET 0) AS lot
WHERE {ENDED}
"""  # noqa: S608 - our own condition

# Read and taken in one statement, in the order of the arrays. An issue that adds to a lot meanwhile
# is waited for, and what it adds stays in the lot.
_TAKE_UNDER_LOCK = f"""
UPDATE lot SET points_out = lot.points_out + ended.points
FROM (SELECT lot.bucket, lot.id, points_in - points_out - held AS points
      FROM unnest($2::int2[], $3::uuid[]) AS due (bucket, id), LATERAL (
          SELECT * FROM lot WHERE lot.bucket = due.bucket AND lot.id = due.id
          OFFSET 0) AS lot
      WHERE points_in > points_out + held AND {ENDED}
      OFFSET 0) AS ended
WHERE lot.bucket = ended.bucket AND lot.id = ended.id
RETURNING lot.id, lot.holder, lot.issuer_no, lot.currency_no, ended.points
"""  # noqa: S608 - our own condition

# What was read before its holder was locked, as far as it stands as it was read. What an issue has
# added since stays in the lot.
_TAKE_AS_READ = """
UPDATE lot SET points_out = lot.points_out + due.points
FROM unnest($1::int2[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[])
     AS due (bucket, id, points, points_out, held)
WHERE lot.bucket = due.bucket AND lot.id = due.id
  AND lot.points_out = due.points_out AND lot.held = due.held
RETURNING true
"""


class LotChangedError(Exception):
    """Points of a lot were spent, held or given back since it was read."""


async def book_ended(connection: Connection, journal: Journal, holders: Collection[UUID]) -> int:
    """Book every lot of `holders`, which are locked, that has ended; return the points.

    Running out of a clock is judged under the clock's own lock. The caller writes the journal.
    """
    ordered = _ordered(holders)
    if not ordered:
        return 0
    buckets = [bucket_of(holder) for holder in ordered]
    await connection.execute(_LOCK_CLOCKS, buckets, ordered)
    firsts = [lowest_lot(holder) for holder in ordered]
    lasts = [last_lot(holder) for holder in ordered]
    due = await connection.fetch(_OF_HOLDERS, journal.today, buckets, ordered, firsts, lasts)
    return await book(connection, journal, [(row[0], row[1]) for row in due])


async def book(connection: Connection, journal: Journal, due: list[tuple[UUID, UUID]]) -> int:
    """Book what of the lots `due`, each with its holder, has ended; return the points.

    The holders and their clocks are locked. One posting for each lot, at the issuer, against the
    account `expired`. The caller writes the journal.
    """
    if not due:
        return 0
    ordered = sorted((bucket_of(holder), lot.bytes, lot) for lot, holder in due)
    rows = await connection.fetch(
        _TAKE_UNDER_LOCK, journal.today, [row[0] for row in ordered], [row[2] for row in ordered]
    )
    return _note(journal, rows)


def book_as_read(later: Later, journal: Journal, due: Sequence[Sequence[Any]]) -> int:
    """Leave to `later` what books `due`, in the order of locks; return the points.

    The rows begin with lot, holder, issuer, point currency, points to take, bucket, points out and
    held, as they were read; the holders are locked, and that the lots have ended is known. Where
    one has changed since, `later` raises `LotChangedError` as it is written. The caller writes the
    journal as well.
    """
    if not due:
        return 0
    lots, _, _, _, points, buckets, points_out, held = list(zip(*due, strict=True))[:8]
    columns = (buckets, lots, points, points_out, held)
    later.count(len(due), LotChangedError(), _TAKE_AS_READ, *columns)
    return _note(journal, due)


def _note(journal: Journal, rows: Iterable[Sequence[Any]]) -> int:
    """Add the postings of lots: id, holder, issuer, point currency, points; return the points."""
    points = 0
    kind, account = Kind.EXPIRE, Account.EXPIRED
    tills: dict[int, Till] = {}
    for lot, holder, issuer_no, currency_no, left, *_ in rows:
        till = tills.get(issuer_no)
        if till is None:
            till = Till(issuer_no, None, None, None, journal.today, journal.at)
            tills[issuer_no] = till
        for part in in_parts(left):
            journal.add(
                kind=kind,
                holder=holder,
                till=till,
                currency_no=currency_no,
                direction=OUT_OF_LOT,
                legs=[(lot, part, None)],
                account=account,
            )
        points += left
    return points


async def lock_clocks(connection: Connection, holders: Iterable[UUID]) -> None:
    """Lock the clocks of `holders`, which are locked, until the transaction ends."""
    ordered = _ordered(holders)
    await connection.execute(_LOCK_CLOCKS, [bucket_of(holder) for holder in ordered], ordered)


def _ordered(holders: Iterable[UUID]) -> list[UUID]:
    return sorted(set(holders), key=lambda holder: (bucket_of(holder), holder.bytes))
