"""Separation: a group in which nothing moves until its head and a member have settled it.

Both say what they want; when they want the same, that is done. Staff can settle it too, two persons
together. Meanwhile nobody brings anything in, takes anything out or spends what is not its own.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.families.groups import departing, gathering, two_persons
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.telling import tell
from coalition.families.kin import places
from coalition.families.kin.group_refusals import (
    GroupIsClosed,
    HeadOnly,
    NotSeparating,
    SecondPersonOnly,
    UnknownGroup,
)
from coalition.families.kin.places import GroupState, Leaving
from coalition.families.kin.speaking import By
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import bucket_of
from coalition.oversight import approvals, audit_log
from coalition.oversight.reasons import valid_reason

KIND = "family_separation"
"""The kind of approval by which staff settle a separation."""


class Outcome(StrEnum):
    """How a separation ends."""

    LEAVE = "leave"
    """The member leaves, with what the rules let it take out."""
    CLOSE = "close"
    """The group closes, and everybody takes out what the rules say of that."""
    STAY = "stay"
    """They stay together."""


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """A separation as it stands."""

    no: int
    member_id: UUID
    begun_at: datetime
    begun_by: str
    head_wants: Outcome | None = None
    member_wants: Outcome | None = None
    outcome: Outcome | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None


class PreparedSettlement(msgspec.Struct, frozen=True):
    """What the second person sees and approves: the payload of the approval."""

    group_id: UUID
    outcome: Outcome
    reason: str


_READ = """
SELECT no, member_id, begun_at, begun_by, head_wants, member_wants, outcome, settled_at, settled_by
FROM separation WHERE bucket = $1 AND group_id = $2 ORDER BY no DESC LIMIT 1
"""

_ADD = """
INSERT INTO separation (bucket, group_id, no, member_id, begun_at, begun_by)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_SET = """
UPDATE separation SET head_wants = $4, member_wants = $5, outcome = $6, settled_at = $7,
    settled_by = $8
WHERE bucket = $1 AND group_id = $2 AND no = $3
"""


async def begin(
    connection: Connection, group: UUID, member: UUID, book: Book, *, by: By
) -> Separation:
    """Stop a group until it is settled whether `member` leaves; begun already, it goes on.

    The member or its guardian, the head, or staff begins it. Raises `UnknownGroup`, `NotInGroup`,
    `NotYourself`, `HeadOnly` for a member that is the head, or `GroupIsClosed`.
    """
    found = await gathering.lock(connection, group, book)
    if by.member != found.row.head:
        await found.check_speaks_for(connection, member, by)
    if found.row.state is GroupState.CLOSED:
        raise GroupIsClosed
    found.place_of(member)
    if member == found.row.head:
        raise HeadOnly("A separation is that of a member from its head; name the member")
    latest = await read(connection, group)
    if found.row.state is GroupState.SEPARATING and latest is not None:
        return latest
    begun = Separation(
        no=1 if latest is None else latest.no + 1,
        member_id=member,
        begun_at=found.at,
        begun_by=by.name,
    )
    await connection.execute(
        _ADD, bucket_of(group), group, begun.no, member, begun.begun_at, begun.begun_by
    )
    await _set_state(connection, found, GroupState.SEPARATING)
    await tell(connection, "separation_began", found, member_id=member)
    if by.is_staff:
        await _log(connection, "group.separation_began", found, begun, by)
    return begun


async def want(
    connection: Connection, group: UUID, outcome: Outcome, book: Book, *, by: By
) -> Separation:
    """Say as the head or as the member how it should end; wanted by both, it ends so.

    Raises `UnknownGroup`, `NotSeparating`, `NotYourself` or `SecondPersonOnly` for staff.
    """
    if by.is_staff:
        raise SecondPersonOnly
    found = await gathering.lock(connection, group, book)
    latest = await read(connection, group)
    if latest is None:
        found.check_visible(by)
        raise NotSeparating
    if by.member != found.row.head:
        await found.check_speaks_for(connection, latest.member_id, by)
    latest = await _open(connection, found)
    if by.member == found.row.head:
        latest = msgspec.structs.replace(latest, head_wants=outcome)
    else:
        latest = msgspec.structs.replace(latest, member_wants=outcome)
    await _store(connection, found, latest)
    if latest.head_wants is not latest.member_wants:
        return latest
    return await _settle(connection, found, latest, outcome, by)


async def prepare_settlement(
    group: UUID, outcome: Outcome, *, reason: str, prepared_by: str, at: datetime
) -> UUID:
    """Prepare as staff how a separation ends; return the id of the approval.

    Raises `UnknownGroup`, `NotSeparating` or `ReasonNeeded`.
    """
    async with transaction() as connection:
        row = await places.read_group(connection, group)
        if row is None:
            raise UnknownGroup
        if row.state is not GroupState.SEPARATING:
            raise NotSeparating
        return await approvals.prepare(
            kind=KIND,
            subject=f"group:{group}",
            payload=PreparedSettlement(group, outcome, valid_reason(reason)),
            prepared_by=prepared_by,
            at=at,
        )


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> Separation:
    assert approval.decided_by is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedSettlement)
    found = await gathering.lock(connection, wanted.group_id, two_persons.book_in_hand())
    latest = await _open(connection, found)
    by = By.staff(approval.decided_by)
    settled = await _settle(connection, found, latest, wanted.outcome, by)
    await _log(connection, "group.separation_settled", found, settled, by)
    return settled


async def read(connection: Connection, group: UUID) -> Separation | None:
    """Return the last separation of a group, settled or not."""
    row = await connection.fetchrow(_READ, bucket_of(group), group)
    return None if row is None else msgspec.convert(dict(row), Separation)


async def end_by_death(connection: Connection, group: OpenGroup, by: By) -> None:
    """Let a group go on after one of those who separated has died."""
    if group.row.state is GroupState.SEPARATING:
        latest = await _open(connection, group)
        await _settle(connection, group, latest, Outcome.STAY, by)


async def _settle(
    connection: Connection, group: OpenGroup, latest: Separation, outcome: Outcome, by: By
) -> Separation:
    settled = msgspec.structs.replace(
        latest, outcome=outcome, settled_at=group.at, settled_by=by.name
    )
    await _store(connection, group, settled)
    await _set_state(connection, group, GroupState.ACTIVE)
    await tell(
        connection, "separation_settled", group, member_id=settled.member_id, outcome=outcome
    )
    if outcome is Outcome.CLOSE:
        await departing.close(connection, group)
    elif outcome is Outcome.LEAVE:
        place = group.place_of(settled.member_id)
        treatment = group.rules.exits.leaving
        await departing.depart(connection, group, [place], treatment, Leaving.SETTLED)
    return settled


async def _open(connection: Connection, group: OpenGroup) -> Separation:
    latest = await read(connection, group.id)
    if latest is None or latest.outcome is not None:
        raise NotSeparating
    return latest


async def _store(connection: Connection, group: OpenGroup, latest: Separation) -> None:
    await connection.execute(
        _SET,
        bucket_of(group.id),
        group.id,
        latest.no,
        latest.head_wants,
        latest.member_wants,
        latest.outcome,
        latest.settled_at,
        latest.settled_by,
    )


async def _set_state(connection: Connection, group: OpenGroup, state: GroupState) -> None:
    group.row = msgspec.structs.replace(group.row, state=state)
    await places.set_group(connection, group.row)


async def _log(
    connection: Connection, action: str, group: OpenGroup, one: Separation, by: By
) -> None:
    await audit_log.record(
        connection,
        actor=by.name,
        action=action,
        subject=f"group:{group.id}",
        facts={"member": one.member_id, "outcome": one.outcome},
        at=group.at,
    )
