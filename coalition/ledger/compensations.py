"""Compensations: what a partner let a member have for its membership in money, and who pays it.

They move no points. Each is a fact that waits for settlement as a posting does: the partner is paid
what the funder is charged, in the currency of the partner's contract. The money of what is taken
back, whole or in parts, goes the other way, and never more of it than was paid.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, ids_of, shard_of, uuid7

_ADD = """
INSERT INTO compensation (batch, committed_at, bucket, id, holder, partner_no, funder_no,
    amount_minor, receipt, store_no, reason, occurred_at, reverses, back_no, left_minor)
SELECT $1, $2, * FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::int4[], $7::int4[], $8::int4[],
    $9::text[], $10::int4[], $11::text[], $12::timestamptz[], $13::uuid[], $14::int4[],
    $15::int4[])
"""

_QUEUE = """
INSERT INTO settlement_queue (shard, batch, first_posting, last_posting, postings)
SELECT shard, $1, first_id, last_id, number
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::int4[])
    AS told (shard, first_id, last_id, number)
"""

_READ = """
SELECT kept.id, kept.holder, kept.partner_no, kept.funder_no, kept.amount_minor, kept.receipt,
    kept.store_no, kept.reason, kept.occurred_at, kept.reverses, back.parts,
    kept.amount_minor + back.amount AS left_minor
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id)
JOIN compensation AS kept ON kept.bucket = wanted.bucket AND kept.id = wanted.id
CROSS JOIN LATERAL (
    SELECT count(*)::int4 AS parts, coalesce(sum(amount_minor), 0)::int4 AS amount
    FROM compensation WHERE bucket = wanted.bucket AND reverses = wanted.id
) AS back
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
    back_no: int = 1
    """Of what takes back: which part it is, and what is left after it of what was paid."""
    left_minor: int = 0


class Standing(NamedTuple):
    """A compensation as it was booked, and what of it has not been taken back, in minor units."""

    id: UUID
    booked: Compensation
    parts: int
    left_minor: int


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


async def standing(connection: Connection, ids: Collection[UUID]) -> list[Standing]:
    """Return compensations as they stand, in the order of their ids."""
    wanted = sorted(ids)
    rows = await connection.fetch(_READ, [bucket_of(one) for one in wanted], wanted)
    assert len(rows) == len(wanted), "what is taken back was booked here"
    return [
        Standing(row["id"], Compensation(*tuple(row)[1:-2]), row["parts"], row["left_minor"])
        for row in rows
    ]


async def take_back(
    connection: Connection, parts: Mapping[UUID, int], *, occurred_at: datetime, at: datetime
) -> list[UUID]:
    """Let so many minor units of each go back, no more than is left; return what does it."""
    back = [
        of.booked._replace(
            amount_minor=-parts[of.id],
            occurred_at=occurred_at,
            reverses=of.id,
            back_no=of.parts + 1,
            left_minor=of.left_minor - parts[of.id],
        )
        for of in await standing(connection, parts.keys())
    ]
    return await book(connection, back, at=at)
