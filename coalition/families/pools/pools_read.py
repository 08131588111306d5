"""What a till has to know of groups whose members spend or earn together: read for many at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin import guardians
from coalition.families.kin.places import GroupRow, PlaceRow
from coalition.families.rule_sets.books import Bound
from coalition.families.rule_sets.vocabulary import Kind
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders

_SHARED = """
SELECT kept.member_id, kept.group_id
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id), LATERAL (
    SELECT member_id, group_id, joined_at FROM group_of_member
    WHERE group_of_member.bucket = wanted.bucket AND group_of_member.member_id = wanted.member_id
      AND left_at IS NULL AND shares
    OFFSET 0) AS kept
ORDER BY kept.member_id, kept.joined_at, kept.group_id
"""

_LOCK = """
SELECT kept.id
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT id FROM family_group
    WHERE family_group.bucket = wanted.bucket AND family_group.id = wanted.id
    OFFSET 0 FOR NO KEY UPDATE) AS kept
"""

_GROUPS = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT id, kind, rule_set_no, rule_version, currency_no, head, pool, state, formed_at,
           change_session_at, closed_at
    FROM family_group
    WHERE family_group.bucket = wanted.bucket AND family_group.id = wanted.id
    OFFSET 0) AS kept
"""

_PLACES = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT group_id, no, member_id, role, kind, future_percent, may_spend, joined_at
    FROM group_member
    WHERE group_member.bucket = wanted.bucket AND group_member.group_id = wanted.id
      AND left_at IS NULL
    OFFSET 0) AS kept
ORDER BY kept.group_id, kept.no
"""

_KINDS = {kind.value: kind for kind in Kind}


class Known(NamedTuple):
    """The groups of members, each list in the order of joining, and whom guardians stopped."""

    groups: Mapping[UUID, Sequence[OpenGroup]]
    stopped: frozenset[UUID]
    protected: frozenset[UUID] = frozenset()
    """Whose points a tier keeps from ending, where rules take such points last."""


async def lock(connection: Connection, groups: Collection[UUID]) -> None:
    """Lock groups, in (bucket, id) order, until the transaction ends."""
    if groups:
        await connection.execute(_LOCK, *_arrays(groups))


async def read(connection: Connection, members: Collection[UUID], book: Book) -> Known:
    """Return the groups of `members` in which they spend or earn together, under their rules.

    A group whose rule set is not in force yet is left out.
    """
    wanted = sorted(set(members), key=lambda member: (bucket_of(member), member.bytes))
    rows = await connection.fetch(_SHARED, [bucket_of(member) for member in wanted], wanted)
    found = await _groups(connection, {row[1] for row in rows}, book)
    groups: dict[UUID, list[OpenGroup]] = {member: [] for member in wanted}
    for member, group in rows:
        if group in found:
            groups[member].append(found[group])
    concerned = {*wanted, *(one for group in found.values() for one in group.members)}
    careful = [group for group in found.values() if group.rules.debit.protected_last]
    return Known(
        groups,
        await guardians.stopped(connection, concerned),
        await _protected(connection, {one for group in careful for one in group.members}, book),
    )


async def _protected(
    connection: Connection, members: Collection[UUID], book: Book
) -> frozenset[UUID]:
    if not members:
        return frozenset()
    states = await holders.read_states(connection, members)
    return frozenset(
        member
        for member, state in states.items()
        if state.suspended_until is not None and state.suspended_until >= book.today
    )


async def _groups(
    connection: Connection, wanted: Collection[UUID], book: Book
) -> dict[UUID, OpenGroup]:
    if not wanted:
        return {}
    arrays = _arrays(wanted)
    found = {}
    for row in await connection.fetch(_GROUPS, *arrays):
        group = msgspec.convert(dict(row), GroupRow)
        bound: Bound | None = book.rules.rule_set(group.rule_set_no, book.at)
        if bound is not None:
            found[group.id] = OpenGroup(group, [], bound, book)
    for group_id, no, member, role, kind, percent, may_spend, joined in await connection.fetch(
        _PLACES, *arrays
    ):
        if group_id in found:
            place = PlaceRow(
                no=no,
                member_id=member,
                role=role,
                kind=_KINDS[kind],
                future_percent=percent,
                may_spend=may_spend,
                joined_at=joined,
            )
            found[group_id].places.append(place)
    return found


def _arrays(groups: Collection[UUID]) -> tuple[list[int], list[UUID]]:
    ordered = sorted(groups, key=lambda group: (bucket_of(group), group.bytes))
    return [bucket_of(group) for group in ordered], ordered
