"""Claims of receipts: each earns once and pays once per store and business day, across members."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, digest16, uuid_from_bytes
from coalition.ledger.accounts import Kind

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

_FIND = "SELECT batch FROM receipt_claim WHERE bucket = $1 AND digest = $2"


def digest(
    *, partner_no: int, store_no: int | None, receipt: str, business_day: date, kind: Kind
) -> bytes:
    """Return the digest under which a receipt is claimed for a kind of posting.

    The business day leads, so that the claims of one day lie together in the index.
    """
    day = (business_day.toordinal() & 0xFFFFFF).to_bytes(3, "big")
    return day + digest16(partner_no, store_no or 0, receipt, kind)[3:]


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


async def batches_of(
    connection: Connection,
    *,
    partner_no: int,
    store_no: int | None,
    receipt: str,
    business_day: date,
) -> list[UUID]:
    """Return the batches, each once, in which a receipt earned, paid and exchanged."""
    found: list[UUID] = []
    for kind in (Kind.ISSUE, Kind.REDEEM, Kind.CONVERSION):
        claimed = digest(
            partner_no=partner_no,
            store_no=store_no,
            receipt=receipt,
            business_day=business_day,
            kind=kind,
        )
        key = uuid_from_bytes(claimed)
        batch = await connection.fetchval(_FIND, bucket_of(key), key)
        if batch is not None and batch not in found:
            found.append(batch)
    return found
