"""What a member who is signed in may do now: everything, only look, or nothing any more."""

from uuid import UUID

from coalition.access.refusals import MemberFrozen, MembershipEnded
from coalition.kernel.database import Connection
from coalition.ledger import holders
from coalition.ledger.accounts import HolderState
from coalition.ledger.refusals import HolderMerged


async def check(connection: Connection, member: UUID, *, writes: bool) -> None:
    """Refuse a member whose token outlives what it may do.

    Raises `MembershipEnded`, `HolderMerged` for who was merged meanwhile and signs in anew, and
    `MemberFrozen` for one that would change something.
    """
    standing = (await holders.read_states(connection, [member])).get(member)
    if standing is None:
        raise MembershipEnded
    if standing.merged_into is not None:
        raise HolderMerged(merged_into=str(standing.merged_into))
    if standing.state == HolderState.CLOSED:
        raise MembershipEnded
    if writes and standing.state == HolderState.FROZEN:
        raise MemberFrozen
