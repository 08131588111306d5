"""What batches keep of a member: the lines that wait, until they are answered.

A line may name a card. It is kept packed while it waits, so nobody finds it by the member; once it
is answered only the answer stays, which names an id. So forgetting means to wait.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from coalition.kernel.database import Connection
from coalition.kernel.errors import Conflict
from coalition.kernel.ids import MemberId
from coalition.members.privacy import Keeper, Piece

_WAITING = """
SELECT EXISTS (SELECT FROM batch WHERE state <> 'done' AND received_at <= $1)
"""


_NOTHING: tuple[Piece, ...] = ()


class BatchesWait(Conflict):
    """Batches received before wait to be worked off, and may name the member; try again later."""

    code, title = "batches_wait", "Batches wait"


async def _export(
    connection: Connection, member_id: MemberId, at: datetime
) -> AsyncIterator[Piece]:
    del connection, member_id, at
    for piece in _NOTHING:
        yield piece


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    del member_id
    if await connection.fetchval(_WAITING, asked_at):
        raise BatchesWait


KEEPER = Keeper("batches", _export, _erase)
"""What lets an erasure end only after the lines that may name the member."""
