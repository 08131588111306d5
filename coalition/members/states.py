"""The states of a member, and what the ledger is told of them."""

from enum import StrEnum

from coalition.ledger.accounts import HolderState


class MemberState(StrEnum):
    """Whether a member's points may move, and whether the member still is one."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"
    """For good; the person may be enrolled anew."""


STATE_OF_HOLDER = {
    MemberState.ACTIVE: HolderState.ACTIVE,
    MemberState.FROZEN: HolderState.FROZEN,
    MemberState.CLOSED: HolderState.CLOSED,
}
"""What the ledger is told of each state."""
