"""Kinds of postings, accounts, states of holders and holds, as the database numbers them."""

from enum import IntEnum


class Kind(IntEnum):
    """What a posting does."""

    ISSUE = 1
    REDEEM = 2
    REVERSAL = 3
    EXPIRE = 4
    ADJUSTMENT = 5
    """Staff give or take points, two persons together."""
    CONVERSION = 6
    """Half of an exchange of one point currency for another."""
    MERGE = 7
    """Half of a move of everything from one holder to another who is the same person."""
    RECOVERY = 8
    """Points taken for a debt that a reversed issue left."""
    TRANSFER = 9
    """Half of a move of points from one holder to another."""
    FEE = 10
    """Points taken for a transfer, beside those that it moved."""
    BENEFIT = 11
    """The operator gives points that a membership entitles to, whoever pays for them."""


class Account(IntEnum):
    """The side of a posting that is not a lot."""

    ISSUED = 1
    REDEEMED = 2
    EXPIRED = 3
    ADJUSTED = 4
    EXCHANGED = 5
    """Between point currencies; conversions enter and leave here."""
    TRANSIT = 6
    """Between two holders; what leaves one has reached the other in the same transaction."""
    RECOVERED = 7
    """Of the issuer whose points were spent before it took them back."""


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


class DebtEntry(IntEnum):
    """What happened to a debt."""

    BOOKED = 1
    RECOVERED = 2
    """Paid by points; the entry names their posting."""
    WRITTEN_OFF = 3
    """Forgiven, by two of the staff."""
    MOVED = 4
    """To the holder who took everything over."""


INTO_LOT = 1
OUT_OF_LOT = -1
