"""Expiry: books what has stopped being spendable; whether it can be spent is judged without it.

A run goes through the buckets range by range, each in a transaction of its own, so that no till
waits long and a run that is killed goes on where it was when it is started again.
"""

from datetime import date, datetime
from uuid import UUID

from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import BUCKETS, bucket_of
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import holders
from coalition.ledger.accounts import OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Till
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED, POSTER_ROLE

BUCKETS_AT_ONCE = 32
LOTS_AT_ONCE = 5_000


# Held points do not expire while their hold stands: they are left in the lot until it resolves.
_DUE = """
SELECT lot.id, lot.holder
FROM lot
WHERE lot.bucket BETWEEN $1 AND $2 AND lot.expires_on < $3 AND points_in > points_out + held
LIMIT $4
"""

_UNDER_LOCK = """
SELECT lot.id, lot.holder, lot.issuer_no, lot.currency_no, points_in - points_out - held
FROM unnest($1::int2[], $2::uuid[]) AS due (bucket, id)
JOIN lot ON lot.bucket = due.bucket AND lot.id = due.id
WHERE points_in > points_out + held
"""


async def expire(at: datetime, today: date) -> int:
    """Book every lot whose last day lies before `today`; return the points that were booked.

    `today` is the day of `at` in the coalition's zone. One posting per lot, at the issuer, against
    the account `expired`. Running it again books nothing twice.
    """
    await ensure_partition(at)
    points = 0
    for first in range(0, BUCKETS, BUCKETS_AT_ONCE):
        while True:

            async def book_some(first: int = first) -> int:
                return await _book_some(first, at, today)

            booked = await retrying(book_some)
            points += booked
            if not booked:
                break
    return points


async def _book_some(first: int, at: datetime, today: date) -> int:
    async with transaction(PINNED | {"enable_bitmapscan": "on"}, role=POSTER_ROLE) as connection:
        last = first + BUCKETS_AT_ONCE - 1
        due = await connection.fetch(_DUE, first, last, today, LOTS_AT_ONCE)
        if not due:
            return 0
        await holders.lock(connection, {row[1] for row in due})
        # Read again in a new statement: what was spent or held before the lock came is seen now.
        return await _book(connection, Journal(at, today), [(row[0], row[1]) for row in due])


async def _book(connection: Connection, journal: Journal, due: list[tuple[UUID, UUID]]) -> int:
    changes = LotChanges()
    points = 0
    buckets = [bucket_of(holder) for _, holder in due]
    rows = await connection.fetch(_UNDER_LOCK, buckets, [lot for lot, _ in due])
    for lot, holder, issuer_no, currency_no, left in rows:
        # A posting carries at most what its column holds; the next round books a larger rest.
        part = min(left, POINTS_MAX)
        changes.take_out(lot, holder, points=part)
        journal.add(
            kind=Kind.EXPIRE,
            holder=holder,
            till=Till(issuer_no, None, None, None, journal.today, journal.at),
            currency_no=currency_no,
            direction=OUT_OF_LOT,
            legs=[(lot, part, None)],
            account=Account.EXPIRED,
        )
        points += part
    await changes.write(connection)
    await journal.write(connection)
    return points
