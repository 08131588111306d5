"""Points of a model of families: who holds which, from whom, until when; plain arithmetic."""

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

GRACE = timedelta(days=30)


class Lot(NamedTuple):
    """Points of one holder that nothing tells apart."""

    holder: UUID
    issuer: int
    month: int
    ends: date | None
    received: bool = False
    brought_by: UUID | None = None
    """Who brought them, where that is not the holder itself."""

    def at(self, holder: UUID, brought_by: UUID | None) -> "Lot":
        """Return what these points are with another holder."""
        by = None if brought_by == holder else brought_by
        return self._replace(holder=holder, brought_by=by)

    @property
    def owner(self) -> UUID:
        """Return whose points they are."""
        return self.brought_by or self.holder


Part = tuple[Lot, int]


class Passed(NamedTuple):
    """Points of another holder's lot that went through the spender's."""

    source: Lot
    through: Lot
    points: int


class Spent(NamedTuple):
    """What was redeemed or held: all of it lot by lot, and what of it came from others."""

    spender: UUID
    own: tuple[Part, ...]
    passed: tuple[Passed, ...]


class Points:
    """Every point that there is."""

    def __init__(self, tie: Callable[[Lot], bytes]) -> None:
        """Begin without any; `tie` orders lots that end and were earned alike."""
        self.free: dict[Lot, int] = {}
        self.closed: set[UUID] = set()
        self._tie = tie

    def put(self, lot: Lot, points: int) -> None:
        """Let points come into a lot."""
        self.free[lot] = self.free.get(lot, 0) + points

    def take(self, lot: Lot, points: int) -> None:
        """Let points leave a lot that has them."""
        assert self.free[lot] >= points, "the model takes what is there"
        self.free[lot] -= points

    def spendable(
        self, holders: Iterable[UUID], today: date, *, by_age: bool = False
    ) -> list[Part]:
        """Return what holders can spend today, what ends first coming first."""
        wanted = set(holders)
        found = [
            (lot, points)
            for lot, points in self.free.items()
            if lot.holder in wanted and points and is_alive(lot, today)
        ]
        found.sort(key=lambda one: (one[0].ends or date.max, one[0].month, self._tie(one[0])))
        return sorted(found, key=lambda one: one[0].month) if by_age else found

    def balance(self, holder: UUID, today: date) -> int:
        """Return what a holder can spend of what lies with it."""
        return sum(points for _, points in self.spendable([holder], today))

    def move(
        self,
        parts: Iterable[Part],
        receiver: UUID,
        *,
        brought_by: UUID | None = None,
        ends: date | None = None,
        received: bool | None = None,
    ) -> list[tuple[Lot, Lot, int]]:
        """Let points go over that a receiver then has, `ends` in the place of their own end."""
        moved = []
        for lot, points in parts:
            into = lot.at(receiver, brought_by)
            into = into._replace(
                ends=ends or into.ends, received=into.received if received is None else received
            )
            self.take(lot, points)
            self.put(into, points)
            moved.append((lot, into, points))
        return moved

    def spend(self, spender: UUID, parts: Iterable[Part]) -> Spent:
        """Take points of several holders through the lots of who spends them."""
        own, passed = [], []
        for lot, points in parts:
            self.take(lot, points)
            through = lot.at(spender, lot.owner)
            own.append((through, points))
            if lot.holder != spender:
                passed.append(Passed(lot, through, points))
        return Spent(spender, tuple(own), tuple(passed))

    def give_back(self, spent: Spent, today: date, *, grace: bool) -> None:
        """Let all that was spent come back to where it came from; what has ended gets a grace."""
        until = today + GRACE if grace else None
        back: dict[Lot, int] = {}
        for lot, points in spent.own:
            back[lot] = back.get(lot, 0) + points
        for one in spent.passed:
            if one.source.holder not in self.closed:
                back[one.through] -= one.points
                self.put(alive_or(one.source, today, until), one.points)
        for lot, points in back.items():
            if points:
                self.put(alive_or(lot, today, until), points)


def is_alive(lot: Lot, today: date) -> bool:
    """Tell whether points can still be spent."""
    return lot.ends is None or lot.ends >= today


def alive_or(lot: Lot, today: date, until: date | None) -> Lot:
    """Return a lot, or the one that takes its place where it has ended."""
    return lot if until is None or is_alive(lot, today) else lot._replace(ends=until)


def first_of(points: int, parts: Iterable[Part]) -> list[Part]:
    """Return so many points of lots that have them, in their order."""
    taken = []
    for lot, there in parts:
        part = min(points, there)
        if part:
            taken.append((lot, part))
            points -= part
    assert not points, "the model was asked for what is there"
    return taken


def shared(points: int, weights: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return whole parts in proportion: what is left goes by ones to the largest fractions."""
    whole = sum(weights.values())
    parts = {one: points * weight // whole for one, weight in weights.items()}
    lost = {one: points * weight % whole for one, weight in weights.items()}
    for one in sorted(weights, key=lambda one: (-lost[one], one))[: points - sum(parts.values())]:
        parts[one] += 1
    return parts


def end_of_month(day: date, months: int) -> date:
    """Return the last day of the month so many months after that of a day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def same_day(day: date, months: int) -> date:
    """Return the same day of a month so many months later, or the last of a shorter one."""
    end = end_of_month(day, months)
    return end.replace(day=min(day.day, end.day))
