"""How a member comes to belong to a group: judged, given its place, its points brought in."""

from datetime import date
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import Act, Place, Verdict
from coalition.families.evaluator.spending import spend_rule
from coalition.families.evaluator.windows import birthday
from coalition.families.groups import suspending
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.group_facts import judged, verdict_of
from coalition.families.groups.moving_out import bring, lots_that_count
from coalition.families.groups.stakes import movable, spendable
from coalition.families.groups.telling import tell
from coalition.families.kin import guardians, places, relationships, sharing
from coalition.families.kin.ages import OF_AGE, kind_on, turning_day
from coalition.families.kin.group_refusals import GroupRefused, InvalidRole
from coalition.families.kin.places import PlaceRow
from coalition.families.rule_sets.vocabulary import Channel, Event, Kind, Mechanism, Role
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members import circumstances

_OF_THE_GROUP = (
    "group.members",
    "group.adults",
    "group.minors",
    "group.infants",
    "eligibility.head",
    "join.slot_cooldown_days",
    "limits.group.",
)
"""What the head hears when it invites: nothing of the one invited but whether there is room."""


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to join, as what, with which share of what it will earn."""

    member: UUID
    role: str
    future_percent: int | None = None
    """None is the first share that the rules offer."""
    relationship: str | None = None
    """What the member is to the head, where its role does not say it."""
    channel: Channel = Channel.ONLINE
    pays_in_points: bool = False


async def enter(
    connection: Connection,
    group: OpenGroup,
    newcomer: Newcomer,
    *,
    invitation: UUID | None = None,
) -> PlaceRow:
    """Let somebody join a locked group by its rules; return the place.

    Who joined under an open `invitation` does not count twice. Raises `GroupRefused`,
    `InvalidRole` and what the ledger refuses of points that have to go in.
    """
    check_role(newcomer.role, is_head=newcomer.member == group.row.head)
    turns, kind = await _age(connection, group, newcomer.member)
    act = await _act(connection, group, newcomer, kind)
    await judged(connection, group, act, newcomer.member, but_for=invitation)
    place = PlaceRow(
        no=await places.next_no(connection, group.id),
        member_id=newcomer.member,
        role=newcomer.role,
        kind=kind,
        future_percent=_percent(group, newcomer),
        may_spend=has_right_at_first(group, newcomer.role, kind),
        joined_at=group.at,
        turns_adult_on=None if kind is Kind.ADULT and not _ages_out_later(group, turns) else turns,
    )
    pools = group.rules.mechanism in sharing.POOLING
    await places.add_place(connection, group.row, place, shares=pools)
    group.places.append(place)
    await sharing.mark(connection, [newcomer.member])
    await suspending.follow(connection, group)
    if newcomer.relationship is not None and newcomer.member != group.row.head:
        pair = (group.row.head, newcomer.member)
        await relationships.put(connection, *pair, newcomer.relationship, group.at)
    await _bring_existing(connection, group, newcomer.member)
    await tell(connection, "joined", group, member_id=newcomer.member, role=place.role)
    return place


async def check_room(connection: Connection, group: OpenGroup, newcomer: Newcomer) -> Kind:
    """Return as what somebody who is invited would count; refuse where there is no room for it.

    Raises `GroupRefused` with what concerns the group and its head alone: of whoever is invited
    the head hears nothing.
    """
    check_role(newcomer.role, is_head=False)
    kind, verdict = await tried(connection, group, newcomer)
    failures = [one for one in verdict.failures if one.rule.startswith(_OF_THE_GROUP)]
    if failures:
        raise GroupRefused.of(failures, by_head=True)
    return kind


async def tried(
    connection: Connection, group: OpenGroup, newcomer: Newcomer
) -> tuple[Kind, Verdict]:
    """Return as what somebody who would join counts, and what the rules say of it."""
    _, kind = await _age(connection, group, newcomer.member)
    act = await _act(connection, group, newcomer, kind)
    return kind, await verdict_of(connection, group, act, newcomer.member)


def check_role(role: str, *, is_head: bool) -> None:
    """Refuse a role that there is not, and the head's for anybody else."""
    if role not in Role.__members__.values() or (role == Role.HEAD) is not is_head:
        raise InvalidRole


async def _act(connection: Connection, group: OpenGroup, newcomer: Newcomer, kind: Kind) -> Act:
    head = group.row.head
    declared = await relationships.read(connection, head, newcomer.member)
    asked = any(one.evidence_asked_at is not None for one in declared)
    known = next((one for one in declared if one.confirmed_at is not None), None)
    guarding = await guardians.guardians_of(connection, [newcomer.member])
    word = newcomer.relationship or (known.relationship if known else newcomer.role)
    is_same = known is not None and known.relationship == word
    return Act(
        event=Event.JOIN,
        at=group.at,
        channel=newcomer.channel,
        relationship=word,
        evidence=is_same and known is not None and known.proved_at is not None,
        evidence_asked=asked,
        kind=kind,
        has_guardian_in_group=not {*group.members, head}.isdisjoint(guarding[newcomer.member]),
        future_percent=newcomer.future_percent,
        pays_in_points=newcomer.pays_in_points,
    )


async def is_of_age(connection: Connection, group: OpenGroup, member: UUID) -> bool:
    """Tell whether a member joins by its own word: an adult to the rules, or to the coalition.

    Whose birth date is not known is taken for one.
    """
    turns, kind = await _age(connection, group, member)
    return turns is None or turns <= group.today or kind is Kind.ADULT


async def _age(connection: Connection, group: OpenGroup, member: UUID) -> tuple[date | None, Kind]:
    known = await circumstances.read(connection, [MemberId(member)], keys=group.book.keys)
    turns = turning_day(known[MemberId(member)].born) if MemberId(member) in known else None
    return turns, kind_on(group.rules.group, turns, group.today)


def _ages_out_later(group: OpenGroup, turns: date | None) -> bool:
    """Tell whether an adult who joins has an age ahead at which it has to leave."""
    at_age = group.rules.exits.at_age
    if turns is None or at_age is None:
        return False
    return birthday(turns, at_age - OF_AGE) > group.today


def _percent(group: OpenGroup, newcomer: Newcomer) -> int:
    """Return which share of what it earns goes into the pot."""
    mechanism, offered = group.rules.mechanism, group.rules.contribution.future_percent
    if newcomer.member == group.row.head and group.row.pool is None:
        return 0
    if mechanism is Mechanism.LINKED_WALLET:
        return 100
    if newcomer.future_percent is not None:
        return newcomer.future_percent
    return offered[0] if offered else 0


def has_right_at_first(group: OpenGroup, role: str, kind: Kind) -> bool:
    """Tell whether somebody of that role spends what the rules say, before the head has a say.

    The head always does; for others the rules may ask for its grant.
    """
    place = Place(role=role, kind=kind, joined_at=group.at)
    return role == Role.HEAD or not spend_rule(group.rules.group, place)[1].by_grant


async def _bring_existing(connection: Connection, group: OpenGroup, member: UUID) -> None:
    """Bring what a member has when it joins, where all of it has to go into the pot."""
    if group.rules.contribution.existing != "all" or group.pot in (None, member):
        return
    counting = lots_that_count(group, member)
    points = sum(
        lot.points
        for lot in movable(await spendable(connection, group, [member]), group.book.today)
        if lot.contributor == member
        and (counting.issuer_nos is None or lot.issuer_no in counting.issuer_nos)
        and (counting.class_nos is None or lot.class_no in counting.class_nos)
        and (counting.earned_since is None or lot.earned_month >= counting.earned_since)
    )
    if points:
        await bring(connection, group, member, points)
