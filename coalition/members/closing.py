"""The end of a membership: what is left of the account is given up only when somebody says so.

Cards, addresses and numbers are free for others then, and what the member was to the coalition is
over. The member's row and the books stay.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime

import msgspec

from coalition.federation import catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.ledger import forfeits, holders
from coalition.ledger.accounts import HolderState
from coalition.ledger.partitions import ensure_partition
from coalition.members import queries, standings
from coalition.members.locking import check_merged
from coalition.members.refusals import DebtRemains, PointsRemain, UnknownMember
from coalition.members.states import MemberState
from coalition.oversight import audit_log

Leaver = Callable[[Connection, MemberId, datetime], Awaitable[None]]
"""What a package above has to do, or to refuse, before a membership ends; the member is locked."""


class Closed(msgspec.Struct, frozen=True):
    """A membership that has ended; what was given up with it."""

    member_id: MemberId
    forfeited_points: int
    written_off_points: int


async def close(
    member_id: MemberId,
    *,
    actor: str,
    at: datetime,
    forfeit_points: bool = False,
    write_off_debt: bool = False,
    leavers: Sequence[Leaver] = (),
) -> Closed:
    """End a membership for good; repeating it changes nothing.

    First the member leaves what packages above say that it belongs to (`leavers`).

    Points that are left are forfeited, and what is owed is written off, only where the caller says
    so. Raises `UnknownMember`, `HolderMerged`, `HolderHasHolds`, `PointsRemain` or `DebtRemains`.
    """
    await ensure_partition(at)
    async with transaction() as connection:
        standing = (await queries.lock_members(connection, [member_id])).get(member_id)
        if standing is None:
            raise UnknownMember
        check_merged(standing)
        if standing.state is MemberState.CLOSED:
            return Closed(member_id, 0, 0)
        for leave in leavers:
            await leave(connection, member_id, at)
        today = await day(connection, at)
        left = await forfeits.remains(connection, member_id, at=at, today=today)
        if left.points and not forfeit_points:
            raise PointsRemain(points=left.points)
        if left.owes and not write_off_debt:
            raise DebtRemains(points=left.owes)
        given_up = await forfeits.forfeit(connection, member_id, at=at, today=today, actor=actor)
        await end(connection, member_id, actor=actor, at=at)
        closed = Closed(member_id, given_up.points, given_up.owes)
        await audit_log.record(
            connection,
            actor=actor,
            action="member.closed",
            subject=f"member:{member_id}",
            facts={
                "forfeited_points": closed.forfeited_points,
                "written_off_points": closed.written_off_points,
            },
            at=at,
        )
    return closed


async def end(connection: Connection, member_id: MemberId, *, actor: str, at: datetime) -> None:
    """Make a locked member, whose account is empty, a closed one."""
    await standings.end_all(connection, member_id, source=actor, at=at)
    await queries.change_state(connection, member_id, MemberState.CLOSED, at)
    await holders.set_state(connection, member_id, HolderState.CLOSED)
    await queries.release_all_contacts(connection, member_id)


async def day(connection: Connection, at: datetime) -> date:
    """Return the coalition's day at `at`; in UTC while there is no coalition."""
    known = await catalogue.load(connection)
    return (at.astimezone(known.zone) if known.is_set_up else at).date()
