"""When a membership is to be looked at again: a month of it begins, or something has changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_LOOK_AGAIN = """
INSERT INTO benefit_schedule AS kept (bucket, member_id, membership_id, due_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (bucket, member_id, membership_id) DO UPDATE
SET due_at = least(kept.due_at, excluded.due_at)
"""

# A row that another worker is at is left to it.
_DUE = """
SELECT member_id, membership_id, months_from FROM benefit_schedule
WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

_NEXT = """
UPDATE benefit_schedule AS kept SET months_from = told.months_from, due_at = told.due_at
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[])
    AS told (bucket, member_id, membership_id, months_from, due_at)
WHERE kept.bucket = told.bucket AND kept.member_id = told.member_id
    AND kept.membership_id = told.membership_id
"""


_OLDEST = """
SELECT min(due_at) FROM benefit_schedule WHERE due_at <= $1
"""


class Due(NamedTuple):
    """A membership that is due; its months count from `months_from`, once they do."""

    member: MemberId
    membership_id: UUID
    months_from: datetime | None


class Next(NamedTuple):
    """When a membership is due next, and since when its months count; None is not at all."""

    member: MemberId
    membership_id: UUID
    months_from: datetime | None
    due_at: datetime | None


async def look_again(
    connection: Connection, member: MemberId, membership_id: UUID, at: datetime
) -> None:
    """Let a membership be due at `at`, or earlier if it is already."""
    await connection.execute(_LOOK_AGAIN, bucket_of(member), member, membership_id, at)


async def take_due(connection: Connection, at: datetime, most: int) -> list[Due]:
    """Return at most so many memberships that are due, and lock them until the transaction ends."""
    return [Due._make(row) for row in await connection.fetch(_DUE, at, most)]


async def set_next(connection: Connection, looked_at: Sequence[Next]) -> None:
    """Write down when memberships, which the caller has locked, are due again."""
    rows = [(bucket_of(one.member), *one) for one in looked_at]
    if rows:
        await connection.execute(_NEXT, *zip(*rows, strict=True))


async def late_s(connection: Connection, at: datetime) -> float:
    """Return for how many seconds a membership is due that nobody has looked at; 0 for none."""
    oldest = await connection.fetchval(_OLDEST, at)
    return 0.0 if oldest is None else float((at - oldest).total_seconds())
