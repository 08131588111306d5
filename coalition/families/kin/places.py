"""The SQL of groups and of the places that members have in them.

A group lives in the bucket of its id. Whoever changes anything of it has locked the holders of
everybody concerned, in the order of the ledger, and then its row; see `gathering`.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.families.rule_sets.vocabulary import Kind
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of


class GroupState(StrEnum):
    """Whether points of a group move, and whether it still is one."""

    ACTIVE = "active"
    SEPARATING = "separating"
    CLOSED = "closed"


class Leaving(StrEnum):
    """Why somebody belongs to a group no more."""

    LEFT = "left"
    REMOVED = "removed"
    """By the head."""
    AGED_OUT = "aged_out"
    DIED = "died"
    SETTLED = "settled"
    """After a separation."""
    CLOSED = "closed"
    """The group was."""
    MERGED = "merged"
    """The member lives on as another, who has the place now."""


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it is kept."""

    id: UUID
    kind: str
    rule_set_no: int
    rule_version: int
    currency_no: int
    head: UUID
    pool: UUID | None
    state: GroupState
    formed_at: datetime
    change_session_at: datetime | None
    closed_at: datetime | None


class PlaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a group: of a member, or of a nominee, whose label is sealed."""

    no: int
    member_id: UUID | None
    nominee: bytes | None = None
    role: str
    kind: Kind
    future_percent: int
    may_spend: bool
    joined_at: datetime
    turns_adult_on: date | None = None
    left_at: datetime | None = None
    leaving: Leaving | None = None
    took: int | None = None
    """The points that went along."""


_GROUP = """
SELECT id, kind, rule_set_no, rule_version, currency_no, head, pool, state, formed_at,
       change_session_at, closed_at
FROM family_group WHERE bucket = $1 AND id = $2
"""

_ADD_GROUP = """
INSERT INTO family_group (bucket, id, kind, rule_set_no, rule_version, currency_no, head, pool,
    state, formed_at, change_session_at, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

_SET_GROUP = """
UPDATE family_group SET head = $3, state = $4, change_session_at = $5, closed_at = $6
WHERE bucket = $1 AND id = $2
"""

_PLACES = """
SELECT no, member_id, nominee, role, kind, future_percent, may_spend, joined_at, turns_adult_on,
       left_at, leaving, took
FROM group_member WHERE bucket = $1 AND group_id = $2 AND (left_at IS NULL OR left_at >= $3)
ORDER BY no
"""

_LAST_NO = "SELECT coalesce(max(no), 0) FROM group_member WHERE bucket = $1 AND group_id = $2"

_ADD_PLACE = """
INSERT INTO group_member (bucket, group_id, no, member_id, nominee, role, kind, future_percent,
    may_spend, joined_at, turns_adult_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

_ADD_MEMBERSHIP = """
INSERT INTO group_of_member (bucket, member_id, group_id, no, kind, shares, joined_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_SET_PLACE = """
UPDATE group_member SET nominee = $4, role = $5, kind = $6, future_percent = $7, may_spend = $8
WHERE bucket = $1 AND group_id = $2 AND no = $3
"""

_END_PLACE = """
UPDATE group_member SET left_at = $4, leaving = $5, took = $6
WHERE bucket = $1 AND group_id = $2 AND no = $3
"""

_END_MEMBERSHIP = """
UPDATE group_of_member SET left_at = $5
WHERE bucket = $1 AND member_id = $2 AND group_id = $3 AND no = $4
"""

# What is named is few: a member belongs to a handful of groups in its life.
_GROUPS_OF = """
SELECT kept.member_id, kept.group_id
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id), LATERAL (
    SELECT member_id, group_id, joined_at FROM group_of_member
    WHERE group_of_member.bucket = wanted.bucket AND group_of_member.member_id = wanted.member_id
      AND left_at IS NULL
    OFFSET 0) AS kept
ORDER BY kept.member_id, kept.joined_at, kept.group_id
"""


async def read_group(
    connection: Connection, group: UUID, *, is_to_be_locked: bool = False
) -> GroupRow | None:
    """Return a group; None when there is none."""
    statement = _GROUP + (" FOR NO KEY UPDATE" if is_to_be_locked else "")
    row = await connection.fetchrow(statement, bucket_of(group), group)
    return None if row is None else msgspec.convert(dict(row), GroupRow)


async def add_group(connection: Connection, group: GroupRow) -> None:
    """Store a new group."""
    await connection.execute(_ADD_GROUP, bucket_of(group.id), *msgspec.structs.astuple(group))


async def set_group(connection: Connection, group: GroupRow) -> None:
    """Store what of a locked group can change: its head, its state, its session of changes."""
    await connection.execute(
        _SET_GROUP,
        bucket_of(group.id),
        group.id,
        group.head,
        group.state,
        group.change_session_at,
        group.closed_at,
    )


async def read_places(
    connection: Connection, group: UUID, *, left_since: datetime | None = None
) -> list[PlaceRow]:
    """Return the places of a group that are taken, or were left at or after `left_since`."""
    rows = await connection.fetch(_PLACES, bucket_of(group), group, left_since)
    return [msgspec.convert(dict(row), PlaceRow) for row in rows]


async def next_no(connection: Connection, group: UUID) -> int:
    """Return the number of the next place of a locked group."""
    return int(await connection.fetchval(_LAST_NO, bucket_of(group), group)) + 1


async def add_place(
    connection: Connection, group: GroupRow, place: PlaceRow, *, shares: bool
) -> None:
    """Store a new place of a locked group, and with its member that it belongs there.

    `shares` tells whether members of the group spend or earn for each other at the till.
    """
    await connection.execute(
        _ADD_PLACE,
        bucket_of(group.id),
        group.id,
        place.no,
        place.member_id,
        place.nominee,
        place.role,
        place.kind,
        place.future_percent,
        place.may_spend,
        place.joined_at,
        place.turns_adult_on,
    )
    if place.member_id is not None:
        member = place.member_id
        await connection.execute(
            _ADD_MEMBERSHIP,
            bucket_of(member),
            member,
            group.id,
            place.no,
            group.kind,
            shares,
            place.joined_at,
        )


async def set_place(connection: Connection, group: UUID, place: PlaceRow) -> None:
    """Store what of a place in a locked group can change."""
    await connection.execute(
        _SET_PLACE,
        bucket_of(group),
        group,
        place.no,
        place.nominee,
        place.role,
        place.kind,
        place.future_percent,
        place.may_spend,
    )


async def end_places(
    connection: Connection,
    group: UUID,
    places: Iterable[PlaceRow],
    leaving: Leaving,
    at: datetime,
    *,
    took: Mapping[UUID, int] | None = None,
) -> None:
    """Let the members of `places` of a locked group belong to it no more; `took` is by member."""
    for place in places:
        points = (took or {}).get(place.member_id, 0) if place.member_id is not None else 0
        last = max(at, place.joined_at)
        await connection.execute(
            _END_PLACE, bucket_of(group), group, place.no, last, leaving, points
        )
        if place.member_id is not None:
            member = place.member_id
            await connection.execute(
                _END_MEMBERSHIP, bucket_of(member), member, group, place.no, at
            )


async def groups_of(connection: Connection, members: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return the groups to which each of `members` belongs now, in the order of joining."""
    found: dict[UUID, list[UUID]] = {member: [] for member in members}
    rows = await connection.fetch(
        _GROUPS_OF, [bucket_of(member) for member in members], list(members)
    )
    for row in rows:
        found[row[0]].append(row[1])
    return found
