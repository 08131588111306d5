"""The mark of holders whose points others spend, or who spend or earn for others."""

from collections.abc import Mapping
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of

_MARK = """
UPDATE holder SET shares = given.shares
FROM unnest($1::int2[], $2::uuid[], $3::bool[]) AS given (bucket, id, shares)
WHERE holder.bucket = given.bucket AND holder.id = given.id AND holder.shares <> given.shares
"""


async def mark(connection: Connection, shares: Mapping[UUID, bool]) -> None:
    """Set or take the mark of holders, all locked by the caller."""
    await connection.execute(
        _MARK, [bucket_of(holder) for holder in shares], list(shares), list(shares.values())
    )
