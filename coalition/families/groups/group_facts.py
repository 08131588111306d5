"""What the evaluator is told of an act in a group, and what follows from an act that passes."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import Act, GroupFacts, Parties, Party, Place, Slot, Verdict
from coalition.families.groups import charging
from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin import places
from coalition.families.kin.group_refusals import GroupRefused
from coalition.families.kin.places import GroupState, PlaceRow
from coalition.families.rule_sets import lots
from coalition.families.rule_sets.notation import Lots
from coalition.families.rule_sets.vocabulary import Event, Kind
from coalition.families.transfers import facts, usage
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import holdings, posting

_OPEN_INVITATIONS = """
SELECT kind, count(*) FROM invitation
WHERE bucket = $1 AND group_id = $2 AND state = 'open' AND expires_at > $3 AND id <> $4
GROUP BY kind
"""

# Of groups of this kind only: to how many somebody belongs, and when it left the last one.
_BELONGING = """
SELECT wanted.member_id, kept.groups, kept.left_at
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id), LATERAL (
    SELECT count(*) FILTER (WHERE left_at IS NULL) AS groups, max(left_at) AS left_at
    FROM group_of_member AS belongs
    WHERE belongs.bucket = wanted.bucket AND belongs.member_id = wanted.member_id
      AND belongs.kind = $3) AS kept
"""

_NOBODY = UUID(int=0)


def place_facts(place: PlaceRow) -> Place:
    """Return what the evaluator is told of a place."""
    return Place(
        role=place.role, kind=place.kind, joined_at=place.joined_at, may_spend=place.may_spend
    )


async def people_of(
    connection: Connection, group: OpenGroup, members: Iterable[UUID], event: Event
) -> dict[UUID, Party]:
    """Return members as they stand, with what the rules of the group ask at `event`."""
    book = group.book
    wanted = [MemberId(one) for one in {*members}]
    balances = await posting.balances(
        connection,
        wanted,
        currency_no=group.row.currency_no,
        today=book.today,
        suspended=book.terms.catalogue.suspended_at(book.at),
    )
    found = await facts.parties(
        connection,
        wanted,
        facts.Asked(
            needs=[rules.needs(group.rules, event)],
            currency_no=group.row.currency_no,
            at=book.at,
            today=book.today,
            received=book.terms.catalogue.classes.received,
        ),
        balances={MemberId(member): points for member, points in balances.items()},
        keys=book.keys,
    )
    rows = await connection.fetch(
        _BELONGING, [bucket_of(one) for one in wanted], wanted, group.row.kind
    )
    belonging = {row[0]: (row[1], row[2]) for row in rows}
    return {
        member: msgspec.structs.replace(
            party, groups=belonging[member][0], left_at=belonging[member][1]
        )
        for member, party in found.items()
    }


async def facts_of(
    connection: Connection, group: OpenGroup, *, but_for: UUID | None = None
) -> GroupFacts:
    """Return a group as the evaluator sees it, but for one of its open invitations."""
    row = group.row
    counts = Counter(place.kind for place in group.places)
    invited = await connection.fetch(
        _OPEN_INVITATIONS, bucket_of(row.id), row.id, group.at, but_for or _NOBODY
    )
    return GroupFacts(
        group=row.id,
        formed_at=row.formed_at,
        counts=dict(counts),
        open_invitations={Kind(kind): number for kind, number in invited},
        left=await _left(connection, group),
        change_session_at=row.change_session_at,
        is_frozen=row.state is GroupState.SEPARATING,
    )


async def verdict_of(
    connection: Connection,
    group: OpenGroup,
    act: Act,
    actor: UUID,
    *,
    but_for: UUID | None = None,
    place: PlaceRow | None = None,
) -> Verdict:
    """Return what the rules of a group say of an act of `actor`, about its place or another."""
    people = await people_of(connection, group, (actor, group.row.head), act.event)
    brought = group.rules.contribution.lots
    if act.event is Event.CONTRIBUTE and brought is not None:
        people[actor] = await _of_lots(connection, group, people[actor], brought)
    place = place or group.find(actor)
    parties = Parties(
        actor=people[actor],
        head=people[group.row.head],
        group=await facts_of(connection, group, but_for=but_for),
        actor_place=None if place is None else place_facts(place),
    )
    wanted = rules.wanted_usage(group.rules, act, parties, group.zone)
    used = await usage.read(connection, wanted)
    return rules.evaluate(group.rules, act, parties, used, group.zone)


async def _of_lots(connection: Connection, group: OpenGroup, party: Party, asked: Lots) -> Party:
    """Return a member with how many of its points are of lots that may be brought in."""
    book = group.book
    held = await holdings.spendable(
        connection, [party.member], currency_no=group.row.currency_no, today=book.today
    )
    kinds = held.get(party.member, ())
    points = lots.of_lots(asked, kinds, book.terms, book.at)
    return msgspec.structs.replace(party, transferable=points)


async def judged(
    connection: Connection,
    group: OpenGroup,
    act: Act,
    actor: UUID,
    *,
    but_for: UUID | None = None,
    place: PlaceRow | None = None,
) -> Verdict:
    """Return the verdict on an act that passes, counted and charged. Raises `GroupRefused`."""
    verdict = await verdict_of(connection, group, act, actor, but_for=but_for, place=place)
    if verdict.failures:
        raise GroupRefused.of(verdict.failures, by_head=actor == group.row.head)
    await usage.add(connection, verdict.usage)
    if verdict.starts_change_session:
        group.row = msgspec.structs.replace(group.row, change_session_at=act.at)
        await places.set_group(connection, group.row)
    await charging.charge(connection, group, verdict, actor, act.event)
    return verdict


async def _left(connection: Connection, group: OpenGroup) -> tuple[Slot, ...]:
    days = group.rules.join.slot_cooldown_days
    for change in group.rules.changes:
        days = max(days, change.set.get("join.slot_cooldown_days") or 0)
    if not days:
        return ()
    since: datetime = group.at - timedelta(days=days + 1)
    rows = await places.read_places(connection, group.id, left_since=since)
    return tuple(Slot(row.kind, row.left_at) for row in rows if row.left_at is not None)
