"""The SQL of members: set-based, ordered by key, each statement naming what it promises."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members.contacts import ContactKind, bucket_of_digest
from coalition.members.sealing import Sealed
from coalition.members.states import MemberState


class Claim(NamedTuple):
    """A member's wish to be found by a contact."""

    digest: bytes
    kind: ContactKind
    member_id: MemberId


class NewMember(NamedTuple):
    """What is stored of a member at enrolment, besides the contacts."""

    id: MemberId
    wrapped_key: bytes
    sealed: Sealed


class Standing(NamedTuple):
    """How a member stands: its state, and the survivor of one who was merged."""

    state: MemberState
    merged_into: MemberId | None


class StoredMember(NamedTuple):
    """A member's row and, when they were asked for and are visible, key and sealed data."""

    state: MemberState
    wrapped_key: bytes | None
    sealed: Sealed | None
    merged_into: MemberId | None


_HOLDERS = """
SELECT contact.*
FROM unnest($1::int2[], $2::bytea[]) AS wanted (bucket, digest), LATERAL (
    SELECT digest, member_id FROM contact_index
    WHERE bucket = wanted.bucket AND digest = wanted.digest
    OFFSET 0) AS contact
"""

# Sorted by key, so that two enrolments never wait for each other in a circle; within a key the
# first of the list wins.
_CLAIM = """
INSERT INTO contact_index (bucket, digest, kind, member_id)
SELECT bucket, digest, kind, member_id
FROM unnest($1::int2[], $2::bytea[], $3::text[], $4::uuid[]) WITH ORDINALITY
    AS wanted (bucket, digest, kind, member_id, line)
ORDER BY bucket, digest, line
ON CONFLICT (bucket, digest) DO NOTHING
RETURNING digest, member_id
"""

_RELEASE = """
DELETE FROM contact_index AS contact
USING unnest($1::int2[], $2::bytea[], $3::uuid[]) AS given (bucket, digest, member_id)
WHERE contact.bucket = given.bucket AND contact.digest = given.digest
    AND contact.member_id = given.member_id
RETURNING contact.digest
"""

_ADD_MEMBERS = """
INSERT INTO member (bucket, id, state, state_since, enrolled_by, enrolled_at)
SELECT bucket, id, 'active', $4, $3, $4 FROM unnest($1::int2[], $2::uuid[]) AS added (bucket, id)
ORDER BY bucket, id
"""

_ADD_KEYS = """
INSERT INTO member_key (bucket, member_id, wrapped_key)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::bytea[])
"""

_ADD_PERSONAL_DATA = """
INSERT INTO personal_data (bucket, member_id, version, nonce, ciphertext)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::bytea[], $5::bytea[])
"""

_READ_FOR_PARTNER = """
SELECT member.state, key.wrapped_key, data.version, data.nonce, data.ciphertext, member.merged_into
FROM member
LEFT JOIN partner_member AS relation
    ON relation.bucket = member.bucket AND relation.member_id = member.id
        AND relation.partner_no = $3
LEFT JOIN personal_data AS data
    ON data.bucket = relation.bucket AND data.member_id = relation.member_id
LEFT JOIN member_key AS key ON key.bucket = data.bucket AND key.member_id = data.member_id
WHERE member.bucket = $1 AND member.id = $2
"""

# Two statements: what is read beside a lock may be older than what the wait for it was about.
_LOCK = "SELECT FROM member WHERE bucket = $1 AND id = $2 FOR NO KEY UPDATE"

# Sorted by key, so that two who lock several never wait for each other in a circle.
_LOCK_MANY = """
SELECT kept.id, kept.state, kept.merged_into
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT * FROM member WHERE bucket = wanted.bucket AND id = wanted.id
    OFFSET 0 FOR NO KEY UPDATE) AS kept
"""

_READ = """
SELECT member.state, key.wrapped_key, data.version, data.nonce, data.ciphertext, member.merged_into
FROM member
LEFT JOIN personal_data AS data ON data.bucket = member.bucket AND data.member_id = member.id
LEFT JOIN member_key AS key ON key.bucket = data.bucket AND key.member_id = data.member_id
WHERE member.bucket = $1 AND member.id = $2
"""

_READ_STANDING = "SELECT state, merged_into FROM member WHERE bucket = $1 AND id = $2"

_CHANGE_PERSONAL_DATA = """
UPDATE personal_data SET version = $3, nonce = $4, ciphertext = $5
WHERE bucket = $1 AND member_id = $2 AND version = $3 - 1
"""

_CHANGE_STATE = "UPDATE member SET state = $3, state_since = $4 WHERE bucket = $1 AND id = $2"

_RELEASE_ALL = "DELETE FROM contact_index WHERE member_id = $1"


_HAND_OVER = "UPDATE contact_index SET member_id = $2 WHERE member_id = $1"

_ERASE_PERSON = (
    "DELETE FROM personal_data WHERE bucket = $1 AND member_id = $2",
    "DELETE FROM member_key WHERE bucket = $1 AND member_id = $2",
)

# What was agreed to stays as proof, under an id that says nothing about anyone any more.
_FORGET_MEMBER = (
    *_ERASE_PERSON,
    "DELETE FROM partner_member WHERE bucket = $1 AND member_id = $2",
    "DELETE FROM standing WHERE bucket = $1 AND member_id = $2",
    "UPDATE consent SET note = NULL WHERE bucket = $1 AND member_id = $2 AND note IS NOT NULL",
)

_FORWARD = """
UPDATE member SET state = 'closed', state_since = $4, merged_into = $3 WHERE bucket = $1 AND id = $2
"""

_FORWARD_EARLIER = """
UPDATE member SET merged_into = $2 WHERE merged_into = $1 RETURNING id
"""

_MERGED = "SELECT id FROM member WHERE merged_into = $1 ORDER BY id"

_KEEP_KNOWN = """
SELECT true FROM personal_data WHERE bucket = $1 AND member_id = $2 FOR KEY SHARE
"""

_KEEP_MEMBERS = """
SELECT kept.member_id
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id), LATERAL (
    SELECT data.bucket, data.member_id FROM personal_data AS data
    WHERE data.bucket = wanted.bucket AND data.member_id = wanted.member_id
    OFFSET 0 FOR KEY SHARE) AS kept
JOIN member ON member.bucket = kept.bucket AND member.id = kept.member_id
WHERE member.state <> 'closed'
"""


async def holders_of_cards(
    connection: Connection, digests: Iterable[bytes]
) -> dict[bytes, MemberId]:
    """Return who holds each of the contacts `digests` (cards, or any kind) that anyone holds.

    One statement for a whole batch of lines; the states of the members are the ledger's to judge.
    """
    wanted = sorted((bucket_of_digest(digest), digest) for digest in set(digests))
    rows = await connection.fetch(_HOLDERS, [row[0] for row in wanted], [row[1] for row in wanted])
    return {row[0]: MemberId(row[1]) for row in rows}


async def claim_contacts(connection: Connection, claims: Sequence[Claim]) -> set[Claim]:
    """Enter `claims` in the index; return those that succeeded. Others hold the rest already.

    Waits for a concurrent claim of the same contact until its transaction has ended.
    """
    kind_of = {(claim.digest, claim.member_id): claim.kind for claim in claims}
    rows = await connection.fetch(
        _CLAIM,
        [bucket_of_digest(claim.digest) for claim in claims],
        [claim.digest for claim in claims],
        [claim.kind for claim in claims],
        [claim.member_id for claim in claims],
    )
    return {Claim(row[0], kind_of[row[0], row[1]], MemberId(row[1])) for row in rows}


async def release_contacts(connection: Connection, claims: Iterable[Claim]) -> set[bytes]:
    """Take `claims` out of the index where they are held as named; return the digests that were."""
    rows = sorted(
        (bucket_of_digest(claim.digest), claim.digest, claim.member_id) for claim in claims
    )
    released = await connection.fetch(
        _RELEASE, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    )
    return {row[0] for row in released}


async def release_all_contacts(connection: Connection, member_id: MemberId) -> None:
    """Take every contact of a member out of the index."""
    await connection.execute(_RELEASE_ALL, member_id)


async def add_members(
    connection: Connection, members: Iterable[NewMember], *, enrolled_by: int, at: datetime
) -> None:
    """Store new members with their keys and sealed data."""
    ordered = sorted(members, key=lambda member: (bucket_of(member.id), member.id.bytes))
    buckets = [bucket_of(member.id) for member in ordered]
    ids = [member.id for member in ordered]
    await connection.execute(_ADD_MEMBERS, buckets, ids, enrolled_by, at)
    await connection.execute(_ADD_KEYS, buckets, ids, [member.wrapped_key for member in ordered])
    await connection.execute(
        _ADD_PERSONAL_DATA,
        buckets,
        ids,
        [member.sealed.version for member in ordered],
        [member.sealed.nonce for member in ordered],
        [member.sealed.ciphertext for member in ordered],
    )


async def read_for_partner(
    connection: Connection, member_id: MemberId, *, partner_no: int
) -> StoredMember | None:
    """Return a member, with key and sealed data only when the partner has a relation to it."""
    row = await connection.fetchrow(_READ_FOR_PARTNER, bucket_of(member_id), member_id, partner_no)
    return None if row is None else _stored(tuple(row))


async def read_standing(connection: Connection, member_id: MemberId) -> Standing | None:
    """Return how a member stands; None when there is no such member."""
    row = await connection.fetchrow(_READ_STANDING, bucket_of(member_id), member_id)
    return None if row is None else Standing(MemberState(row[0]), row[1])


async def lock_member(connection: Connection, member_id: MemberId) -> StoredMember | None:
    """Return a member with key and sealed data, locked until the transaction ends."""
    await connection.execute(_LOCK, bucket_of(member_id), member_id)
    return await read(connection, member_id)


async def read(connection: Connection, member_id: MemberId) -> StoredMember | None:
    """Return a member with key and sealed data, whoever knows the member."""
    row = await connection.fetchrow(_READ, bucket_of(member_id), member_id)
    return None if row is None else _stored(tuple(row))


async def lock_members(
    connection: Connection, members: Iterable[MemberId]
) -> dict[MemberId, Standing]:
    """Lock `members` until the transaction ends; return how each that exists stands."""
    ordered = sorted(set(members), key=lambda member: (bucket_of(member), member.bytes))
    rows = await connection.fetch(_LOCK_MANY, [bucket_of(member) for member in ordered], ordered)
    return {MemberId(row[0]): Standing(MemberState(row[1]), row[2]) for row in rows}


async def change_personal_data(connection: Connection, member_id: MemberId, sealed: Sealed) -> None:
    """Replace a member's sealed data by their next version; the member's row is locked."""
    done = await connection.execute(_CHANGE_PERSONAL_DATA, bucket_of(member_id), member_id, *sealed)
    assert done == "UPDATE 1", "sealed data change only under the lock of their member"


async def change_state(
    connection: Connection, member_id: MemberId, state: MemberState, at: datetime
) -> None:
    """Set a member's state; the member's row is locked."""
    await connection.execute(_CHANGE_STATE, bucket_of(member_id), member_id, state, at)


async def hand_over_contacts(connection: Connection, from_id: MemberId, into_id: MemberId) -> None:
    """Let everything by which `from_id` is found lead to `into_id`."""
    await connection.execute(_HAND_OVER, from_id, into_id)


async def erase_person(connection: Connection, member_id: MemberId) -> None:
    """Delete a member's sealed data with their key: no copy of them can be read any more."""
    for statement in _ERASE_PERSON:
        await connection.execute(statement, bucket_of(member_id), member_id)


async def forget(connection: Connection, member_id: MemberId) -> None:
    """Delete what says who a member is, is known to, or was to the coalition."""
    await release_all_contacts(connection, member_id)
    for statement in _FORGET_MEMBER:
        await connection.execute(statement, bucket_of(member_id), member_id)


async def forward(
    connection: Connection, from_id: MemberId, into_id: MemberId, at: datetime
) -> list[MemberId]:
    """Close `from_id` as merged into `into_id`; return who was merged into it and goes along."""
    await connection.execute(_FORWARD, bucket_of(from_id), from_id, into_id, at)
    rows = await connection.fetch(_FORWARD_EARLIER, from_id, into_id)
    return [MemberId(row[0]) for row in rows]


async def survivor(connection: Connection, member_id: MemberId) -> MemberId:
    """Return who a member is now: itself, or whom it was merged into."""
    standing = await read_standing(connection, member_id)
    return member_id if standing is None else standing.merged_into or member_id


async def keep_known(connection: Connection, member_id: MemberId) -> bool:
    """Tell whether a person is still known; it is not forgotten before the transaction ends."""
    return bool(await connection.fetchval(_KEEP_KNOWN, bucket_of(member_id), member_id))


async def keep_members(connection: Connection, ids: Iterable[UUID]) -> set[MemberId]:
    """Return which of `ids` are members, known and neither merged nor closed.

    None of them is forgotten before the transaction ends.
    """
    ordered = sorted((bucket_of(one), one.bytes, one) for one in set(ids))
    found = await connection.fetch(
        _KEEP_MEMBERS, [bucket for bucket, _, _ in ordered], [one for _, _, one in ordered]
    )
    return {MemberId(row[0]) for row in found}


async def merged_into(connection: Connection, member_id: MemberId) -> list[MemberId]:
    """Return the members who were merged into this one."""
    return [MemberId(row[0]) for row in await connection.fetch(_MERGED, member_id)]


def _stored(
    row: tuple[str, bytes | None, int | None, bytes | None, bytes | None, MemberId | None],
) -> StoredMember:
    state, wrapped_key, version, nonce, ciphertext, merged_into = row
    if version is None or nonce is None or ciphertext is None:
        return StoredMember(MemberState(state), None, None, merged_into)
    sealed = Sealed(version, nonce, ciphertext)
    return StoredMember(MemberState(state), wrapped_key, sealed, merged_into)
