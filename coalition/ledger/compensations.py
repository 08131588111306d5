"""Compensations: what a partner let a member have for its membership in money, and who pays it.

They move no points. Each is a fact that waits for settlement as a posting does: the partner is paid
what the funder is charged, in the currency of the partner's contract. The money of what is taken
back goes the other way, at most once.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, ids_of, shard_of, uuid7

_ADD = """
INSERT INTO compensation (batch, committed_at, bucket, id, holder, partner_no, funder_no,
    amount_minor, receipt, store_no, reason, occurred_at, reverses)
SELECT $1, $2, * FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::int4[], $7::int4[], $8::int4[],
    $9::text[], $10::int4[], $11::text[], $12::timestamptz[], $13::uuid[])
"""

_QUEUE = """
INSERT INTO settlement_queue (shard, batch, first_posting, last_posting, postings)
SELECT shard, $1, first_id, last_id, number
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::int4[])
    AS told (shard, first_id, last_id, number)
"""

_READ = """
SELECT kept.id, kept.holder, kept.partner_no, kept.funder_no, kept.amount_minor, kept.receipt,
    kept.store_no, kept.reason, kept.occurred_at, kept.reverses
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id)
JOIN compensation AS kept ON kept.bucket = wanted.bucket AND kept.id = wanted.id
ORDER BY kept.id
"""


class Compensation(NamedTuple):
    """Money that a funder owes a partner for what a member had; below zero what goes back."""

    holder: UUID
    partner_no: int
    funder_no: int
    """Another partner, or 0 for the operator."""
    amount_minor: int
    receipt: str
    store_no: int | None
    reason: str
    occurred_at: datetime
    reverses: UUID | None = None


async def book(
    connection: Connection, wanted: Sequence[Compensation], *, at: datetime
) -> list[UUID]:
    """Write compensations down in the caller's transaction; return their ids, in order."""
    if not wanted:
        return []
    batch, new_id = uuid7(at), ids_of(at)
    ids = [new_id(bucket_of(one.holder)) for one in wanted]
    rows = [(bucket_of(one.holder), of, *one) for of, one in zip(ids, wanted, strict=True)]
    await connection.execute(_ADD, batch, at, *zip(*rows, strict=True))
    shards: dict[int, list[UUID]] = defaultdict(list)
    for of, one in zip(ids, wanted, strict=True):
        shards[shard_of(bucket_of(one.holder))].append(of)
    queued = [(shard, min(some), max(some), len(some)) for shard, some in shards.items()]
    await connection.execute(_QUEUE, batch, *zip(*queued, strict=True))
    return ids


async def take_back(
    connection: Connection, ids: Collection[UUID], *, occurred_at: datetime, at: datetime
) -> list[UUID]:
    """Let what was paid go back, each whole; return the ids of what does it.

    The caller has made sure that none of them was taken back before; the database refuses it.
    """
    wanted = sorted(ids)
    rows = await connection.fetch(_READ, [bucket_of(one) for one in wanted], wanted)
    assert len(rows) == len(wanted), "what is taken back was booked here"
    back = []
    for row in rows:
        one = Compensation._make(tuple(row)[1:])
        given = one._replace(amount_minor=-one.amount_minor, occurred_at=occurred_at)
        back.append(given._replace(reverses=row["id"]))
    return await book(connection, back, at=at)
