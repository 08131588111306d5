"""The feed read as moves: which points moved, grouped by all that a price depends on, in one query.

Everything that changes with time is the same within a span (see `pricing.PriceBook`), so a posting
only needs to know its span, and prices are found once per move and not once per posting.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from coalition.kernel.database import Connection
from coalition.kernel.ids import BUCKETS, BUCKETS_PER_SHARD
from coalition.ledger.accounts import Account, Kind
from partners.settlement.pricing import Act, Move, PriceBook

PLANS = {
    "plan_cache_mode": "force_custom_plan",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "work_mem": "64MB",
    "jit": "off",
}
"""How the planner is set in a transaction that reads moves."""

# The bucket of an id is its last ten bits; a reversal may lie in another than its original.
_BUCKET = """(((get_byte(uuid_send({0}), 14) & 3) << 8) | get_byte(uuid_send({0}), 15))::int2"""

_POSTED = """
SELECT posting.bucket, posting.id, posting.kind, posting.partner_no, posting.occurred_at,
       posting.lot, posting.points * posting.direction AS points, posting.reverses, posting.linked
FROM generate_series($1::int4, $2::int4) AS range (bucket)
CROSS JOIN LATERAL (
    SELECT * FROM posting
    WHERE posting.bucket = range.bucket AND posting.id BETWEEN $3 AND $4 {condition}
) AS posting
WHERE posting.account <> {transit}
"""

# What goes over from one member to another keeps its provenance: nothing is paid for a merge or a
# transfer. A fee in points is taken as staff would take it.
_MOVES = """
WITH posted AS MATERIALIZED ({posted}),
legs AS (
    SELECT id, bucket, lot, points FROM posted WHERE lot IS NOT NULL
    UNION ALL
    SELECT posted.id, posted.bucket, leg.lot, leg.points * leg.direction
    FROM posted
    CROSS JOIN LATERAL (
        SELECT lot, points, direction FROM leg
        WHERE leg.bucket = posted.bucket AND leg.posting = posted.id
    ) AS leg
    WHERE posted.lot IS NULL
),
sourced AS (
    SELECT legs.id, legs.points, kept.*
    FROM legs
    CROSS JOIN LATERAL (
        SELECT issuer_no, contract_no, funder_no, issue_price, prefunded_share FROM lot
        WHERE lot.bucket = legs.bucket AND lot.id = legs.lot
        UNION ALL
        SELECT issuer_no, contract_no, funder_no, issue_price, prefunded_share
        FROM lot_history AS swept WHERE swept.bucket = legs.bucket AND swept.id = legs.lot
        LIMIT 1
    ) AS kept
),
dated AS (
    SELECT posted.id, posted.partner_no,{its_bucket}
           CASE posted.kind WHEN {fee} THEN {adjustment}
               ELSE coalesce(original.kind, posted.kind) END AS act,
           width_bucket(posted.occurred_at, $5::timestamptz[]) AS span,
           width_bucket(coalesce(original.occurred_at, posted.occurred_at), $5::timestamptz[])
               AS origin_span,
           recovered.*
    FROM posted
    LEFT JOIN LATERAL (
        SELECT kind, occurred_at FROM posting
        WHERE posted.reverses IS NOT NULL AND posting.bucket = {bucket}
          AND posting.id = posted.reverses
    ) AS original ON true
    LEFT JOIN LATERAL (
        SELECT CASE WHEN min(debt.funder_no) = max(debt.funder_no) THEN min(debt.funder_no)
                    ELSE min(debt.issuer_no) END AS accepter_no,
               min(debt.contract_no) AS accept_contract_no,
               min(debt.issue_price) AS accept_price
        FROM debt_entry
        JOIN debt ON debt.bucket = debt_entry.bucket AND debt.posting = debt_entry.debt
            AND debt.lot = debt_entry.lot
        WHERE posted.kind = {recovery} AND debt_entry.bucket = posted.bucket
          AND debt_entry.debt = posted.linked AND debt_entry.posting = posted.id
    ) AS recovered ON true
),
moved AS (
    SELECT act, partner_no, span, origin_span, issuer_no, contract_no, funder_no, issue_price,
           prefunded_share, accepter_no, accept_contract_no, accept_price, id,
           sum(CASE WHEN act IN ({taking}) THEN -points ELSE points END)::int4 AS points{one_bucket}
    FROM dated JOIN sourced USING (id)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
)
SELECT act, partner_no, span, origin_span, issuer_no, contract_no, funder_no, issue_price,
       prefunded_share, accepter_no, accept_contract_no, accept_price,
       count(*)::int4, sum(points)::int8, {told}
FROM moved
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12{by}
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12{by}
"""

_TOLD = {
    "told": "string_agg(uuid_send(id) || int4send(points), ''::bytea ORDER BY id)",
    "its_bucket": "",
    "one_bucket": "",
    "by": "",
}
_OF_SHARDS = {
    "told": f"''::bytea, bucket / {BUCKETS_PER_SHARD}",
    "its_bucket": " posted.bucket,",
    "one_bucket": ", min(bucket) AS bucket",
    "by": ", 16",
}
"""The moves of each shard by itself, without their postings."""

# Money that a partner is owed by a funder, in the currency of the partner's contract: a minor unit
# stands where a posting has a point. It has no lot.
_COMPENSATIONS = """
SELECT {act}, partner_no, width_bucket(occurred_at, $5::timestamptz[]) AS span,
       width_bucket(begun_at, $5::timestamptz[]) AS origin_span, 0, 0, funder_no, 0::numeric,
       0::numeric, NULL::int4, NULL::int4, NULL::numeric, count(*)::int4, sum(points)::int8, {told}
FROM (
    SELECT made.bucket, made.id, made.partner_no, made.funder_no, made.amount_minor AS points,
           made.occurred_at, coalesce(original.occurred_at, made.occurred_at) AS begun_at
    FROM generate_series($1::int4, $2::int4) AS range (bucket)
    CROSS JOIN LATERAL (
        SELECT * FROM compensation
        WHERE compensation.bucket = range.bucket AND compensation.id BETWEEN $3 AND $4
          AND (compensation.bucket / {shard}, compensation.batch)
              IN (SELECT * FROM unnest($6::int4[], $7::uuid[]))
    ) AS made
    LEFT JOIN compensation AS original
        ON original.bucket = made.bucket AND original.id = made.reverses
) AS owed
GROUP BY partner_no, span, origin_span, funder_no{by}
ORDER BY partner_no, span, origin_span, funder_no{by}
"""


def _query(condition: str, told: Mapping[str, str] = _TOLD) -> str:
    return _MOVES.format(
        **told,
        posted=_POSTED.format(condition=condition, transit=int(Account.TRANSIT)),
        fee=int(Kind.FEE),
        adjustment=int(Kind.ADJUSTMENT),
        bucket=_BUCKET.format("posted.reverses"),
        recovery=int(Kind.RECOVERY),
        taking=", ".join(str(int(kind)) for kind in (Kind.REDEEM, Kind.EXPIRE, Kind.RECOVERY)),
    )


_QUEUED = (
    f"AND (posting.bucket / {BUCKETS_PER_SHARD}, posting.batch)"  # noqa: S608 - our own number
    " IN (SELECT * FROM unnest($6::int4[], $7::uuid[]))"
)
_COMPENSATED = _COMPENSATIONS.format(
    act=int(Act.COMPENSATE), shard=BUCKETS_PER_SHARD, told=_TOLD["told"], by=""
)
_COMPENSATED_BY_SHARD = _COMPENSATIONS.format(
    act=int(Act.COMPENSATE), shard=BUCKETS_PER_SHARD, told=_OF_SHARDS["told"], by=", 16"
)
_OF_BATCHES = _query(_QUEUED), _COMPENSATED
_BY_SHARD = _query(_QUEUED, _OF_SHARDS), _COMPENSATED_BY_SHARD
_OF_A_TIME = _query("AND posting.occurred_at >= $6 AND posting.occurred_at < $7")

_AHEAD_MS = 10 * 60 * 1000

_BATCHES = """
SELECT shard, sum(postings)::int8, string_agg(uuid_send(batch), ''::bytea ORDER BY batch)
FROM (
    SELECT shard, batch, postings FROM settlement_queue ORDER BY shard, batch LIMIT $1
) AS waiting
GROUP BY shard
"""
_QUEUE = """
SELECT shard, batch, first_posting, last_posting, postings FROM settlement_queue
WHERE shard = ANY($1::int2[]) ORDER BY shard, batch
"""
_ROWS = """
SELECT shard, batch, first_posting, last_posting, postings
FROM settlement_queue
JOIN unnest($1::int2[], $2::uuid[]) AS wanted (shard, batch) USING (shard, batch)
ORDER BY shard, batch
"""


class Queued(NamedTuple):
    """Postings of one batch of the ledger in one shard."""

    shard: int
    batch: UUID
    first_posting: UUID
    last_posting: UUID
    postings: int


class Batches(NamedTuple):
    """What waits in one shard: its batches, 16 bytes each in their order, and their postings."""

    shard: int
    postings: int
    batches: bytes


async def batches_waiting(connection: Connection, most: int) -> list[Batches]:
    """Return the `most` first batches that wait, by shard; nothing is taken."""
    return [Batches._make(row) for row in await connection.fetch(_BATCHES, most)]


async def queued(connection: Connection, shards: list[int]) -> list[Queued]:
    """Return what waits in `shards`; nothing is taken."""
    return [Queued._make(row) for row in await connection.fetch(_QUEUE, shards)]


async def queued_of(connection: Connection, keys: Sequence[tuple[int, UUID]]) -> list[Queued]:
    """Return what waits of these shards and batches."""
    rows = await connection.fetch(_ROWS, [key[0] for key in keys], [key[1] for key in keys])
    return [Queued._make(row) for row in rows]


async def moves_of(connection: Connection, waiting: list[Queued], book: PriceBook) -> list[Move]:
    """Return the moves of what was queued, of any shards, in one fixed order."""
    return [Move._make(row) for row in await _read(connection, _OF_BATCHES, waiting, book)]


async def moves_by_shard(
    connection: Connection, waiting: list[Queued], book: PriceBook
) -> list[tuple[int, Move]]:
    """Return shards and the moves that were queued in each, without their postings."""
    rows = await _read(connection, _BY_SHARD, waiting, book)
    return [(row[-1], Move._make(row[:-1])) for row in rows]


async def _read(
    connection: Connection, queries: tuple[str, str], waiting: list[Queued], book: PriceBook
) -> list[asyncpg.Record]:
    """Return the moves of what was queued: of postings, and after them of compensations."""
    if not waiting:
        return []
    shards = [one.shard for one in waiting]
    given = (
        min(shards) * BUCKETS_PER_SHARD,
        (max(shards) + 1) * BUCKETS_PER_SHARD - 1,
        min(one.first_posting for one in waiting),
        max(one.last_posting for one in waiting),
        book.boundaries,
        shards,
        [one.batch for one in waiting],
    )
    rows: list[asyncpg.Record] = []
    for query in queries:
        rows += await connection.fetch(query, *given)
    return rows


async def moves_between(
    connection: Connection,
    since: datetime,
    until: datetime,
    book: PriceBook,
    *,
    buckets: tuple[int, int] = (0, BUCKETS - 1),
) -> list[Move]:
    """Return the moves of everything that occurred from `since` until before `until`.

    Of members in `buckets`, from the first to the last. Nothing may have occurred after it was
    posted by more than the five minutes that tills have.
    """
    first = UUID(int=(int(since.timestamp() * 1000) - _AHEAD_MS) << 80)
    rows = await connection.fetch(
        _OF_A_TIME, *buckets, first, UUID(int=2**128 - 1), book.boundaries, since, until
    )
    return [Move._make(row) for row in rows]
