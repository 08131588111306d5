"""Claims of receipts: each earns once and pays once per store and business day, across members."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import lru_cache
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.ids import bucket_of, digest_of, framed, uuid_from_bytes
from coalition.ledger.accounts import Kind

_CLAIM = """
INSERT INTO receipt_claim (bucket, digest, batch)
SELECT bucket, digest, $3 FROM unnest($1::int2[], $2::uuid[]) AS claimed (bucket, digest)
ON CONFLICT DO NOTHING
RETURNING true
"""

_CLAIM_UNUSED = """
INSERT INTO receipt_claim (bucket, digest, batch)
SELECT bucket, digest, $3 FROM unnest($1::int2[], $2::uuid[]) AS claimed (bucket, digest)
RETURNING true
"""

# Only where some were used. Whoever used one has committed, or the claim would have waited for it.
_USED = """
SELECT kept.digest
FROM unnest($1::int2[], $2::uuid[]) AS claimed (bucket, digest), LATERAL (
    SELECT digest, batch FROM receipt_claim
    WHERE receipt_claim.bucket = claimed.bucket AND receipt_claim.digest = claimed.digest
    OFFSET 0) AS kept
WHERE kept.batch <> $3
"""

_GIVE_BACK = """
DELETE FROM receipt_claim USING unnest($1::int2[], $2::uuid[]) AS refused (bucket, digest)
WHERE receipt_claim.bucket = refused.bucket AND receipt_claim.digest = refused.digest
"""

_FIND = "SELECT batch FROM receipt_claim WHERE bucket = $1 AND digest = $2"

USED_ONCE = "a_receipt_is_used_once"
"""The constraint that a receipt which was used before violates."""

_ALL = "receipts are claimed or violate their constraint"


def digest(
    *, partner_no: int, store_no: int | None, receipt: str, business_day: date, kind: Kind
) -> bytes:
    """Return the digest under which a receipt is claimed for a kind of posting.

    The business day leads, so that the claims of one day lie together in the index.
    """
    day, before, after = _around(partner_no, store_no, business_day, kind)
    length = len(receipt) if receipt.isascii() else len(receipt.encode())
    return day + digest_of(f"{before}{length}:{receipt}{after}".encode())[3:]


@lru_cache(maxsize=4096)
def _around(
    partner_no: int, store_no: int | None, business_day: date, kind: Kind
) -> tuple[bytes, str, str]:
    """Return how the digests of a store and a day begin, and what is around the receipt in them."""
    day = (business_day.toordinal() & 0xFFFFFF).to_bytes(3, "big")
    return day, framed(partner_no, store_no or 0).decode(), framed(kind).decode()


def _arrays(digests: Collection[bytes]) -> tuple[list[int], list[bytes]]:
    """Return buckets and digests in (bucket, digest) order, in which all sessions lock them."""
    rows = sorted([((digest[14] & 3) << 8 | digest[15], digest) for digest in digests])
    return [bucket for bucket, _ in rows], [digest for _, digest in rows]


async def claim(connection: Connection, digests: Collection[bytes], batch: UUID) -> set[bytes]:
    """Claim `digests` (distinct) for `batch`, a new one; return those that were used before."""
    buckets, ids = _arrays(digests)
    # Rows and not the command's tag, which on Citus counts what met a conflict too.
    claimed = await connection.fetch(_CLAIM, buckets, ids, batch)
    used = len(ids) - len(claimed)
    if not used:
        return set()
    known = await used_of(connection, digests, batch)
    assert len(known) == used, "claims are given up only by the transaction that made them"
    return known


async def used_of(connection: Connection, digests: Collection[bytes], batch: UUID) -> set[bytes]:
    """Return which of `digests` (distinct) others than `batch` have claimed."""
    rows = await connection.fetch(_USED, *_arrays(digests), batch)
    return {row[0].bytes for row in rows}


def claim_unused(later: Later, digests: Collection[bytes], batch: UUID) -> None:
    """Leave it to `later` to claim `digests` (distinct), which are thought to be unused.

    That is before whatever waits so far: receipts are locked before lots. Writing it raises a
    `UniqueViolationError` of `USED_ONCE` if they are not.
    """
    given = *_arrays(digests), batch
    all_are = AssertionError(_ALL)
    later.count(len(digests), all_are, _CLAIM_UNUSED, *given, comes_first=True)


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
