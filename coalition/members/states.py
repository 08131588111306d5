"""The states of a member and which may follow which."""

from enum import StrEnum

from coalition.ledger.accounts import HolderState
from coalition.members.refusals import MemberIsClosed


class MemberState(StrEnum):
    """Whether a member's points may move, and whether the member still is one."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


STATE_OF_HOLDER = {
    MemberState.ACTIVE: HolderState.ACTIVE,
    MemberState.FROZEN: HolderState.FROZEN,
    MemberState.CLOSED: HolderState.CLOSED,
}
"""What the ledger is told of each state."""


def check_change(present: MemberState, wanted: MemberState) -> None:
    """Refuse to bring a closed member back; active and frozen may turn into each other at will."""
    if present is MemberState.CLOSED and wanted is not MemberState.CLOSED:
        raise MemberIsClosed
