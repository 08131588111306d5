"""What the model is made of: owners with their clocks, lots, legs, moves, debts, wishes."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

NEVER = date.max


class Source(NamedTuple):
    """Where points come from, as far as a model needs to tell them apart."""

    issuer: int
    month: int
    expires: date | None
    currency: int = 1
    clock: int = 0
    price: Fraction = Fraction(1, 100)


class Clock(NamedTuple):
    """How long points live after the last activity, and what counts as one."""

    months: int
    counts: frozenset[str]


@dataclass
class Owner:
    """Whoever keeps points: whether they may move, what ends them and what keeps them alive."""

    number: int
    state: str = "active"
    merged_into: "Owner | None" = None
    kept_until: date | None = None
    """Through this day nothing of the owner expires (a tier's promise)."""
    live_until: dict[tuple[int, int], date] = field(default_factory=dict)
    """Per currency and clock, the last day on which its points can be spent."""

    @property
    def survivor(self) -> "Owner":
        """Return who has taken over, however many merges followed."""
        return self.merged_into.survivor if self.merged_into else self


@dataclass
class Lot:
    """Points of one owner and one source."""

    owner: Owner
    source: Source
    points_in: int = 0
    points_out: int = 0
    held: int = 0
    ended: datetime | None = None
    """When points of it were last booked as expired; it may live again."""

    @property
    def last_day(self) -> date:
        """Return when its points end by date or clock, unless its owner's are kept."""
        ends = [self.source.expires or NEVER]
        if self.source.clock:
            kind = self.source.currency, self.source.clock
            ends.append(self.owner.live_until.get(kind, NEVER))
        return min(ends)

    def is_over(self, today: date) -> bool:
        """Tell whether its points can be spent no more."""
        kept_until = self.owner.kept_until
        return (kept_until is None or kept_until < today) and self.last_day < today

    def is_owable(self, since: datetime | None, today: date) -> bool:
        """Tell whether what is not there of an issue made `since` was spent and did not expire."""
        return not self.has_ended_since(since) and not self.is_over(today)

    def has_ended_since(self, since: datetime | None) -> bool:
        """Tell whether points of it were booked as expired after `since`."""
        return self.ended is not None and since is not None and self.ended > since

    def free(self, today: date) -> int:
        """Return what can be taken on `today`."""
        return 0 if self.is_over(today) else self.points_in - self.points_out - self.held


@dataclass
class Leg:
    """Points that a posting moved in or out of a lot, and how many of them were moved back."""

    lot: Lot
    points: int
    back: int = 0


@dataclass
class Move:
    """A posting: what it was, who made it, and its legs."""

    kind: str
    owner: Owner
    partner: int
    legs: list[Leg]
    name: bytes = b""
    """Its id, told when it has one: debts of one instant are paid in the order of their ids."""
    made: datetime | None = None
    other: Owner | None = None
    """Of a transfer: who received the points, in which lots."""
    arrived: list[Leg] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return how many of its points have not been reversed."""
        return sum(leg.points - leg.back for leg in self.legs)


@dataclass
class Reservation:
    """A hold with the lots that it reserves, in spending order."""

    owner: Owner
    partner: int
    receipt: str
    until: datetime
    legs: list[Leg]
    is_open: bool = True

    @property
    def points(self) -> int:
        """Return what it reserves."""
        return sum(leg.points for leg in self.legs)


@dataclass
class Debt:
    """Points that were spent before their issue was reversed: one per leg of the issue."""

    owner: Owner
    move: Move
    lot: Lot
    percent: int
    made: datetime
    booked: int = 0
    recovered: int = 0
    written_off: int = 0

    @property
    def left(self) -> int:
        """Return what is still owed."""
        return self.booked - self.recovered - self.written_off


@dataclass
class Wish:
    """One thing that is asked of the ledger; only what its kind needs is looked at."""

    kind: str
    partner: int
    holder: int = 0
    points: int | None = None
    receipt: str | None = None
    grants: Sequence[tuple[Source, int]] = ()
    until: datetime | None = None
    reservation: Reservation | None = None
    move: Move | None = None
    order: str = "reverse"
    grace: date = NEVER
    may_owe: bool = False
    percent: int = 0
    """How much of each later issue pays a debt; 0 waits for staff."""
    currency: int = 1
    other: int = 0
    """Of a transfer: who receives."""
    fee: int = 0
    active: frozenset[str] = frozenset()
    """For whom a transfer is activity: sender, receiver."""
    end: tuple[date | None, int] | None = None
    """The last day and the clock that points get by a transfer; None: they keep theirs."""
    rate: tuple[int, int] = (1, 1)
    """Of a conversion: so many points become so many of the other currency."""


class Answer(NamedTuple):
    """What became of a wish: `done` or the code of its refusal, with the points it is about."""

    code: str
    points: int = 0
    made: Move | Reservation | None = None
    debt: int = 0
    """Points of a reversed issue that are owed; not among `points`."""
    paid: int = 0
    """Points that paid for debts."""
    given: int = 0
    """Points of the other currency that a conversion gave."""


def months_later(day: date, months: int) -> date:
    """Return the same day `months` later, or the last day of that month when it is shorter."""
    years, before = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, before + 1, min(day.day, calendar.monthrange(years, before + 1)[1]))
