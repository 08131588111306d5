"""Members are locked before anything is written about them, and refused when they are none."""

from collections.abc import Iterable

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.ledger.refusals import HolderMerged
from coalition.members import queries
from coalition.members.refusals import MemberIsClosed, UnknownMember
from coalition.members.states import MemberState


async def lock_open(connection: Connection, members: Iterable[MemberId]) -> None:
    """Lock `members`, in one order everywhere, until the transaction ends.

    Raises `UnknownMember`, `HolderMerged` (with the survivor as `merged_into`) or `MemberIsClosed`
    unless all of them are members still.
    """
    wanted = set(members)
    locked = await queries.lock_members(connection, wanted)
    if len(locked) < len(wanted):
        raise UnknownMember
    for one in locked.values():
        check_open(one)


def check_open(standing: queries.Standing) -> None:
    """Refuse a member who was merged or closed."""
    check_merged(standing)
    if standing.state is MemberState.CLOSED:
        raise MemberIsClosed


def check_merged(standing: queries.Standing) -> None:
    """Refuse a member who was merged, naming the survivor."""
    if standing.merged_into is not None:
        raise HolderMerged(merged_into=str(standing.merged_into))
