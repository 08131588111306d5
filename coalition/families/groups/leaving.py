"""Leaving a group, being removed from it, and closing it; each may be repeated."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import Act
from coalition.families.groups import departing, gathering
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.group_facts import judged
from coalition.families.groups.stakes import Move
from coalition.families.groups.telling import note
from coalition.families.kin import guardians, places
from coalition.families.kin.group_refusals import NotInGroup, UnknownGroup
from coalition.families.kin.places import GroupState, Leaving
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Channel, Event
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody has left a group, and what it took out; `closed` when the group did too."""

    group_id: UUID
    member_id: UUID
    why: Leaving
    points: int
    closed: bool = False


async def leave(
    connection: Connection,
    group: UUID,
    member: UUID,
    book: Book,
    *,
    by: By,
    successor: UUID | None = None,
    channel: Channel = Channel.ONLINE,
    pays_in_points: bool = False,
    removes: bool = False,
) -> Left:
    """Let a member leave by its own word or a guardian's, or remove it as the head or staff.

    A head names who takes over first, unless nobody else belongs to the group, which then closes.
    A guardian who is the head too says which it means: it `removes` its ward, or lets it leave.
    Who has left already gets the same answer. Raises `UnknownGroup`, `NotInGroup`, `HeadOnly`,
    `HeadMustHandOver`, `NotAnAdult`, `GroupIsSeparating`, and `GroupRefused` by the rules.
    """
    found = await gathering.lock(connection, group, book)
    place = found.find(member)
    if place is None:
        return await _earlier(connection, found, member, by)
    why = await _why(connection, found, member, by, removes=removes)
    found.check_active()
    act = Act(
        event=Event.LEAVE,
        at=found.at,
        channel=channel,
        kind=place.kind,
        by_head=why is Leaving.REMOVED,
        pays_in_points=pays_in_points,
    )
    await judged(connection, found, act, member)
    if member == found.row.head:
        heir = departing.successor_of(found, successor)
        if heir is None:
            moves = await departing.close(connection, found)
            await note(connection, "closed", found, by)
            return _left(found, member, Leaving.CLOSED, moves, closed=True)
        await departing.hand_over(connection, found, heir)
        place = found.place_of(member)
    treatment = found.rules.exits.leaving
    moves = await departing.depart(connection, found, [place], treatment, why)
    await note(connection, "left", found, by, member=member)
    return _left(found, member, why, moves)


async def close(connection: Connection, group: UUID, book: Book, *, by: By) -> OpenGroup:
    """Close a group as its head or staff; repeating it changes nothing.

    What everybody has in the pot goes as the rules say of closing. Raises `UnknownGroup`,
    `HeadOnly` or `GroupIsSeparating`.
    """
    found = await gathering.lock(connection, group, book)
    if found.row.state is GroupState.CLOSED:
        if not by.is_staff and by.member != found.row.head:
            raise UnknownGroup
        return found
    found.check_head(by)
    found.check_active()
    await departing.close(connection, found)
    await note(connection, "closed", found, by)
    return found


async def _earlier(connection: Connection, group: OpenGroup, member: UUID, by: By) -> Left:
    """Return how somebody left who has done so already."""
    rows = await places.read_places(connection, group.id, left_since=group.row.formed_at)
    earlier = [row for row in rows if row.member_id == member and row.left_at is not None]
    knows = by.is_staff or by.member in {group.row.head, member}
    if not earlier or not knows:
        raise NotInGroup if by.is_staff or group.find(by.member or member) else UnknownGroup
    last = earlier[-1]
    assert last.leaving is not None, "whoever left did so for a reason"
    return Left(
        group_id=group.id,
        member_id=member,
        why=last.leaving,
        points=last.took or 0,
        closed=last.leaving is Leaving.CLOSED,
    )


async def _why(
    connection: Connection, group: OpenGroup, member: UUID, by: By, *, removes: bool
) -> Leaving:
    """Return as what somebody leaves, by whose word; refuse who has none."""
    if by.member == member:
        return Leaving.LEFT
    if by.is_staff:
        return Leaving.REMOVED
    guarding = await guardians.guardians_of(connection, [member])
    if by.member in guarding[member] and not removes:
        return Leaving.LEFT
    group.check_head(by)
    return Leaving.REMOVED


def _left(
    group: OpenGroup,
    member: UUID,
    why: Leaving,
    moves: Sequence[Move],
    *,
    closed: bool = False,
) -> Left:
    points = sum(one.points for one in moves if one.receiver == member)
    return Left(group_id=group.id, member_id=member, why=why, points=points, closed=closed)
