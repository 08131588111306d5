"""The death of a member, noted by two of the staff: its groups, its points, its account.

In each group the rules of death hold for what it brought, and for the points that lie with it where
those rules send them on. What they leave with it stays in its account, frozen, for the estate.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.families.groups import (
    act_rows,
    departing,
    gathering,
    invitation_rows,
    moving_out,
    separating,
    stakes,
    two_persons,
)
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.stakes import Exit
from coalition.families.kin import guardians, places
from coalition.families.kin.places import Leaving
from coalition.families.kin.speaking import By
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import service, standings
from coalition.members.locking import lock_open
from coalition.oversight import approvals, audit_log
from coalition.oversight.reasons import valid_reason

KIND = "member_death"
"""The kind of approval by which a member is noted as dead."""

FLAG = "deceased"
"""The standing of who has died."""


class PreparedDeath(msgspec.Struct, frozen=True):
    """What the second person sees and approves: the payload of the approval."""

    member_id: UUID
    heir: UUID | None
    successor: UUID | None
    reason: str


async def prepare(
    member: UUID,
    *,
    heir: UUID | None,
    successor: UUID | None,
    reason: str,
    prepared_by: str,
    at: datetime,
) -> UUID:
    """Prepare to note the death of a member; return the id of the approval.

    `heir` is the member who inherits where rules say so; `successor` takes over the groups of a
    head, else the adult who has belonged longest does. `reason` says how it is known, and names
    nobody. Raises `ReasonNeeded` and what `lock_open` does.
    """
    async with transaction() as connection:
        named = {one for one in (member, heir, successor) if one is not None}
        await lock_open(connection, [MemberId(one) for one in named])
        return await approvals.prepare(
            kind=KIND,
            subject=f"member:{member}",
            payload=PreparedDeath(member, heir, successor, valid_reason(reason)),
            prepared_by=prepared_by,
            at=at,
        )


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> int:
    """Note the death; return to how many groups the member belonged."""
    assert approval.decided_by is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedDeath)
    book, by = two_persons.book_in_hand(), By.staff(approval.decided_by)
    member = MemberId(wanted.member_id)
    await lock_open(connection, [member])
    groups = (await places.groups_of(connection, [member]))[member]
    for group in groups:
        await _leave(connection, group, wanted, book, by)
    await guardians.end_of(connection, member, book.at)
    await invitation_rows.end_of_member(connection, member)
    await act_rows.end_of_member(connection, member, book.at)
    await standings.grant(
        connection,
        member=member,
        kind="flag",
        value=FLAG,
        valid_from=book.at,
        valid_until=None,
        source=by.name,
        at=book.at,
    )
    await service.freeze(member, actor=by.name, at=book.at)
    await audit_log.record(
        connection,
        actor=by.name,
        action="member.death_noted",
        subject=f"member:{member}",
        facts={"groups": groups, "heir": wanted.heir},
        at=book.at,
    )
    return len(groups)


async def _leave(
    connection: Connection, group: UUID, wanted: PreparedDeath, book: Book, by: By
) -> None:
    also = [one for one in (wanted.heir,) if one is not None]
    found = await gathering.lock(connection, group, book, also=also)
    await separating.end_by_death(connection, found, by)
    await _move_own(connection, found, wanted)
    if wanted.member_id == found.row.head:
        successor = _successor(found, wanted)
        if successor is None:
            await departing.send_on(connection, found, found.head_place, heir=wanted.heir)
            await departing.close(connection, found, heir=wanted.heir)
            return
        await departing.hand_over(connection, found, successor)
    place = found.place_of(wanted.member_id)
    await departing.depart(
        connection, found, [place], found.rules.exits.death, Leaving.DIED, heir=wanted.heir
    )


def _successor(group: OpenGroup, wanted: PreparedDeath) -> UUID | None:
    named = wanted.successor
    is_another = named in group.members and named != group.row.head
    return named if is_another else departing.eldest_adult(group)


async def _move_own(connection: Connection, group: OpenGroup, wanted: PreparedDeath) -> None:
    """Move the points that lie with who died, but for what others brought to it as the head."""
    member = wanted.member_id
    lots = await stakes.spendable(connection, group, group.members)
    own: dict[UUID, int] = dict.fromkeys(group.members, 0)
    for lot in stakes.movable(lots, group.book.today):
        if lot.contributor == lot.holder:
            own[lot.holder] += lot.points
    leaving = Exit(
        treatment=group.rules.exits.death,
        leavers=await stakes.leavers(connection, [member]),
        staying=(),
        heir=wanted.heir,
    )
    dead = own.pop(member)
    await moving_out.move(connection, group, stakes.own_moves(group, dead, leaving, own))
