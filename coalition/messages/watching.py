"""What staff see of e-mails: how many wait and failed, those of a member, and sending again."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.messages.refusals import UnknownMessage
from coalition.oversight import audit_log

FAILED_SINCE = timedelta(days=7)

_WAITING = """
SELECT count(*) AS waiting, min(email_due_at) AS oldest_due FROM message WHERE email = 'waiting'
"""
_FAILED = "SELECT count(*) FROM message WHERE email = 'failed' AND email_settled_at > $1"
_LIST = """
SELECT id AS message_id, said_at, kind, purpose, language, subject, read_at, email,
    email_attempts AS attempts, email_due_at AS due_at, email_settled_at AS settled_at,
    email_error AS error
FROM message WHERE bucket = $1 AND member_id = $2 ORDER BY id DESC LIMIT $3
"""
_AGAIN = """
UPDATE message SET email = 'waiting', email_attempts = 0, email_due_at = $3,
    email_settled_at = NULL
WHERE bucket = $1 AND id = $2 AND email <> 'waiting' RETURNING true
"""
_FAILED_AGAIN = """
UPDATE message SET email = 'waiting', email_attempts = 0, email_due_at = $1,
    email_settled_at = NULL
WHERE email = 'failed' AND email_settled_at >= $2
"""
_IS_THERE = "SELECT true FROM message WHERE bucket = $1 AND id = $2"


class Waiting(NamedTuple):
    """How many e-mails wait, since when the first is due, and how many failed within a week."""

    waiting: int
    oldest_due: datetime | None
    failed: int


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A message as staff see it: its subject, and what became of its e-mail, not its body."""

    message_id: UUID
    said_at: datetime
    kind: str
    purpose: str
    language: str
    subject: str
    read_at: datetime | None
    email: str
    attempts: int
    due_at: datetime | None
    settled_at: datetime | None
    error: str | None


async def read(connection: Connection, at: datetime) -> Waiting:
    """Return how sending goes."""
    row = await connection.fetchrow(_WAITING)
    failed = await connection.fetchval(_FAILED, at - FAILED_SINCE)
    return Waiting(row["waiting"], row["oldest_due"], failed)


async def of_member(connection: Connection, member: MemberId, *, most: int) -> list[Sent]:
    """Return messages of a member, the latest first."""
    rows = await connection.fetch(_LIST, bucket_of(member), member, most)
    return [msgspec.convert(dict(row), Sent) for row in rows]


async def send_again(message_id: UUID, *, actor: str, at: datetime) -> bool:
    """Let an e-mail be sent now, also one that was sent; False where it waits already.

    Raises `UnknownMessage`.
    """
    async with transaction() as connection:
        place = bucket_of(message_id), message_id
        if not await connection.fetchval(_IS_THERE, *place):
            raise UnknownMessage("There is no such message; list those of its member")
        is_news = await connection.fetchval(_AGAIN, *place, at)
        if is_news:
            await _record(connection, f"message:{message_id}", 1, actor=actor, at=at)
    return bool(is_news)


async def send_failed_again(*, since: datetime, actor: str, at: datetime) -> int:
    """Let all e-mails be sent that have failed since `since`; return how many."""
    async with transaction() as connection:
        done = await connection.execute(_FAILED_AGAIN, at, since)
        count = int(done.rpartition(" ")[2])
        if count:
            await _record(connection, "messages", count, actor=actor, at=at)
    return count


async def _record(
    connection: Connection, subject: str, count: int, *, actor: str, at: datetime
) -> None:
    await audit_log.record(
        connection,
        actor=actor,
        action="message.sent_again",
        subject=subject,
        facts={"messages": count},
        at=at,
    )
