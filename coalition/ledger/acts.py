"""What postings did, for those who watch the tills: by batch, by cashier, and nearly twice."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import uuid7

# The postings of a batch are made in one millisecond, so their ids lie together. OFFSET 0 keeps the
# planner from turning the look-up round while the table is small. Tills make the kinds 1 to 3:
# issues, redemptions, reversals.
_OF_BATCHES = """
SELECT kept.*
FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[])
    AS wanted (partner_no, first, last, batch), LATERAL (
    SELECT id, kind, holder, partner_no, store_no, client_no, cashier, occurred_at, points,
           purchase_minor IS NULL AS is_manual
    FROM posting
    WHERE partner_no = wanted.partner_no AND id BETWEEN wanted.first AND wanted.last
        AND batch = wanted.batch AND kind BETWEEN 1 AND 3
    OFFSET 0) AS kept
"""

_BY_CASHIER = """
WITH seen AS (
    SELECT partner_no, cashier, holder,
           count(*) FILTER (WHERE kind = 1) AS issues,
           coalesce(sum(points) FILTER (WHERE kind = 1), 0) AS issued,
           coalesce(sum(points) FILTER (WHERE kind = 1 AND purchase_minor IS NULL), 0) AS manual,
           count(*) FILTER (WHERE kind = 2) AS redemptions,
           coalesce(sum(points) FILTER (WHERE kind = 2), 0) AS redeemed,
           count(*) FILTER (WHERE kind = 3) AS reversals
    FROM posting
    WHERE id >= $1 AND kind BETWEEN 1 AND 3 AND ($2::int4 IS NULL OR partner_no = $2)
        AND cashier IS NOT NULL
    GROUP BY partner_no, cashier, holder
)
SELECT partner_no, cashier, sum(issues)::int8 AS issues, sum(issued)::int8 AS issued_points,
       sum(manual)::int8 AS manual_points, sum(redemptions)::int8 AS redemptions,
       sum(redeemed)::int8 AS redeemed_points, sum(reversals)::int8 AS reversals,
       count(*) AS members, max(issued)::int8 AS points_of_one_member,
       (array_agg(holder ORDER BY issued DESC, holder))[1] AS member
FROM seen GROUP BY partner_no, cashier ORDER BY partner_no, cashier
"""

_NEARLY_TWICE = """
SELECT partner_no, store_no, kind, holder, coalesce(purchase_minor, points) AS amount,
       purchase_currency, before_id, before_receipt, before_at, id, receipt, occurred_at
FROM (
    SELECT *,
           lag(id) OVER same AS before_id, lag(receipt) OVER same AS before_receipt,
           lag(occurred_at) OVER same AS before_at
    FROM posting
    WHERE id >= $1 AND kind BETWEEN 1 AND 2 AND ($3::int4 IS NULL OR partner_no = $3)
    WINDOW same AS (
        PARTITION BY partner_no, store_no, kind, holder, coalesce(purchase_minor, points),
                     purchase_currency
        ORDER BY occurred_at, id)
) AS pairs
WHERE before_receipt <> receipt AND occurred_at - before_at <= $2
ORDER BY id DESC LIMIT $4
"""


class Recorded(NamedTuple):
    """A posting that a till made."""

    id: UUID
    kind: int
    holder: UUID
    partner_no: int
    store_no: int | None
    client_no: int | None
    cashier: str | None
    occurred_at: datetime
    points: int
    is_manual: bool


class CashierRow(NamedTuple):
    """What was done under one cashier's name; `member` got the most points, so many of them."""

    partner_no: int
    cashier: str
    issues: int
    issued_points: int
    manual_points: int
    redemptions: int
    redeemed_points: int
    reversals: int
    members: int
    points_of_one_member: int
    member: UUID


class NearlyTwice(NamedTuple):
    """Two postings of one member, store and amount within minutes, on different receipts."""

    partner_no: int
    store_no: int | None
    kind: int
    member: UUID
    amount: int
    currency: str | None
    """Of the purchase; None where `amount` is points."""
    first: UUID
    first_receipt: str
    first_at: datetime
    second: UUID
    second_receipt: str
    second_at: datetime


async def of_batches(
    connection: Connection, batches: Collection[tuple[UUID, int]]
) -> list[Recorded]:
    """Return what tills posted in each of `batches`, named with the partner whose postings count.

    Postings of other kinds, and by other partners, are left out.
    """
    firsts = [batch.int >> 80 << 80 for batch, _ in batches]
    rows = await connection.fetch(
        _OF_BATCHES,
        [partner_no for _, partner_no in batches],
        [UUID(int=first) for first in firsts],
        [UUID(int=first | (1 << 80) - 1) for first in firsts],
        [batch for batch, _ in batches],
    )
    return [Recorded(*row) for row in rows]


async def by_cashier(
    connection: Connection, since: datetime, *, partner_no: int | None = None
) -> list[CashierRow]:
    """Return what each cashier has done since; postings without a cashier are left out."""
    return [CashierRow(*row) for row in await connection.fetch(_BY_CASHIER, _id(since), partner_no)]


async def nearly_twice(
    connection: Connection,
    since: datetime,
    *,
    within: timedelta,
    partner_no: int | None = None,
    limit: int = 100,
) -> list[NearlyTwice]:
    """Return pairs that look like one purchase on two receipts, the latest first."""
    rows = await connection.fetch(_NEARLY_TWICE, _id(since), within, partner_no, limit)
    return [NearlyTwice(*row) for row in rows]


def _id(since: datetime) -> UUID:
    """Return the least id of a posting that was made since."""
    return UUID(int=uuid7(since).int >> 80 << 80)
