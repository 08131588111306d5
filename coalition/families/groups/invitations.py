"""Invitations into a group: made by its head, accepted by who is invited or by a guardian.

An invitation holds a place until it is accepted, declined, withdrawn or has run out. Accepted by
everybody who has to, it is the joining: judged then, as everything is.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coalition.families.groups import gathering
from coalition.families.groups import invitation_rows as rows
from coalition.families.groups.entering import Newcomer, check_room, enter, is_of_age
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.invitation_rows import Invitation, InvitationState
from coalition.families.groups.telling import note, tell
from coalition.families.kin import guardians, relationships
from coalition.families.kin.group_refusals import (
    AlreadyInGroup,
    GuardianNeeded,
    GuardianOnly,
    InvitationNotOpen,
    NotYourself,
    UnknownInvitation,
)
from coalition.families.kin.places import PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Channel
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, uuid7


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that somebody has accepted; its place, unless another has to accept too."""

    invitation: Invitation
    place: PlaceRow | None


async def invite(
    connection: Connection,
    group: OpenGroup,
    newcomer: Newcomer,
    *,
    by: By,
    invitation: UUID | None = None,
) -> Invitation:
    """Invite somebody into a locked group; who is invited already has the same invitation again.

    Raises `HeadOnly`, `GroupIsClosed`, `GroupIsSeparating`, `AlreadyInGroup`,
    `InvalidRelationship`, and `GroupRefused` where there is no room; whether who is invited may
    join is judged when it does.
    """
    group.check_head(by)
    group.check_active()
    if newcomer.relationship is not None:
        relationships.check_word(newcomer.relationship)
    if group.find(newcomer.member) is not None:
        raise AlreadyInGroup
    known = await rows.read_open(connection, group.id, newcomer.member)
    if known is not None:
        if known.expires_at > group.at:
            return known
        ended = msgspec.structs.replace(known, state=InvitationState.EXPIRED)
        await rows.store(connection, ended)
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
    await rows.add(connection, made)
    facts = {"invitation_id": made.id, "member_id": made.member_id}
    await tell(connection, "invited", group, **facts, expires_at=made.expires_at)
    await note(connection, "invited", group, by, member=made.member_id)
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

    For a minor its guardian accepts, and without one nobody; where both have to, each does. Whoever
    joins may choose another share of its earnings than it was invited with. Repeating it gives the
    same answer. Raises `UnknownInvitation`, `NotYourself`, `GuardianOnly`, `GuardianNeeded`,
    `InvitationNotOpen` and what `enter` does.
    """
    known = await rows.read(connection, invitation)
    group = await gathering.lock(connection, known.group_id, book, also=[known.member_id])
    known = await rows.read(connection, invitation)
    guarding = (await guardians.guardians_of(connection, [known.member_id]))[known.member_id]
    is_guardian = _check_word(group, known, by, guarding)
    if known.state is InvitationState.JOINED and (place := group.find(known.member_id)):
        return Accepted(invitation=known, place=place)
    if not by.is_staff and not guarding and not await is_of_age(connection, group, known.member_id):
        raise GuardianNeeded
    group.check_active()
    _check_open(known, group.at)
    known = _with_word(known, group.at, is_guardian=is_guardian)
    if not _is_complete(group, known, is_guarded=bool(guarding)):
        await rows.store(connection, known)
        return Accepted(invitation=known, place=None)
    newcomer = Newcomer(
        member=known.member_id,
        role=known.role,
        relationship=known.relationship,
        future_percent=known.future_percent if future_percent is None else future_percent,
        channel=channel,
    )
    # The head, as its guardian, or the staff may have let it in meanwhile.
    place = group.find(known.member_id) or await enter(
        connection, group, newcomer, invitation=known.id
    )
    known = msgspec.structs.replace(known, state=InvitationState.JOINED)
    await rows.store(connection, known)
    await note(connection, "joined", group, by, member=known.member_id)
    return Accepted(invitation=known, place=place)


async def decline(connection: Connection, invitation: UUID, book: Book, *, by: By) -> Invitation:
    """Decline as the one invited or a guardian. Raises as `accept` does."""
    known = await rows.read(connection, invitation)
    group = await gathering.lock(connection, known.group_id, book, also=[known.member_id])
    known = await rows.read(connection, invitation)
    guarding = (await guardians.guardians_of(connection, [known.member_id]))[known.member_id]
    if not by.is_staff and by.member not in {known.member_id, *guarding}:
        raise UnknownInvitation
    return await _end(connection, group, known, InvitationState.DECLINED)


async def withdraw(connection: Connection, invitation: UUID, book: Book, *, by: By) -> Invitation:
    """Take an invitation back as the head. Raises `UnknownInvitation` or `InvitationNotOpen`."""
    known = await rows.read(connection, invitation)
    group = await gathering.lock(connection, known.group_id, book)
    known = await rows.read(connection, invitation)
    if not by.is_staff and by.member != group.row.head:
        raise UnknownInvitation
    return await _end(connection, group, known, InvitationState.WITHDRAWN)


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
    """Tell whether everybody has accepted who has to: of who is guarded by nobody, itself."""
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
    await rows.store(connection, msgspec.structs.replace(known, state=state))
    facts = {"invitation_id": known.id, "member_id": known.member_id}
    await tell(connection, f"invitation_{state}", group, **facts)
    return msgspec.structs.replace(known, state=state)
