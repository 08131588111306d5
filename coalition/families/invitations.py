"""Invitations into a group: made by its head, accepted by who is invited or by a guardian.

An invitation holds a place until it is accepted, declined, withdrawn or has run out. Accepted by
everybody who has to, it is the joining: judged then, as everything is.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.families import gathering, guardians
from coalition.families.entering import Newcomer, check_room, enter
from coalition.families.gathering import OpenGroup
from coalition.families.group_refusals import (
    GuardianOnly,
    InvitationNotOpen,
    NotYourself,
    UnknownInvitation,
)
from coalition.families.judging import Book
from coalition.families.places import PlaceRow
from coalition.families.speaking import By
from coalition.families.telling import tell
from coalition.families.vocabulary import Channel, Kind
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, uuid7

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

    id: UUID
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


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that somebody has accepted; its place, unless another has to accept too."""

    invitation: Invitation
    place: PlaceRow | None


_COLUMNS = (
    "id, group_id, member_id, role, kind, future_percent, relationship, invited_by, made_at,"
    " expires_at, accepted_at, guardian_accepted_at, state"
)

_ADD = f"""
INSERT INTO invitation (bucket, {_COLUMNS})
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


async def invite(
    connection: Connection,
    group: OpenGroup,
    newcomer: Newcomer,
    *,
    by: By,
    invitation: UUID | None = None,
) -> Invitation:
    """Invite somebody into a locked group; who is invited already has the same invitation again.

    Raises `HeadOnly`, `GroupIsClosed`, `GroupIsSeparating`, and `GroupRefused` where there is no
    room; whether who is invited may join is judged when it does.
    """
    group.check_head(by)
    group.check_active()
    kept = await connection.fetchrow(_OPEN, bucket_of(group.id), group.id, newcomer.member)
    if kept is not None:
        known = msgspec.convert(dict(kept), Invitation)
        if known.expires_at > group.at:
            return known
        await _set(connection, known, state=InvitationState.EXPIRED)
    kind = await check_room(connection, group, newcomer)
    offered = group.rules.contribution.future_percent
    made = Invitation(
        id=invitation or uuid7(group.at, bucket_of(group.id)),
        group_id=group.id,
        member_id=newcomer.member,
        role=newcomer.role,
        kind=kind,
        future_percent=newcomer.future_percent
        if newcomer.future_percent is not None
        else (offered[0] if offered else 0),
        relationship=newcomer.relationship,
        invited_by=group.row.head,
        made_at=group.at,
        expires_at=group.at + timedelta(days=max(group.rules.join.invitation_days, 1)),
    )
    await connection.execute(_ADD, bucket_of(group.id), *msgspec.structs.astuple(made))
    facts = {"invitation_id": made.id, "member_id": made.member_id}
    await tell(connection, "invited", group, **facts, expires_at=made.expires_at)
    return made


async def accept(
    connection: Connection,
    invitation: UUID,
    book: Book,
    *,
    by: By,
    future_percent: int | None = None,
    channel: Channel = Channel.ONLINE,
) -> Accepted:
    """Accept as the one invited or as a guardian; with the last word needed it is the joining.

    For a minor its guardian accepts; where both have to, each does. Whoever joins may choose
    another share of its earnings than it was invited with. Repeating it gives the same answer.
    Raises `UnknownInvitation`, `NotYourself`, `GuardianOnly`, `InvitationNotOpen` and what `enter`
    does.
    """
    known = await _read(connection, invitation)
    group = await gathering.lock(connection, known.group_id, book, also=[known.member_id])
    known = await _read(connection, invitation)
    guarding = (await guardians.guardians_of(connection, [known.member_id]))[known.member_id]
    is_guardian = _check_word(group, known, by, guarding)
    if known.state is InvitationState.JOINED and (place := group.find(known.member_id)):
        return Accepted(invitation=known, place=place)
    group.check_active()
    _check_open(known, group.at)
    known = _with_word(known, group.at, is_guardian=is_guardian)
    if not _is_complete(group, known, is_guarded=bool(guarding)):
        await _store(connection, known)
        return Accepted(invitation=known, place=None)
    newcomer = Newcomer(
        member=known.member_id,
        role=known.role,
        relationship=known.relationship,
        future_percent=known.future_percent if future_percent is None else future_percent,
        channel=channel,
    )
    place = await enter(connection, group, newcomer, invitation=known.id)
    known = msgspec.structs.replace(known, state=InvitationState.JOINED)
    await _store(connection, known)
    return Accepted(invitation=known, place=place)


async def decline(connection: Connection, invitation: UUID, book: Book, *, by: By) -> Invitation:
    """Decline as the one invited or a guardian. Raises as `accept` does."""
    known = await _read(connection, invitation)
    group = await gathering.lock(connection, known.group_id, book, also=[known.member_id])
    known = await _read(connection, invitation)
    guarding = (await guardians.guardians_of(connection, [known.member_id]))[known.member_id]
    if not by.is_staff and by.member not in {known.member_id, *guarding}:
        raise UnknownInvitation
    return await _end(connection, group, known, InvitationState.DECLINED)


async def withdraw(connection: Connection, invitation: UUID, book: Book, *, by: By) -> Invitation:
    """Take an invitation back as the head. Raises `UnknownInvitation` or `InvitationNotOpen`."""
    known = await _read(connection, invitation)
    group = await gathering.lock(connection, known.group_id, book)
    known = await _read(connection, invitation)
    if not by.is_staff and by.member != group.row.head:
        raise UnknownInvitation
    return await _end(connection, group, known, InvitationState.WITHDRAWN)


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


async def _read(connection: Connection, invitation: UUID) -> Invitation:
    row = await connection.fetchrow(_READ, bucket_of(invitation), invitation)
    if row is None:
        raise UnknownInvitation
    return msgspec.convert(dict(row), Invitation)


def _check_word(group: OpenGroup, known: Invitation, by: By, guarding: list[UUID]) -> bool:
    """Tell whether whoever accepts does so as a guardian; refuse who has no word in it."""
    if by.is_staff:
        return bool(guarding)
    if by.member in guarding:
        return True
    if by.member != known.member_id:
        raise UnknownInvitation if group.find(by.member or known.id) is None else NotYourself
    needs_guardian = group.rules.join.accept == "guardian"
    if needs_guardian or (guarding and group.rules.join.accept == "invitee"):
        raise GuardianOnly
    return False


def _with_word(known: Invitation, at: datetime, *, is_guardian: bool) -> Invitation:
    if is_guardian:
        return msgspec.structs.replace(known, guardian_accepted_at=known.guardian_accepted_at or at)
    return msgspec.structs.replace(known, accepted_at=known.accepted_at or at)


def _is_complete(group: OpenGroup, known: Invitation, *, is_guarded: bool) -> bool:
    """Tell whether everybody has accepted who has to: of who has no guardian, itself."""
    if group.rules.join.accept == "both" and is_guarded:
        return known.accepted_at is not None and known.guardian_accepted_at is not None
    return known.accepted_at is not None or known.guardian_accepted_at is not None


def _check_open(known: Invitation, at: datetime) -> None:
    if known.state is not InvitationState.OPEN or known.expires_at <= at:
        raise InvitationNotOpen(state=known.state.value)


async def _end(
    connection: Connection, group: OpenGroup, known: Invitation, state: InvitationState
) -> Invitation:
    if known.state is state:
        return known
    _check_open(known, group.at)
    await _set(connection, known, state=state)
    facts = {"invitation_id": known.id, "member_id": known.member_id}
    await tell(connection, f"invitation_{state}", group, **facts)
    return msgspec.structs.replace(known, state=state)


async def _set(connection: Connection, known: Invitation, *, state: InvitationState) -> None:
    await _store(connection, msgspec.structs.replace(known, state=state))


async def _store(connection: Connection, known: Invitation) -> None:
    await connection.execute(
        _SET,
        bucket_of(known.id),
        known.id,
        known.accepted_at,
        known.guardian_accepted_at,
        known.state,
    )
