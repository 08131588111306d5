"""Kinds of postings, accounts, states of holders and holds, as the database numbers them."""

from enum import IntEnum


class Kind(IntEnum):
    """What a posting does."""

    ISSUE = 1
    REDEEM = 2
    REVERSAL = 3
    EXPIRE = 4


class Account(IntEnum):
    """The side of a posting that is not a lot."""

    ISSUED = 1
    REDEEMED = 2
    EXPIRED = 3


class HolderState(IntEnum):
    """Whether a holder's points may move."""

    ACTIVE = 1
    FROZEN = 2
    CLOSED = 3


class HoldState(IntEnum):
    """A hold resolves once."""

    OPEN = 1
    CAPTURED = 2
    VOIDED = 3
    EXPIRED = 4


INTO_LOT = 1
OUT_OF_LOT = -1
