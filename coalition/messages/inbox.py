"""The member's inbox: what was said to it, also as who it was before a merge."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members import queries
from coalition.messages.refusals import UnknownMessage
from coalition.messages.saying import Purpose

_FIELDS = "id AS message_id, kind, purpose, language, subject, body, path, said_at, read_at"
_PAGE = f"""
SELECT {_FIELDS} FROM message
WHERE bucket = ANY ($1) AND member_id = ANY ($2) AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4
"""  # noqa: S608 - names of our own
_ONE = f"""
SELECT {_FIELDS} FROM message WHERE bucket = $1 AND id = $2 AND member_id = ANY ($3)
"""  # noqa: S608 - ours
_UNREAD = """
SELECT count(*) FROM message
WHERE bucket = ANY ($1) AND member_id = ANY ($2) AND read_at IS NULL
"""
_READ = """
UPDATE message SET read_at = greatest($3, said_at)
WHERE bucket = $1 AND id = $2 AND member_id = ANY ($4) AND read_at IS NULL
"""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as its member reads it; `path` is the page of ours that it leads to."""

    message_id: UUID
    kind: str
    purpose: Purpose
    language: str
    subject: str
    body: str
    path: str | None
    said_at: datetime
    read_at: datetime | None


async def page(
    connection: Connection, member: MemberId, *, before: UUID | None, limit: int
) -> list[Message]:
    """Return messages of a member, the latest first; only those before `before`, if given."""
    everyone = await _everyone(connection, member)
    rows = await connection.fetch(_PAGE, _buckets(everyone), everyone, before, limit)
    return [msgspec.convert(dict(row), Message) for row in rows]


async def unread(connection: Connection, member: MemberId) -> int:
    """Return how many messages the member has not read."""
    everyone = await _everyone(connection, member)
    count: int = await connection.fetchval(_UNREAD, _buckets(everyone), everyone)
    return count


async def read(connection: Connection, member: MemberId, message_id: UUID, at: datetime) -> Message:
    """Return a message of the member's, which is read from now on; the first time counts.

    Raises `UnknownMessage`.
    """
    everyone = await _everyone(connection, member)
    await connection.execute(_READ, bucket_of(message_id), message_id, at, everyone)
    row = await connection.fetchrow(_ONE, bucket_of(message_id), message_id, everyone)
    if row is None:
        raise UnknownMessage
    return msgspec.convert(dict(row), Message)


async def _everyone(connection: Connection, member: MemberId) -> list[MemberId]:
    """Return the member, and whom it was before merges."""
    return [member, *await queries.merged_into(connection, member)]


def _buckets(members: list[MemberId]) -> list[int]:
    return sorted({bucket_of(one) for one in members})
