"""Claims of receipts: each earns once and pays once per store and business day, across members."""

from collections.abc import Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, uuid_from_bytes

_CLAIM = """
INSERT INTO receipt_claim (bucket, digest, batch)
SELECT bucket, digest, $3 FROM unnest($1::int2[], $2::uuid[]) AS claimed (bucket, digest)
ON CONFLICT DO NOTHING
RETURNING digest
"""

_GIVE_BACK = """
DELETE FROM receipt_claim USING unnest($1::int2[], $2::uuid[]) AS refused (bucket, digest)
WHERE receipt_claim.bucket = refused.bucket AND receipt_claim.digest = refused.digest
"""


def _arrays(digests: Sequence[bytes]) -> tuple[list[int], list[UUID]]:
    ids = [uuid_from_bytes(digest) for digest in sorted(digests, key=_lock_order)]
    return [bucket_of(digest) for digest in ids], ids


def _lock_order(digest: bytes) -> tuple[int, bytes]:
    return int.from_bytes(digest[14:], "big") & 1023, digest


async def claim(connection: Connection, digests: Sequence[bytes], batch: UUID) -> set[bytes]:
    """Claim `digests` (distinct) for `batch`; return those that were free."""
    rows = await connection.fetch(_CLAIM, *_arrays(digests), batch)
    return {row[0].bytes for row in rows}


async def give_back(connection: Connection, digests: Sequence[bytes]) -> None:
    """Give up claims of drafts that this transaction then refused; a refusal leaves nothing."""
    if digests:
        await connection.execute(_GIVE_BACK, *_arrays(digests))
