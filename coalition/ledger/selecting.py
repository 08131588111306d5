"""Which lots an act may take, in which order, and how they pass on: asked for within a draft."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from coalition.ledger.classes import Binding
from coalition.ledger.provenance import NO_CLOCK


class TakingOrder(StrEnum):
    """Which of a holder's lots give first."""

    EARLIEST_EXPIRY = "earliest_expiry"
    """Spending order, as its clocks stand."""
    OLDEST_EARNED = "oldest_earned"
    """By the month earned, those of one month in spending order."""


class LotFilter(msgspec.Struct, frozen=True):
    """Which lots may be taken; what is None asks for nothing."""

    issuer_nos: frozenset[int] | None = None
    class_nos: frozenset[int] | None = None
    contributor: UUID | None = None
    """Only what this member brought; the holder itself names what is its own."""
    earned_since: int | None = None
    """A month as the number yyyymm."""


class NewEnd(NamedTuple):
    """When points end after they moved: by a day, by the clock of whoever has them, or both."""

    expires_on: date | None
    clock_no: int = NO_CLOCK


class Side(StrEnum):
    """The holder from whom points go, or to whom."""

    SENDER = "sender"
    RECEIVER = "receiver"


KEEP: Final = UUID(int=0)
"""As a contributor: whoever brought the points before; of a holder's own it is that holder."""


class SpendOrder(StrEnum):
    """Of whom points are taken that several may spend together."""

    OWN_FIRST = "own_first"
    """Of whoever spends; what is lacking in proportion of the others."""
    PROPORTIONAL = "proportional"
    """In proportion to what each can spend; ties by the holder's id."""
    EARLIEST_EXPIRY = "earliest_expiry"
    """Whatever ends first, whoever has it."""
    OLDEST_EARNED = "oldest_earned"
    """Whatever was earned first, whoever has it; those of one month in spending order."""


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Whose points a redemption or a hold may take; those of others pass through its own holder.

    Holders that are frozen or closed are left out.
    """

    order: SpendOrder = SpendOrder.OWN_FIRST
    holders: tuple[UUID, ...] = ()
    """The others."""
    own: bool = True
    """Whether the holder's own points count as well."""
    pot: UUID | None = None
    """A holder whose points are taken in proportion as those of whoever brought them."""
    protected: frozenset[UUID] = frozenset()
    """Whose points are taken last, brought or had: own first, of each owner; else of all."""
    lots: LotFilter | None = None
    """Which lots of the others count."""
    binding: Binding | None = None
    """Where points of the others count; None: at every partner."""
    is_activity: bool = False
    """Whether redeeming their points sets back clocks of the others, all of that currency."""


class Onward(msgspec.Struct, frozen=True, kw_only=True):
    """A share of an issue that goes on to another holder, who has it of the one that earned it."""

    receiver: UUID
    percent: int
    """Of the whole points of the issue, rounded down."""
    lots: LotFilter | None = None
    """Which of the points count."""
    endings: Mapping[int, NewEnd] | None = None
    """By contract, as for `Transfer`."""
    classes: Mapping[int, int] | None = None
    """By class, as for `Transfer`."""
