"""What two members are to each other: the groups they share, and what was declared of them."""

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from coalition.families.evaluator.rules import relationship_between
from coalition.families.kin import places
from coalition.families.kin.places import GroupRow, PlaceRow
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

Pair = tuple[MemberId, MemberId]
"""Who sends, and who receives."""

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_DECLARED = """
SELECT wanted.member_id, wanted.other_id, kept.*
FROM unnest($1::int2[], $2::uuid[], $3::uuid[]) AS wanted (bucket, member_id, other_id), LATERAL (
    SELECT CASE WHEN confirmed_at IS NOT NULL THEN relationship END,
           confirmed_at IS NOT NULL AND proved_at IS NOT NULL, evidence_asked_at IS NOT NULL
    FROM relationship
    WHERE relationship.bucket = wanted.bucket AND relationship.member_id = wanted.member_id
      AND relationship.other_id = wanted.other_id
    OFFSET 0) AS kept
"""


class Shared(NamedTuple):
    """A group to which both of two members belong, and what each is there."""

    group: GroupRow
    sender: PlaceRow
    receiver: PlaceRow


class Tie(NamedTuple):
    """What a receiver is to a sender."""

    groups: tuple[Shared, ...] = ()
    """In the order in which the sender joined them."""
    relationship: str | None = None
    is_proved: bool = False
    is_proof_asked: bool = False


async def read(connection: Connection, pairs: Collection[Pair]) -> dict[Pair, Tie]:
    """Return the tie of each of `pairs`; nearly all of them share no group, or one.

    What they are to each other is told by the roles in a group that they share, or else by what was
    declared and confirmed.
    """
    groups = await places.groups_of(connection, {member for pair in pairs for member in pair})
    shared_by = {
        pair: [group for group in groups[pair[0]] if group in groups[pair[1]]] for pair in pairs
    }
    known = await _places(connection, {group for found in shared_by.values() for group in found})
    declared = {
        (MemberId(row[0]), MemberId(row[1])): (row[2], row[3], row[4])
        for row in await connection.fetch(
            _DECLARED,
            [bucket_of(sender) for sender, _ in pairs],
            [sender for sender, _ in pairs],
            [receiver for _, receiver in pairs],
        )
    }
    ties = {}
    for pair, found in shared_by.items():
        shared = tuple(
            Shared(known[group][0], known[group][1][pair[0]], known[group][1][pair[1]])
            for group in found
        )
        word, is_proved, is_asked = declared.get(pair, (None, False, False))
        ties[pair] = Tie(shared, _by_roles(shared) or word, is_proved, is_asked)
    return ties


async def _places(
    connection: Connection, groups: Collection[UUID]
) -> dict[UUID, tuple[GroupRow, dict[UUID, PlaceRow]]]:
    known = {}
    for group in sorted(groups, key=lambda group: (bucket_of(group), group.bytes)):
        row = await places.read_group(connection, group)
        assert row is not None, "a place belongs to a group"
        taken = await places.read_places(connection, group)
        members = {place.member_id: place for place in taken if place.member_id is not None}
        known[group] = row, members
    return known


def _by_roles(shared: Iterable[Shared]) -> str | None:
    words = (relationship_between(one.sender.role, one.receiver.role) for one in shared)
    return next((word for word in words if word is not None), None)
