"""The rows of invitations: one open at a time of a member into a group."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.families.kin.group_refusals import UnknownInvitation
from coalition.families.rule_sets.vocabulary import Kind
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of

AT_ONCE = 1000
"""How many invitations a run of the job lets expire in one transaction."""


class InvitationState(StrEnum):
    """Where an invitation stands."""

    OPEN = "open"
    JOINED = "joined"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as it stands."""

    id: UUID = msgspec.field(name="invitation_id")
    group_id: UUID
    member_id: UUID
    role: str
    kind: Kind
    future_percent: int
    relationship: str | None
    invited_by: UUID
    made_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    guardian_accepted_at: datetime | None = None
    state: InvitationState = InvitationState.OPEN


_KEPT = (
    "id, group_id, member_id, role, kind, future_percent, relationship, invited_by, made_at,"
    " expires_at, accepted_at, guardian_accepted_at, state"
)
_COLUMNS = f"id AS invitation_id, {_KEPT[4:]}"

_ADD = f"""
INSERT INTO invitation (bucket, {_KEPT})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""  # noqa: S608 - our own columns

_READ = f"SELECT {_COLUMNS} FROM invitation WHERE bucket = $1 AND id = $2"  # noqa: S608 - our own columns

_OPEN = f"""
SELECT {_COLUMNS} FROM invitation
WHERE bucket = $1 AND group_id = $2 AND member_id = $3 AND state = 'open'
"""  # noqa: S608 - our own columns

_OF_GROUP = f"""
SELECT {_COLUMNS} FROM invitation
WHERE bucket = $1 AND group_id = $2 AND state = 'open' AND expires_at > $3 ORDER BY made_at, id
"""  # noqa: S608 - our own columns

_OF_MEMBERS = f"""
SELECT {_COLUMNS} FROM invitation
WHERE member_id = ANY ($1::uuid[]) AND state = 'open' AND expires_at > $2 ORDER BY made_at, id
"""  # noqa: S608 - our own columns

_SET = """
UPDATE invitation SET accepted_at = $3, guardian_accepted_at = $4, state = $5
WHERE bucket = $1 AND id = $2
"""

_END_OF_GROUP = """
UPDATE invitation SET state = 'withdrawn' WHERE bucket = $1 AND group_id = $2 AND state = 'open'
"""

_END_OF_MEMBER = """
UPDATE invitation SET state = 'withdrawn' WHERE member_id = $1 AND state = 'open'
"""

# In the order of the key, as every act that locks several.
_EXPIRE = """
UPDATE invitation SET state = 'expired'
FROM (SELECT bucket, id FROM invitation WHERE state = 'open' AND expires_at <= $1
      ORDER BY bucket, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) AS due
WHERE invitation.bucket = due.bucket AND invitation.id = due.id
"""


async def add(connection: Connection, made: Invitation) -> None:
    """Store a new invitation into a locked group."""
    await connection.execute(_ADD, bucket_of(made.group_id), *msgspec.structs.astuple(made))


async def read_open(connection: Connection, group: UUID, member: UUID) -> Invitation | None:
    """Return the open invitation of a member into a group, also one that has run out."""
    row = await connection.fetchrow(_OPEN, bucket_of(group), group, member)
    return None if row is None else msgspec.convert(dict(row), Invitation)


async def read(connection: Connection, invitation: UUID) -> Invitation:
    """Return an invitation. Raises `UnknownInvitation`."""
    row = await connection.fetchrow(_READ, bucket_of(invitation), invitation)
    if row is None:
        raise UnknownInvitation
    return msgspec.convert(dict(row), Invitation)


async def open_of_group(connection: Connection, group: UUID, at: datetime) -> list[Invitation]:
    """Return the invitations into a group that can still be accepted."""
    rows = await connection.fetch(_OF_GROUP, bucket_of(group), group, at)
    return [msgspec.convert(dict(row), Invitation) for row in rows]


async def open_of(connection: Connection, members: list[UUID], at: datetime) -> list[Invitation]:
    """Return the invitations of some members, a guardian's and its wards' perhaps."""
    rows = await connection.fetch(_OF_MEMBERS, members, at)
    return [msgspec.convert(dict(row), Invitation) for row in rows]


async def end_of_group(connection: Connection, group: UUID) -> None:
    """Withdraw all invitations into a group that closes."""
    await connection.execute(_END_OF_GROUP, bucket_of(group), group)


async def end_of_member(connection: Connection, member: UUID) -> None:
    """Withdraw all invitations of somebody who can join nothing any more."""
    await connection.execute(_END_OF_MEMBER, member)


async def expire(connection: Connection, at: datetime) -> int:
    """Let some invitations expire whose time has run out; return how many."""
    return int((await connection.execute(_EXPIRE, at, AT_ONCE)).split()[-1])


async def store(connection: Connection, known: Invitation) -> None:
    """Store what has become of an invitation."""
    await connection.execute(
        _SET,
        bucket_of(known.id),
        known.id,
        known.accepted_at,
        known.guardian_accepted_at,
        known.state,
    )
