"""Postings that are to be reversed, as they were made and with what of them was since."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.accounts import Kind
from coalition.ledger.rules import ReturnableLeg

# OFFSET 0 keeps the planner from turning the look-ups round while the tables are small.
_READ = """
SELECT kept.id, kept.holder, kept.partner_no, kept.kind, kept.currency_no,
       coalesce(leg.lot, kept.lot), coalesce(leg.points, kept.points),
       coalesce(returned.reversed, 0),
       coalesce((SELECT true FROM passage
                 WHERE passage.bucket = wanted.bucket AND passage.act = wanted.id LIMIT 1), false)
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id)
CROSS JOIN LATERAL (
    SELECT * FROM posting WHERE posting.bucket = wanted.bucket AND posting.id = wanted.id
    OFFSET 0) AS kept
LEFT JOIN LATERAL (
    SELECT * FROM leg WHERE leg.bucket = wanted.bucket AND leg.posting = wanted.id
    OFFSET 0) AS leg ON true
LEFT JOIN LATERAL (
    SELECT reversed FROM reversed_leg
    WHERE bucket = wanted.bucket AND posting = wanted.id AND lot = coalesce(leg.lot, kept.lot)
    OFFSET 0) AS returned ON true
ORDER BY kept.id, leg.no
"""

REVERSED = """
INSERT INTO reversed_leg AS kept (bucket, posting, lot, moved, reversed)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int4[])
ON CONFLICT (bucket, posting, lot) DO UPDATE SET reversed = kept.reversed + excluded.reversed
"""
"""Counts points of legs, each with what it had moved, as reversed."""


class KeptPosting(NamedTuple):
    """A posting as it was made, with its legs in order and what of each was reversed since."""

    id: UUID
    holder: UUID
    partner_no: int
    kind: int
    currency_no: int
    has_passages: bool
    """Whether points of others passed for it, or some of its own went on to others."""
    legs: list[ReturnableLeg]

    @property
    def gave(self) -> bool:
        """Tell whether it gave points, so that a reversal takes them back."""
        return self.kind in (Kind.ISSUE, Kind.BENEFIT)


async def read_postings(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, KeptPosting]:
    """Return each of the postings `ids` that exists."""
    wanted = list(ids)
    buckets = [bucket_of(posting) for posting in wanted]
    found: dict[UUID, KeptPosting] = {}
    for row in await connection.fetch(_READ, buckets, wanted):
        kept = found.get(row[0])
        if kept is None:
            kept = found[row[0]] = KeptPosting._make([*row[:5], row[8], []])
        kept.legs.append(ReturnableLeg(row[5], row[6], row[7]))
    return found
