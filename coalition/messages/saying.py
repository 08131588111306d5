"""Saying something to a member, once, in the transaction of what it is about.

It lies in the inbox when that commits, and waits to be sent. What the contract needs is said to
everybody; marketing to those alone who have agreed to it by e-mail.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of, uuid7
from coalition.members import consents, queries
from coalition.members.consents import Channel
from coalition.messages.rules import PACE

MARKETING = "marketing"
"""The purpose, in the ledger of consents, under which a member wants marketing."""

SUBJECT_MOST = 150
"""So many characters a subject has at most."""

_SAY = """
INSERT INTO message (bucket, id, member_id, key, kind, purpose, language, subject, body, path,
    said_at, email, email_due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting', $11)
ON CONFLICT (bucket, member_id, key) DO NOTHING RETURNING id
"""
_SAY_ALL = """
INSERT INTO message (bucket, id, member_id, key, kind, purpose, language, subject, body, path,
    said_at, email, email_due_at)
SELECT said.bucket, said.id, said.member_id, said.key, said.kind, $10, said.language, said.subject,
    said.body, said.path, $11, 'waiting', said.due_at
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $12::timestamptz[])
    AS said (bucket, id, member_id, key, kind, language, subject, body, path, due_at)
ON CONFLICT (bucket, member_id, key) DO NOTHING RETURNING id
"""


class Purpose(StrEnum):
    """What a message is for: the contract with the member, or to sell something."""

    CONTRACT = "contract"
    MARKETING = "marketing"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, in one language; `path` is a page of ours where there is more of it.

    The subject is one line of at most `SUBJECT_MOST` characters, the body plain text.
    """

    language: str
    subject: str
    body: str
    path: str | None = None


class Saying(NamedTuple):
    """What is said to one member, once under its key."""

    member: MemberId
    key: str
    kind: str
    words: Words


async def say(
    connection: Connection,
    words: Words,
    *,
    member: MemberId,
    key: str,
    kind: str,
    at: datetime,
    purpose: Purpose = Purpose.CONTRACT,
) -> UUID | None:
    """Say something to a member, in the caller's transaction; return the message's id.

    None where it was said before under this `key`, where the member is forgotten, and where it is
    marketing that the member has not agreed to. Whoever was merged hears it as who it is now.
    """
    member = await queries.survivor(connection, member)
    if not await queries.keep_known(connection, member):
        return None
    if purpose is Purpose.MARKETING and not await wants_marketing(connection, member):
        return None
    bucket = bucket_of(member)
    facts = words.language, words.subject, words.body, words.path
    made: UUID | None = await connection.fetchval(
        _SAY, bucket, uuid7(at, bucket), member, key, kind, purpose, *facts, at
    )
    return made


async def say_all(
    connection: Connection, sayings: Sequence[Saying], *, at: datetime, before: int = 0
) -> int:
    """Say what the contract needs to many, as `say` does; return how many had not heard it.

    In one statement, so some thousand at most; `before` are as many as had their turn already.
    Their e-mails are due one after the other, so that others can come in between.

    The members were returned by `queries.keep_members` in this transaction: nobody who was merged,
    closed or forgotten is among them.
    """
    buckets = [bucket_of(one.member) for one in sayings]
    made = await connection.fetch(
        _SAY_ALL,
        buckets,
        [uuid7(at, bucket) for bucket in buckets],
        [one.member for one in sayings],
        [one.key for one in sayings],
        [one.kind for one in sayings],
        [one.words.language for one in sayings],
        [one.words.subject for one in sayings],
        [one.words.body for one in sayings],
        [one.words.path for one in sayings],
        Purpose.CONTRACT,
        at,
        [at + PACE * (before + no) for no in range(len(sayings))],
    )
    return len(made)


async def wants_marketing(connection: Connection, member: MemberId) -> bool:
    """Tell whether the member's last word on marketing by e-mail was yes."""
    said = await consents.current(connection, member, partner_no=consents.NO_PARTNER)
    return any(
        word.granted for word in said if word.purpose == MARKETING and word.channel is Channel.EMAIL
    )
