"""What families keep of a member: for its copy, for forgetting it, for its end and for merges.

Whoever ends a membership, or forgets a person, lets it leave its groups first. What stands in books
stays, under an id that says nothing.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from coalition.families.groups import act_rows, departing, gathering, invitation_rows, paying
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.groups import Groups
from coalition.families.kin import guardians, places, relationships
from coalition.families.kin.group_refusals import GroupsToLeave
from coalition.families.kin.places import GroupState, Leaving
from coalition.families.rule_sets.vocabulary import OnExit
from coalition.families.transfers import deciding
from coalition.families.transfers.judging import Book
from coalition.families.transfers.transferring import Transfers
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members.closing import Leaver
from coalition.members.privacy import Keeper, Piece
from coalition.members.sealing import MemberKeys

_PLACES = """
SELECT belongs.group_id, belongs.no, belongs.kind, belongs.joined_at, belongs.left_at
FROM group_of_member AS belongs WHERE belongs.bucket = $1 AND belongs.member_id = $2
ORDER BY belongs.joined_at, belongs.group_id
"""

_TRANSFERS = """
SELECT id AS transfer_id, sender, receiver, points, fee_points, fee_minor, fee_currency, purpose,
       channel, state, requested_at
FROM transfer WHERE (bucket = $1 AND sender = $2) OR receiver = $2 ORDER BY id
"""

_GUARDIANS = """
SELECT guardian, since, until, source FROM guardianship
WHERE bucket = $1 AND minor = $2 ORDER BY since, guardian
"""

_INVITATIONS = """
SELECT id AS invitation_id, group_id, role, relationship, made_at, expires_at, state
FROM invitation WHERE member_id = $1 ORDER BY made_at, id
"""

# Who sent what to whom stays, as all books do; what for, from which device, and what was said of
# it goes.
_FORGET = (
    "UPDATE transfer SET purpose = NULL, device = NULL WHERE bucket = $1 AND sender = $2",
    "DELETE FROM known_device WHERE bucket = $1 AND member_id = $2",
    "DELETE FROM relationship WHERE bucket = $1 AND member_id = $2",
    "DELETE FROM guardianship WHERE bucket = $1 AND minor = $2",
)
_FORGET_ELSEWHERE = (
    """
    UPDATE transfer_event SET reason = NULL FROM transfer
    WHERE reason IS NOT NULL AND transfer.bucket = transfer_event.bucket
      AND transfer.id = transfer_event.transfer
      AND (transfer.receiver = $1 OR transfer.sender = $1 OR actor = 'member:' || $1::uuid::text)
    """,
    "DELETE FROM relationship WHERE other_id = $1",
    "DELETE FROM guardianship WHERE guardian = $1",
    "DELETE FROM invitation WHERE member_id = $1",
)


def keeper(keys: MemberKeys) -> Keeper:
    """Return what exports a member's families, and what lets it leave them and forgets them."""
    groups = Groups(keys=keys)
    service = Transfers(keys=keys, clock=SystemClock())

    async def prepare(connection: Connection, member_id: MemberId, at: datetime) -> None:
        await deciding.give_up_all_of(service, member_id, at)
        await leave_all(connection, member_id, await groups.book(connection, at))

    return Keeper("families", _export, _erase, prepare)


def leaver(keys: MemberKeys) -> Leaver:
    """Return what lets a member leave its groups before its membership ends.

    Transfers of it that wait are turned down.
    """
    groups = Groups(keys=keys)
    service = Transfers(keys=keys, clock=SystemClock())

    async def leave(connection: Connection, member_id: MemberId, at: datetime) -> None:
        await deciding.give_up_all_of(service, member_id, at)
        await leave_all(connection, member_id, await groups.book(connection, at))

    return leave


async def leave_all(connection: Connection, member: UUID, book: Book) -> None:
    """Let a member leave every group; a group of which it is the head goes to another adult.

    Without another adult the group closes. Points that the rules send to an heir it keeps: nobody
    has died. Raises `GroupsToLeave` while one of them is being separated.
    """
    await invitation_rows.end_of_member(connection, member)
    await act_rows.end_of_member(connection, member, book.at)
    for group in (await places.groups_of(connection, [member]))[member]:
        found = await gathering.lock(connection, group, book)
        if found.row.state is GroupState.SEPARATING:
            raise GroupsToLeave("The group is being separated; settle that first", group=group)
        await _leave(connection, found, member)


async def _leave(connection: Connection, group: OpenGroup, member: UUID) -> None:
    if member == group.row.head:
        successor = departing.eldest_adult(group)
        if successor is None:
            treatment = _without_heir(group.rules.exits.closing)
            await departing.close(connection, group, treatment=treatment)
            return
        await departing.hand_over(connection, group, successor)
    treatment = _without_heir(group.rules.exits.leaving)
    place = group.place_of(member)
    await departing.depart(connection, group, [place], treatment, Leaving.LEFT)


def _without_heir(treatment: OnExit) -> OnExit:
    return OnExit.KEEP_OWN_SHARE if treatment is OnExit.TO_HEIR else treatment


async def _export(
    connection: Connection, member_id: MemberId, at: datetime
) -> AsyncIterator[Piece]:
    del at
    key = (bucket_of(member_id), member_id)
    yield "groups", await _rows(connection, _PLACES, *key)
    yield "group_invitations", await _rows(connection, _INVITATIONS, member_id)
    yield "group_acts", await paying.of_member(connection, member_id)
    yield "transfers", await _rows(connection, _TRANSFERS, *key)
    yield "relationships", await relationships.read(connection, member_id)
    yield "guardians", await _rows(connection, _GUARDIANS, *key)
    yield "wards", await guardians.wards_of(connection, member_id)


async def _rows(connection: Connection, statement: str, *given: object) -> Sequence[object]:
    return [dict(row) for row in await connection.fetch(statement, *given)]


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    del asked_at
    for statement in _FORGET:
        await connection.execute(statement, bucket_of(member_id), member_id)
    for statement in _FORGET_ELSEWHERE:
        await connection.execute(statement, member_id)
