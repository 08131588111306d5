"""What messages keep of a member: for its copy, and for forgetting it, words and all."""

from collections.abc import AsyncIterator
from datetime import datetime

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members.privacy import Keeper, Piece
from coalition.messages import tongues

_ALL = """
SELECT id AS message_id, kind, purpose, language, subject, body, path, said_at, read_at, email,
    email_settled_at
FROM message WHERE bucket = $1 AND member_id = $2 ORDER BY id
"""
_FORGET = (
    "DELETE FROM message WHERE bucket = $1 AND member_id = $2",
    "DELETE FROM message_language WHERE bucket = $1 AND member_id = $2",
)


async def _export(
    connection: Connection, member_id: MemberId, at: datetime
) -> AsyncIterator[Piece]:
    del at

    async def rows() -> AsyncIterator[dict[str, object]]:
        for row in await connection.fetch(_ALL, bucket_of(member_id), member_id):
            yield dict(row)

    yield "messages", rows()
    yield "language_of_messages", await tongues.chosen(connection, member_id)


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    del asked_at
    for statement in _FORGET:
        await connection.execute(statement, bucket_of(member_id), member_id)


KEEPER = Keeper("messages", _export, _erase)
