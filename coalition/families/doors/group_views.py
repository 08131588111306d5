"""What a member, a guardian, or staff sees of a group, as its rules say who sees what."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.families.groups import (
    departing,
    gathering,
    invitation_rows,
    sealed_names,
    separating,
    stakes,
)
from coalition.families.groups.departing import ExitView
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.invitation_rows import Invitation
from coalition.families.groups.separating import Separation
from coalition.families.kin import guardians, places
from coalition.families.kin.group_refusals import UnknownGroup
from coalition.families.kin.places import GroupState, PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Kind, Mechanism
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.ledger import posting


class PlaceView(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a group; points are None for who may not see them."""

    no: int
    member_id: UUID | None
    nominee: str | None = None
    """For the head alone."""
    role: str
    kind: Kind
    future_percent: int
    may_spend: bool
    joined_at: datetime
    points: int | None = None
    """What of the group's points is its own: in its account, or in the pot."""


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it stands."""

    group_id: UUID
    kind: str
    rule_set: str
    rule_set_version: int
    formed_under_version: int
    mechanism: Mechanism
    head: UUID
    state: GroupState
    formed_at: datetime
    places: tuple[PlaceView, ...]
    invitations: tuple[Invitation, ...] = ()
    """For the head and staff."""
    separation: Separation | None = None
    points: int | None = None
    """What all have together; None for who may not see that."""


async def show(connection: Connection, group: UUID, book: Book, *, by: By) -> GroupView:
    """Return a group as whoever asks may see it. Raises `UnknownGroup`."""
    found = await gathering.look(connection, group, book)
    await _check_visible(connection, found, by)
    is_head = by.is_staff or by.member == found.row.head
    sees = "everything" if is_head else found.rules.group.sees
    own = await _points(connection, found)
    names = await sealed_names.names(connection, found) if is_head else {}
    separation = None
    if found.row.state is GroupState.SEPARATING:
        separation = await separating.read(connection, group)
    return GroupView(
        group_id=group,
        kind=found.row.kind,
        rule_set=found.bound.name,
        rule_set_version=found.bound.version,
        formed_under_version=found.row.rule_version,
        mechanism=found.rules.mechanism,
        head=found.row.head,
        state=found.row.state,
        formed_at=found.row.formed_at,
        places=tuple(
            _place(place, names.get(place.no), own if _sees(place, sees, by) else {})
            for place in found.places
        ),
        invitations=tuple(await invitation_rows.open_of_group(connection, group, book.at))
        if is_head
        else (),
        separation=separation,
        points=None if sees == "own" else sum(own.values()) + await _unowned(connection, found),
    )


async def groups_of(connection: Connection, member: UUID, book: Book) -> list[GroupView]:
    """Return the groups to which a member belongs, as it sees them."""
    found = (await places.groups_of(connection, [member]))[member]
    return [await show(connection, group, book, by=By.of(member)) for group in found]


async def would_take_out(
    connection: Connection, group: UUID, member: UUID, book: Book, *, by: By
) -> ExitView:
    """Return what a member would take out of a group by leaving now.

    Told to the member, its guardian, the head and staff. Raises `UnknownGroup`, `NotInGroup` or
    `NotYourself`.
    """
    found = await gathering.look(connection, group, book)
    if by.member != found.row.head:
        await found.check_speaks_for(connection, member, by)
    found.place_of(member)
    return await departing.would_take_out(connection, found, member)


async def check_seen(connection: Connection, group: UUID, by: By) -> None:
    """Refuse a group of which whoever asks may see nothing. Raises `UnknownGroup`."""
    if await places.read_group(connection, group) is None:
        raise UnknownGroup
    members = [one.member_id for one in await places.read_places(connection, group)]
    await _check_seen(connection, [one for one in members if one is not None], by)


async def _check_visible(connection: Connection, group: OpenGroup, by: By) -> None:
    """Let members see their group, and guardians that of their wards."""
    await _check_seen(connection, group.members, by)


async def _check_seen(connection: Connection, members: list[UUID], by: By) -> None:
    if by.member is None or by.member in members:
        return
    guarding = await guardians.guardians_of(connection, members)
    if not any(by.member in of_one for of_one in guarding.values()):
        raise UnknownGroup


async def _points(connection: Connection, group: OpenGroup) -> dict[UUID, int]:
    """Return what of the group's points is each member's."""
    if group.pot is None:
        return await posting.balances(
            connection,
            group.members,
            currency_no=group.row.currency_no,
            today=group.book.today,
            suspended=group.book.terms.catalogue.suspended_at(group.at),
        )
    pot = await stakes.pot_of(connection, group)
    return {
        one.member: stakes.brought(pot, one.ids)
        for one in await stakes.leavers(connection, group.members)
    }


async def _unowned(connection: Connection, group: OpenGroup) -> int:
    """Return what lies in the pot of those who have left."""
    if group.pot is None:
        return 0
    pot = await stakes.pot_of(connection, group)
    there = {
        one for leaver in await stakes.leavers(connection, group.members) for one in leaver.ids
    }
    return sum(lot.points for lot in pot if lot.contributor not in there)


def _sees(place: PlaceRow, sees: str, by: By) -> bool:
    return sees == "everything" or place.member_id == by.member


def _place(place: PlaceRow, name: str | None, own: dict[UUID, int]) -> PlaceView:
    return PlaceView(
        no=place.no,
        member_id=place.member_id,
        nominee=name,
        role=place.role,
        kind=place.kind,
        future_percent=place.future_percent,
        may_spend=place.may_spend,
        joined_at=place.joined_at,
        points=None if place.member_id is None else own.get(place.member_id),
    )
