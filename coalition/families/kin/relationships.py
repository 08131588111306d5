"""How members are related: declared by one of them, asked to be proved, proved to the staff.

A row says what the other is to the member: to a head its `grandchild`, to a sender its `sibling`.
"""

import re
from datetime import datetime
from uuid import UUID

import msgspec

from coalition.families.kin.group_refusals import InvalidRelationship, UnknownRelationship
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members.locking import lock_open
from coalition.oversight import audit_log

_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_LONGEST = 40

_READ = """
SELECT other_id, relationship, declared_at, evidence_asked_at, proved_at FROM relationship
WHERE bucket = $1 AND member_id = $2 AND ($3::uuid IS NULL OR other_id = $3) ORDER BY other_id
"""

# Another word is another relationship: what was asked and proved of the first does not hold for it.
_DECLARE = """
INSERT INTO relationship AS kept (bucket, member_id, other_id, relationship, declared_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (bucket, member_id, other_id) DO UPDATE
SET relationship = excluded.relationship, declared_at = excluded.declared_at, proved_at = NULL
WHERE kept.relationship <> excluded.relationship
"""

_ASK = """
UPDATE relationship SET evidence_asked_at = coalesce(evidence_asked_at, $4)
WHERE bucket = $1 AND member_id = $2 AND other_id = $3
"""

_PROVE = """
UPDATE relationship SET proved_at = coalesce(proved_at, $4)
WHERE bucket = $1 AND member_id = $2 AND other_id = $3
"""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is to a member, as declared, and whether that was proved."""

    other_id: UUID
    relationship: str
    declared_at: datetime
    evidence_asked_at: datetime | None
    proved_at: datetime | None


def check_word(word: str) -> None:
    """Refuse what is no word for a relationship. Raises `InvalidRelationship`."""
    if not _WORD.fullmatch(word) or len(word) > _LONGEST:
        raise InvalidRelationship


async def declare(member: UUID, other: UUID, word: str, *, at: datetime) -> None:
    """Write down that `other` is `word` to `member`; repeating it changes nothing.

    Another word than before has to be proved anew. Raises `InvalidRelationship` and what
    `lock_open` does.
    """
    async with transaction() as connection:
        await lock_open(connection, (MemberId(member), MemberId(other)))
        await put(connection, member, other, word, at)


async def put(connection: Connection, member: UUID, other: UUID, word: str, at: datetime) -> None:
    """Do what `declare` does where both are locked."""
    check_word(word)
    if member == other:
        raise InvalidRelationship
    await connection.execute(_DECLARE, bucket_of(member), member, other, word, at)


async def ask_for_evidence(member: UUID, other: UUID, *, actor: str, at: datetime) -> None:
    """Have a relationship proved before it counts again. Raises `UnknownRelationship`."""
    await _note(_ASK, "relationship.evidence_asked", (member, other), actor=actor, at=at)


async def prove(member: UUID, other: UUID, *, actor: str, at: datetime) -> None:
    """Write down that a relationship was proved to `actor`. Raises `UnknownRelationship`."""
    await _note(_PROVE, "relationship.proved", (member, other), actor=actor, at=at)


async def read(connection: Connection, member: UUID, other: UUID | None = None) -> list[Declared]:
    """Return what everybody, or `other`, is to a member."""
    rows = await connection.fetch(_READ, bucket_of(member), member, other)
    return [msgspec.convert(dict(row), Declared) for row in rows]


async def _note(
    statement: str, action: str, pair: tuple[UUID, UUID], *, actor: str, at: datetime
) -> None:
    member, other = pair
    async with transaction() as connection:
        done = await connection.execute(statement, bucket_of(member), member, other, at)
        if done == "UPDATE 0":
            raise UnknownRelationship
        await audit_log.record(
            connection,
            actor=actor,
            action=action,
            subject=f"member:{member}",
            facts={"other": other},
            at=at,
        )
