"""How members are related: declared by one of them, confirmed by the other, proved to the staff.

Each of both has a row, which says what the other is to it: to a head its `grandchild`, to a sender
its `sibling`. Rules hear of what is confirmed alone.
"""

import re
from datetime import datetime
from uuid import UUID

import msgspec

from coalition.families.evaluator.relations import inverse
from coalition.families.kin.group_refusals import (
    InvalidRelationship,
    OthersWordNeeded,
    TooManyRelationships,
    UnknownRelationship,
)
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of, shard_of
from coalition.kernel.outbox import events
from coalition.kernel.outbox.events import Event
from coalition.members.locking import lock_open
from coalition.oversight import audit_log

MOST = 50
"""How many relationships a member may have declared, or confirmed, at a time."""

_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_LONGEST = 40

_READ = """
SELECT other_id, relationship, by_other, declared_at, confirmed_at, evidence_asked_at, proved_at,
       ended_at
FROM relationship
WHERE bucket = $1 AND member_id = $2 AND ($3::uuid IS NULL OR other_id = $3) ORDER BY other_id
"""

# Another word is another relationship: what was confirmed and proved of the first does not hold for
# it. That evidence was asked for stays.
_DECLARE = """
INSERT INTO relationship AS kept
    (bucket, member_id, other_id, relationship, by_other, declared_at, confirmed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (bucket, member_id, other_id) DO UPDATE
SET relationship = excluded.relationship, by_other = excluded.by_other,
    declared_at = excluded.declared_at, confirmed_at = excluded.confirmed_at, ended_at = NULL,
    proved_at = CASE WHEN kept.relationship = excluded.relationship THEN kept.proved_at END
WHERE excluded.confirmed_at IS NULL OR kept.relationship <> excluded.relationship
   OR kept.confirmed_at IS NULL
"""

_CONFIRM = """
UPDATE relationship SET confirmed_at = $4 WHERE bucket = $1 AND member_id = $2 AND other_id = $3
"""

_END = """
UPDATE relationship SET ended_at = $4, confirmed_at = NULL, proved_at = NULL
WHERE bucket = $1 AND member_id = $2 AND other_id = $3 AND ended_at IS NULL
"""

_ASK = """
UPDATE relationship SET evidence_asked_at = coalesce(evidence_asked_at, $4)
WHERE bucket = $1 AND member_id = $2 AND other_id = $3
"""

_PROVE = """
UPDATE relationship SET proved_at = coalesce(proved_at, $4)
WHERE bucket = $1 AND member_id = $2 AND other_id = $3 AND ended_at IS NULL
"""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is to a member, as one of them declared; it holds since `confirmed_at`."""

    other_id: UUID
    relationship: str
    by_other: bool
    """Whether the other one declared it, so that the member's own word is awaited."""
    declared_at: datetime
    confirmed_at: datetime | None
    evidence_asked_at: datetime | None
    proved_at: datetime | None
    ended_at: datetime | None


def check_word(word: str) -> None:
    """Refuse what is no word for a relationship. Raises `InvalidRelationship`."""
    if not _WORD.fullmatch(word) or len(word) > _LONGEST:
        raise InvalidRelationship


async def propose(
    connection: Connection, member: UUID, other: UUID, word: str, at: datetime
) -> Declared:
    """Let a member say that `other` is `word` to it, which then waits for the other's word.

    Where the other has said just that already, it is confirmed. Repeating it changes nothing;
    another word than before ends what held before. Raises `InvalidRelationship`,
    `TooManyRelationships`, and what `lock_open` does.
    """
    _check_pair(member, other, word)
    await lock_open(connection, (MemberId(member), MemberId(other)))
    kept = [one for one in await read(connection, member) if one.ended_at is None]
    known = next((one for one in kept if one.other_id == other), None)
    if known is None and len(kept) >= MOST:
        raise TooManyRelationships(most=MOST)
    if known is not None and known.relationship == word:
        return await confirm(connection, member, other, at) if known.by_other else known
    await _write(connection, member, other, word, at)
    await _tell(connection, "relationship_declared", (member, other), word, at)
    return await _read_one(connection, member, other)


async def confirm(connection: Connection, member: UUID, other: UUID, at: datetime) -> Declared:
    """Confirm, as the one of whom the other declared it; repeating it changes nothing.

    Raises `UnknownRelationship`, and `OthersWordNeeded` of what the member declared itself.
    """
    await _read_one(connection, member, other)  # of who is nothing to it a member learns nothing
    await lock_open(connection, (MemberId(member), MemberId(other)))
    known = await _read_one(connection, member, other)
    if known.confirmed_at is not None:
        return known
    if not known.by_other:
        raise OthersWordNeeded
    for one, another in ((member, other), (other, member)):
        await connection.execute(_CONFIRM, bucket_of(one), one, another, at)
    await _tell(connection, "relationship_confirmed", (member, other), known.relationship, at)
    return msgspec.structs.replace(known, confirmed_at=at)


async def end(connection: Connection, member: UUID, other: UUID, at: datetime) -> Declared:
    """End what is declared or confirmed, as either of both; repeating it changes nothing.

    Raises `UnknownRelationship` where there never was one.
    """
    await lock_open(connection, [MemberId(member)])
    (known,) = await read(connection, member, other) or (None,)
    if known is None:
        raise UnknownRelationship
    if known.ended_at is not None:
        return known
    for one, another in ((member, other), (other, member)):
        await connection.execute(_END, bucket_of(one), one, another, at)
    await _tell(connection, "relationship_ended", (member, other), known.relationship, at)
    return msgspec.structs.replace(known, ended_at=at, confirmed_at=None, proved_at=None)


async def declare(member: UUID, other: UUID, word: str, *, at: datetime) -> None:
    """Write down that `other` is `word` to `member`, as both say; repeating it changes nothing.

    Another word than before has to be proved anew. Raises `InvalidRelationship` and what
    `lock_open` does.
    """
    async with transaction() as connection:
        await lock_open(connection, (MemberId(member), MemberId(other)))
        await put(connection, member, other, word, at)


async def put(connection: Connection, member: UUID, other: UUID, word: str, at: datetime) -> None:
    """Do what `declare` does where both are locked."""
    _check_pair(member, other, word)
    await _write(connection, member, other, word, at, confirmed_at=at)


async def ask_for_evidence(member: UUID, other: UUID, *, actor: str, at: datetime) -> None:
    """Have a relationship proved before it counts again. Raises `UnknownRelationship`."""
    await _note(_ASK, "relationship.evidence_asked", (member, other), actor=actor, at=at)


async def prove(member: UUID, other: UUID, *, actor: str, at: datetime) -> None:
    """Write down that a relationship was proved to `actor`. Raises `UnknownRelationship`."""
    await _note(_PROVE, "relationship.proved", (member, other), actor=actor, at=at)


async def read(connection: Connection, member: UUID, other: UUID | None = None) -> list[Declared]:
    """Return what everybody, or `other`, is to a member: confirmed or not, and what has ended."""
    rows = await connection.fetch(_READ, bucket_of(member), member, other)
    return [msgspec.convert(dict(row), Declared) for row in rows]


def _check_pair(member: UUID, other: UUID, word: str) -> None:
    check_word(word)
    if member == other:
        raise InvalidRelationship


async def _read_one(connection: Connection, member: UUID, other: UUID) -> Declared:
    found = await read(connection, member, other)
    if not found or found[0].ended_at is not None:
        raise UnknownRelationship
    return found[0]


async def _write(
    connection: Connection,
    member: UUID,
    other: UUID,
    word: str,
    at: datetime,
    *,
    confirmed_at: datetime | None = None,
) -> None:
    """Write both rows; the one of `other` says what the member is to it."""
    for one, another, said, by_other in (
        (member, other, word, False),
        (other, member, inverse(word), True),
    ):
        await connection.execute(
            _DECLARE, bucket_of(one), one, another, said, by_other, at, confirmed_at
        )


async def _tell(
    connection: Connection, what: str, pair: tuple[UUID, UUID], word: str, at: datetime
) -> None:
    member, other = pair
    facts = {"member_id": member, "other_id": other, "relationship": word}
    event = Event(f"families.{what}", facts, shard=shard_of(bucket_of(member)))
    await events.append(connection, [event], at)


async def _note(
    statement: str, action: str, pair: tuple[UUID, UUID], *, actor: str, at: datetime
) -> None:
    """Note something of both rows: what is proved of one is proved of the other."""
    member, other = pair
    async with transaction() as connection:
        done = await connection.execute(statement, bucket_of(member), member, other, at)
        if done == "UPDATE 0":
            raise UnknownRelationship
        await connection.execute(statement, bucket_of(other), other, member, at)
        await audit_log.record(
            connection,
            actor=actor,
            action=action,
            subject=f"member:{member}",
            facts={"other": other},
            at=at,
        )
