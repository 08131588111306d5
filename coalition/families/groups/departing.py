"""How members go: their points as the rules say, their places ended, the group told.

One function does it for leaving, removal, ageing out, death and closing. What it moves is planned
by `stakes`, which also tells any member at any time what it would take out.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.groups import (
    act_rows,
    invitation_rows,
    moving_out,
    sealed_names,
    stakes,
    suspending,
)
from coalition.families.groups.entering import has_right_at_first
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.stakes import Exit, Move
from coalition.families.groups.telling import tell
from coalition.families.kin import places, sharing
from coalition.families.kin.group_refusals import HeadMustHandOver, NotAnAdult
from coalition.families.kin.places import GroupState, Leaving, PlaceRow
from coalition.families.rule_sets.vocabulary import Kind, Mechanism, OnExit, Role
from coalition.kernel.database import Connection
from coalition.ledger import holders
from coalition.ledger.accounts import HolderState


class TakenOut(NamedTuple):
    """Points of one lot that a member would take out of a group."""

    points: int
    issuer: str | None
    """Whose points they are; None is the operator."""
    funder: str | None
    expires_on: date | None


class ExitView(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a member's points in a group if it leaves now."""

    treatment: OnExit
    brought: int
    """What lies in the pot of what it brought."""
    takes_out: int
    lots: tuple[TakenOut, ...]
    """Where its own share is kept: lot by lot, what ends first comes first."""


async def would_take_out(connection: Connection, group: OpenGroup, member: UUID) -> ExitView:
    """Return what a member would take out by leaving now, planned as leaving plans it.

    With the last one who leaves the group closes. An heir matters only in death; a member that
    leaves by such a rule takes nothing out.
    """
    place = group.place_of(member)
    exits, closes = group.rules.exits, group.members == [member]
    pot = await stakes.pot_of(connection, group, closes=closes)
    treatment = exits.closing if closes else exits.leaving
    leaving = await _exit(connection, group, [place], treatment, heir=group.row.head, closes=closes)
    moves = stakes.moves_of(group, pot, leaving)
    (leaver,) = leaving.leavers
    out = sum(one.points for one in moves if one.receiver == member)
    going = stakes.movable(pot, group.book.today)
    lots = [lot for lot in going if lot.contributor in leaver.ids] if out else []
    return ExitView(
        treatment=treatment,
        brought=stakes.brought(pot, leaver.ids),
        takes_out=out,
        lots=tuple(
            TakenOut(
                lot.points, _name(group, lot.issuer_no), _name(group, lot.funder_no), lot.ends_on
            )
            for lot in sorted(lots, key=lambda lot: (lot.ends_on or date.max, lot.lot))
        ),
    )


async def depart(
    connection: Connection,
    group: OpenGroup,
    going: Sequence[PlaceRow],
    treatment: OnExit,
    why: Leaving,
    *,
    heir: UUID | None = None,
) -> list[Move]:
    """Let members of a locked group go, their points by `treatment`; return what moved.

    None of them is the head. Raises `HeirNeeded` and what the ledger refuses.
    """
    pot = await stakes.pot_of(connection, group)
    leaving = await _exit(connection, group, going, treatment, heir=heir)
    moves = stakes.moves_of(group, pot, leaving)
    await moving_out.move(connection, group, moves)
    await _end(connection, group, going, why, moves)
    for place in going:
        await tell(
            connection,
            "aged_out" if why is Leaving.AGED_OUT else "left",
            group,
            member_id=place.member_id,
            why=why,
            points=sum(one.points for one in moves if one.receiver == place.member_id),
        )
    return moves


async def send_on(
    connection: Connection, group: OpenGroup, place: PlaceRow, *, heir: UUID | None
) -> None:
    """Move what a head who died had brought, before its group closes with nobody to take over.

    What death leaves in the pool is treated as the closing treats it. Raises `HeirNeeded`.
    """
    pot = await stakes.pot_of(connection, group)
    leaving = await _exit(connection, group, [place], group.rules.exits.death, heir=heir)
    await moving_out.move(connection, group, stakes.moves_of(group, pot, leaving))


async def close(
    connection: Connection,
    group: OpenGroup,
    *,
    treatment: OnExit | None = None,
    heir: UUID | None = None,
) -> list[Move]:
    """Close a locked group: everybody goes, the head last, and nothing stays in its account."""
    going = group.places
    pot = await stakes.pot_of(connection, group, closes=True)
    leaving = await _exit(
        connection, group, going, treatment or group.rules.exits.closing, heir=heir, closes=True
    )
    moves = stakes.moves_of(group, pot, leaving)
    await moving_out.move(connection, group, moves, closes=True)
    await invitation_rows.end_of_group(connection, group.id)
    await act_rows.end_of_group(connection, group.id, group.at)
    members = group.members
    await _end(connection, group, going, Leaving.CLOSED, moves)
    group.row = msgspec.structs.replace(group.row, state=GroupState.CLOSED, closed_at=group.at)
    await places.set_group(connection, group.row)
    if group.row.pool is not None:
        yesterday = group.book.today - timedelta(days=1)
        await holders.resume_expiry(connection, group.row.pool, yesterday)
        await holders.set_state(connection, group.row.pool, HolderState.CLOSED)
    await tell(connection, "group_closed", group, members=members)
    return moves


async def hand_over(connection: Connection, group: OpenGroup, successor: UUID) -> None:
    """Let another adult be the head of a locked group, and have what lies at the head for all.

    What others brought goes over and stays theirs; what the old head brought itself it keeps. The
    old head is to the new one what the new one was to it, as far as that can be told. Raises
    `NotInGroup` or `NotAnAdult`.
    """
    place = group.place_of(successor)
    if place.kind is not Kind.ADULT:
        raise NotAnAdult
    before = group.head_place
    if before.member_id == successor:
        return
    pot = await stakes.pot_of(connection, group)
    if group.row.pool is None:
        going = stakes.movable(pot, group.book.today)
        await moving_out.move(connection, group, _to_new_head(going, successor))
    await sealed_names.seal_anew(connection, group, successor)
    role = _role_back(place.role)
    changed = (
        msgspec.structs.replace(
            before,
            role=role,
            future_percent=_share(group, before),
            may_spend=has_right_at_first(group, role, before.kind),
        ),
        msgspec.structs.replace(
            place, role=Role.HEAD, future_percent=_percent(group, place), may_spend=True
        ),
    )
    for one in changed:
        await places.set_place(connection, group.id, one)
        group.places[[kept.no for kept in group.places].index(one.no)] = one
    group.row = msgspec.structs.replace(group.row, head=successor)
    await places.set_group(connection, group.row)
    await suspending.follow(connection, group)
    facts = {"head": successor, "before": before.member_id}
    await tell(connection, "head_changed", group, **facts)


def successor_of(group: OpenGroup, named: UUID | None) -> UUID | None:
    """Return who takes over from a head that goes: who was named, else nobody is asked.

    None: the group closes, since nobody else belongs to it. Raises `HeadMustHandOver`.
    """
    others = [place for place in group.places if place.member_id not in (None, group.row.head)]
    if named not in (None, group.row.head):
        return named
    if others:
        raise HeadMustHandOver
    return None


def eldest_adult(group: OpenGroup) -> UUID | None:
    """Return the adult, but for the head, who has belonged to the group longest."""
    adults = [
        place
        for place in group.places
        if place.kind is Kind.ADULT and place.member_id not in (None, group.row.head)
    ]
    first = min(adults, key=lambda place: (place.joined_at, place.no), default=None)
    return None if first is None else first.member_id


async def _exit(
    connection: Connection,
    group: OpenGroup,
    going: Sequence[PlaceRow],
    treatment: OnExit,
    *,
    heir: UUID | None,
    closes: bool = False,
) -> Exit:
    gone = {place.no for place in going}
    return Exit(
        treatment=treatment,
        leavers=await stakes.leavers(connection, _members(going)),
        staying=await stakes.leavers(
            connection, _members([one for one in group.places if one.no not in gone])
        ),
        heir=heir,
        closes=closes,
    )


async def _end(
    connection: Connection,
    group: OpenGroup,
    going: Sequence[PlaceRow],
    why: Leaving,
    moves: Sequence[Move],
) -> None:
    took: dict[UUID, int] = {}
    for one in moves:
        took[one.receiver] = took.get(one.receiver, 0) + one.points
    await places.end_places(connection, group.id, going, why, group.at, took=took)
    gone = {place.no for place in going}
    group.places = [place for place in group.places if place.no not in gone]
    members = _members(going)
    if members:
        await sharing.mark(connection, members)
        await suspending.let_go(connection, group, members)


def _name(group: OpenGroup, partner_no: int) -> str | None:
    """Return what a partner is called; None is the operator."""
    return group.book.terms.catalogue.partner(partner_no).name if partner_no else None


def _members(going: Sequence[PlaceRow]) -> list[UUID]:
    return [place.member_id for place in going if place.member_id is not None]


def _to_new_head(pot: Sequence[stakes.StakeLot], successor: UUID) -> list[Move]:
    """Return how what others brought to the old head goes to the new one and stays theirs."""
    points: dict[UUID, int] = {}
    for lot in pot:
        points[lot.contributor] = points.get(lot.contributor, 0) + lot.points
    return [
        Move(
            sender=pot[0].holder,
            receiver=successor,
            points=sum_of,
            brought_by=one,
            contributor=None if one == successor else one,
        )
        for one, sum_of in sorted(points.items())
    ]


def _percent(group: OpenGroup, place: PlaceRow) -> int:
    """Return which share of its earnings goes on from a new head: none, where it has the pot."""
    return place.future_percent if group.row.pool is not None else 0


def _share(group: OpenGroup, place: PlaceRow) -> int:
    """Return which share goes on from who was the head and had the pot until now."""
    if group.row.pool is not None:
        return place.future_percent
    if group.rules.mechanism is Mechanism.LINKED_WALLET:
        return 100
    return next(iter(group.rules.contribution.future_percent), 0)


def _role_back(role: str) -> str:
    back = {Role.CHILD: Role.PARENT, Role.PARENT: Role.CHILD}
    return str(back.get(Role(role), Role(role)))
