"""Sends what waits, by e-mail: each at least once, and nearly always once.

A message is taken before it is handed over, by moving on when it is due. Whoever dies in between
leaves it due again after `LEASE`: it is not lost, and may come twice, with one Message-ID. There is
no way to have both, since a mail server's yes and our commit are two.
"""

from datetime import datetime
from email.message import EmailMessage
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import structlog

from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members import queries
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened
from coalition.messages import mails, saying, unsubscribing
from coalition.messages.inbox import Message
from coalition.messages.mails import Letterhead, UnwritableAddressError
from coalition.messages.office import Answer, Counter, Fate, MailServerAwayError, Office
from coalition.messages.rules import LEASE, STALE_AFTER, pause_after
from coalition.messages.saying import Purpose

AT_ONCE = 200

_DUE = """
SELECT id FROM message WHERE email = 'waiting' AND email_due_at <= $1
ORDER BY email_due_at, id LIMIT $2
"""
_LET_BE = """
UPDATE message SET email = 'failed', email_due_at = NULL, email_settled_at = $1,
    email_error = 'it waited for too long'
WHERE email = 'waiting' AND email_attempts = 0 AND email_due_at <= $2
"""
_TAKE = """
UPDATE message SET email_due_at = $4, email_attempts = email_attempts + 1
WHERE bucket = $1 AND id = $2 AND email = 'waiting' AND email_due_at <= $3
RETURNING id AS message_id, kind, purpose, language, subject, body, path, said_at, read_at,
    member_id, email_attempts
"""
_SETTLE = """
UPDATE message SET email = $3, email_due_at = NULL, email_settled_at = $4, email_error = $5
WHERE bucket = $1 AND id = $2 AND email = 'waiting'
"""
_WAIT = """
UPDATE message SET email_due_at = $3, email_error = $4
WHERE bucket = $1 AND id = $2 AND email = 'waiting'
"""

_logger = structlog.get_logger(__name__)


class Post(NamedTuple):
    """What sending needs: the mail server, our address (no slash at its end), and our keys."""

    office: Office
    home: str
    keys: MemberKeys


class _Taken(NamedTuple):
    message: Message
    member: MemberId
    attempts: int


class _Nobody(Exception):  # noqa: N818 - no error: there is nobody to send it to
    """There is nobody to send it to, and why."""


async def send_due(post: Post, clock: Clock) -> int:
    """Send all that is due; return how many the mail server took.

    It ends early where the server takes nothing now, and takes nothing up where it is away.
    Several may run at once.
    """
    async with transaction() as connection:
        await connection.execute(_LET_BE, clock.now(), clock.now() - STALE_AFTER)
    if not await _due(clock.now()):
        return 0
    try:
        async with post.office.open() as counter:
            return await _send_all(post, counter, clock)
    except MailServerAwayError as error:
        _logger.error("mail_server_away", why=str(error))  # noqa: TRY400 - its codes say all
        return 0


async def _send_all(post: Post, counter: Counter, clock: Clock) -> int:
    sent = 0
    while due := await _due(clock.now()):
        for message_id in due:
            fate = await _send(post, counter, message_id, clock)
            sent += fate is Fate.TAKEN
            if fate is Fate.NOT_NOW:
                return sent
    return sent


async def _due(at: datetime) -> list[UUID]:
    async with transaction() as connection:
        rows = await connection.fetch(_DUE, at, AT_ONCE)
    return [row["id"] for row in rows]


async def _send(post: Post, counter: Counter, message_id: UUID, clock: Clock) -> Fate | None:
    """Send one message; return what became of it, None where there was nothing to send."""
    at = clock.now()
    place = bucket_of(message_id), message_id
    async with transaction() as connection:
        row = await connection.fetchrow(_TAKE, *place, at, at + LEASE)
    if row is None:
        return None
    taken = _taken(row)
    try:
        async with transaction() as connection:
            recipient = await _recipient(connection, taken, post.keys)
    except _Nobody as why:
        await _settle(taken, "none", str(why), clock.now())
        return None
    except UnwritableAddressError:
        await _settle(taken, "failed", "the address cannot be written to", clock.now())
        return None
    try:
        mail = _mail(post, taken, recipient)
    except ValueError:  # of a header, which would stop all others that wait
        await _settle(taken, "failed", "the message cannot be written", clock.now())
        return None
    answer = await counter.hand_over(mail, recipient)
    await _note(taken, answer, clock.now())
    return answer.fate


def _taken(row: asyncpg.Record) -> _Taken:
    known = {name: row[name] for name in Message.__struct_fields__}
    message = msgspec.convert(known, Message)
    return _Taken(message, MemberId(row["member_id"]), row["email_attempts"])


async def _recipient(connection: Connection, taken: _Taken, keys: MemberKeys) -> str:
    """Return where the message goes. Raises `_Nobody` or `UnwritableAddressError`."""
    member = await queries.survivor(connection, taken.member)
    stored = await queries.read(connection, member)
    if stored is None or stored.sealed is None:
        raise _Nobody("the member is forgotten")
    person, _ = opened(stored, member_id=member, keys=keys)
    if person.email is None:
        raise _Nobody("the member has no address")
    is_marketing = taken.message.purpose is Purpose.MARKETING
    if is_marketing and not await saying.wants_marketing(connection, member):
        raise _Nobody("the member does not want it")
    return mails.recipient_of(person.email)


def _mail(post: Post, taken: _Taken, recipient: str) -> EmailMessage:
    office = post.office
    head = Letterhead(sender=office.sender, domain=office.domain, home=post.home)
    no_more = None
    if taken.message.purpose is Purpose.MARKETING:
        no_more = post.home + unsubscribing.path_of(taken.member, post.keys)
    return mails.mail_of(taken.message, recipient, head, no_more=no_more)


async def _note(taken: _Taken, answer: Answer, at: datetime) -> None:
    """Write down what became of an attempt."""
    if answer.fate is Fate.TAKEN:
        await _settle(taken, "sent", None, at)
        return
    pause = pause_after(taken.attempts)
    _logger.warning(
        "email_not_taken",
        message=str(taken.message.message_id),
        attempts=taken.attempts,
        fate=answer.fate.value,
        why=answer.why,
    )
    if answer.fate is Fate.NEVER or pause is None:
        await _settle(taken, "failed", answer.why or "unknown", at)
        return
    place = bucket_of(taken.message.message_id), taken.message.message_id
    async with transaction() as connection:
        await connection.execute(_WAIT, *place, at + pause, answer.why)


async def _settle(taken: _Taken, state: str, why: str | None, at: datetime) -> None:
    place = bucket_of(taken.message.message_id), taken.message.message_id
    async with transaction() as connection:
        await connection.execute(_SETTLE, *place, state, at, why)
