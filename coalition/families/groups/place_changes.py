"""What changes about a place: its role, its share of earnings, the right to spend, its nominee."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import Act
from coalition.families.evaluator.spending import spend_rule
from coalition.families.groups import departing, gathering, sealed_names
from coalition.families.groups.entering import check_role, has_right_at_first
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.group_facts import judged, place_facts
from coalition.families.groups.telling import note, tell
from coalition.families.kin import places
from coalition.families.kin.group_refusals import NotInGroup, RightNotInQuestion
from coalition.families.kin.places import Leaving, PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Channel, Event, Kind, Role
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection


class HowAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Through which door a change comes, and how its fee is paid if there is a choice."""

    channel: Channel = Channel.ONLINE
    pays_in_points: bool = False


PLAINLY = HowAsked()


async def change_role(
    connection: Connection, group: UUID, member: UUID, role: str, book: Book, *, by: By
) -> PlaceRow:
    """Let a member be something else to its head, as the head says; an event `change`.

    Where another rule says then what it may spend, what the head took or gave before is over.

    Raises `InvalidRole`, `HeadOnly`, `NotInGroup` and what `judged` does.
    """
    found = await _locked(connection, group, book)
    found.check_head(by)
    place = found.place_of(member)
    if place.role == role:
        return place
    check_role(role, is_head=False)
    if place.role == Role.HEAD:
        check_role(role, is_head=True)
    facts = place_facts(place)
    ruled = spend_rule(found.rules.group, facts)
    anew = spend_rule(found.rules.group, msgspec.structs.replace(facts, role=role))
    may_spend = place.may_spend
    if ruled != anew:
        may_spend = has_right_at_first(found, role, place.kind)
    changed = await _change(
        connection, found, place, lambda one: _with(one, role=role, may_spend=may_spend)
    )
    await note(connection, "role_changed", found, by, member=member, role=role)
    return changed


async def change_share(
    connection: Connection, group: UUID, member: UUID, percent: int, book: Book, *, by: By
) -> PlaceRow:
    """Let another share of what a member earns go into the pot, as the member says.

    Raises `NotYourself`, and `GroupRefused` for a share that the rules do not offer.
    """
    found = await _locked(connection, group, book)
    await found.check_speaks_for(connection, member, by)
    place = found.place_of(member)
    if place.future_percent == percent:
        return place
    changed = lambda one: _with(one, future_percent=percent)  # noqa: E731 - a change, as the others
    made = await _change(connection, found, place, changed, future_percent=percent)
    await note(connection, "share_changed", found, by, member=member, percent=percent)
    return made


async def change_right(
    connection: Connection, group: UUID, member: UUID, book: Book, *, by: By, may_spend: bool
) -> PlaceRow:
    """Take from a member the right to spend the pool, or give it, as the head says.

    Raises `RightNotInQuestion` where the rules know no such taking or giving, and `HeadOnly`.
    """
    found = await _locked(connection, group, book)
    found.check_head(by)
    place = found.place_of(member)
    if place.may_spend is may_spend:
        return place
    _, rule = spend_rule(found.rules.group, place_facts(place))
    if member == found.row.head or not (rule.revocable or rule.by_grant):
        raise RightNotInQuestion
    made = await _change(connection, found, place, lambda one: _with(one, may_spend=may_spend))
    await note(connection, "right_changed", found, by, member=member, may_spend=may_spend)
    return made


async def change_head(
    connection: Connection, group: UUID, successor: UUID, book: Book, *, by: By
) -> OpenGroup:
    """Let another adult of the group be its head, as the head says; an event `change`.

    Raises `HeadOnly`, `NotInGroup` or `NotAnAdult`.
    """
    found = await _locked(connection, group, book)
    if not by.is_staff and by.member == successor == found.row.head:
        return found
    found.check_head(by)
    if found.row.head != successor:
        await judged(connection, found, _act(found, Kind.ADULT, PLAINLY), found.row.head)
        await departing.hand_over(connection, found, successor)
        await note(connection, "head_changed", found, by, head=successor)
    return found


async def name(
    connection: Connection,
    group: UUID,
    label: str,
    book: Book,
    *,
    by: By,
    asked: HowAsked = PLAINLY,
) -> PlaceRow:
    """Add a nominee, for whom the head may spend; one of the same name is the same.

    Raises `InvalidNominee`, `HeadOnly`, and `GroupRefused` where there is no room.
    """
    found = await _locked(connection, group, book)
    found.check_head(by)
    known = await sealed_names.names(connection, found)
    for place in found.places:
        if known.get(place.no) == label.strip():
            return place
    sealed = await sealed_names.seal(connection, found.row.head, label, book.keys)
    act = msgspec.structs.replace(_act(found, Kind.NOMINEE, asked), event=Event.JOIN)
    await judged(connection, found, act, found.row.head)
    place = PlaceRow(
        no=await places.next_no(connection, found.id),
        member_id=None,
        nominee=sealed,
        role=Kind.NOMINEE,
        kind=Kind.NOMINEE,
        future_percent=0,
        may_spend=False,
        joined_at=found.at,
    )
    await places.add_place(connection, found.row, place, shares=False)
    await tell(connection, "nominee_named", found, place=place.no)
    await note(connection, "nominee_named", found, by, place=place.no)
    return place


async def strike(
    connection: Connection, group: UUID, no: int, book: Book, *, by: By, asked: HowAsked = PLAINLY
) -> None:
    """Let a nominee be none any more; repeating it changes nothing. An event `change`.

    Raises `HeadOnly`, `NotInGroup` for a place that never was a nominee's, and `GroupRefused`.
    """
    found = await _locked(connection, group, book)
    found.check_head(by)
    place = next((one for one in found.places if one.no == no), None)
    if place is None or place.kind is not Kind.NOMINEE:
        earlier = await places.read_places(connection, group, left_since=found.row.formed_at)
        if all(one.no != no or one.kind is not Kind.NOMINEE for one in earlier):
            raise NotInGroup
        return
    act = _act(found, Kind.NOMINEE, asked)
    await judged(connection, found, act, found.row.head, place=place)
    await places.end_places(connection, group, [place], Leaving.REMOVED, found.at)
    await tell(connection, "nominee_struck", found, place=no)
    await note(connection, "nominee_struck", found, by, place=no)


async def _locked(connection: Connection, group: UUID, book: Book) -> OpenGroup:
    found = await gathering.lock(connection, group, book)
    found.check_active()
    return found


async def _change(
    connection: Connection,
    group: OpenGroup,
    place: PlaceRow,
    changed: Callable[[PlaceRow], PlaceRow],
    *,
    future_percent: int | None = None,
) -> PlaceRow:
    """Judge a change of a place and make it."""
    assert place.member_id is not None, "nominees are named and struck"
    act = msgspec.structs.replace(_act(group, place.kind, PLAINLY), future_percent=future_percent)
    await judged(connection, group, act, place.member_id)
    made = changed(place)
    await places.set_place(connection, group.id, made)
    await tell(
        connection,
        "place_changed",
        group,
        member_id=made.member_id,
        role=made.role,
        future_percent=made.future_percent,
        may_spend=made.may_spend,
    )
    return made


def _act(group: OpenGroup, kind: Kind, asked: HowAsked) -> Act:
    return Act(
        event=Event.CHANGE,
        at=group.at,
        kind=kind,
        channel=asked.channel,
        pays_in_points=asked.pays_in_points,
    )


def _with(place: PlaceRow, **fields: object) -> PlaceRow:
    return msgspec.structs.replace(place, **fields)
