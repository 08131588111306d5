"""Kinds of charges and states of statements, as the database writes them."""

from enum import IntEnum, StrEnum

OPERATOR = 0
"""The operator's number where a partner's would stand."""


class ChargeKind(IntEnum):
    """What a posting costs or earns a partner; statements list them in this order."""

    ISSUANCE = 1
    """The issue price of points that the issuing partner funds, at issue or on redemption."""
    REDEMPTION = 2
    """What the accepter receives for points it took as payment."""
    SERVICE_FEE = 3
    """Paid by the issuing partner on all points it issues, whoever funds them."""
    PROMOTION = 4
    """The issue price of points that another partner or the operator funds."""
    ADJUSTMENT = 5
    """What staff decided, in points or in money."""
    MINIMUM = 6
    """What is missing to the least that a period's fees come to."""
    FIXED = 7
    """The fee of a period as such."""
    BREAKAGE = 8
    """The funder's share of what it had paid for points that nobody spent."""


class StatementState(StrEnum):
    """How far a period has come; before there is a statement it is open."""

    OPEN = "open"
    CUT_OFF = "cut_off"
    """Sealing has begun: what is drained later goes to the next period, shard by shard."""
    PROVISIONAL = "provisional"
    """Sealed in all shards, under review."""
    CLOSED = "closed"
    """Frozen by two persons."""
    APPROVED = "approved"
    """Cleared for payment."""
    PAID = "paid"
