"""The ledger's arithmetic: which lots are taken, which legs a return goes back to, what is owed.

Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.money import split


class End(NamedTuple):
    """What decides when the points of a lot end, and which of two that end together were first."""

    expires_on: date | None
    """The last day by date; None is never."""
    clock_no: int
    live_until: date | None
    """Through which day the holder's clock lets them live; None: no clock rules them."""
    earned_month: int


class Available(NamedTuple):
    """A lot and the points of it that can be taken."""

    lot: UUID
    points: int
    end: End | None = None
    """Told only where there are clocks: elsewhere the ids of lots are in spending order."""


def in_spending_order(available: Iterable[Available]) -> list[Available]:
    """Return `available` lots, whose ends are told, in the order in which they are spent.

    That is by the last day on which they can be, the earlier of date and clock, then by the month
    earned, then by id. What never ends comes last.
    """
    return sorted(available, key=_spending_order)


def _spending_order(one: Available) -> tuple[date, int, bytes]:
    assert one.end is not None, "where there are clocks every lot is read with its end"
    last_day = min(one.end.expires_on or date.max, one.end.live_until or date.max)
    return last_day, one.end.earned_month, one.lot.bytes


def after_activity(
    available: Iterable[Available], live_until: Mapping[int, date]
) -> list[Available]:
    """Return `available` lots in the order that comes of clocks set back, by clock, to a day."""
    moved = []
    for one in available:
        assert one.end is not None, "where there are clocks every lot is read with its end"
        until = live_until.get(one.end.clock_no)
        moved.append(one if until is None else one._replace(end=one.end._replace(live_until=until)))
    return in_spending_order(moved)


def take_in_order(points: int, available: list[Available]) -> list[tuple[UUID, int]] | None:
    """Take `points` from `available` lots in their order; return (lot, points) taken, or None.

    What was taken is gone from `available` afterwards, so that the next line of the same holder
    sees what is left. When the lots do not cover `points` nothing is taken and the list is
    unchanged.
    """
    # Nearly always the first lot is enough.
    if not (available and available[0].points >= points) and sum_of(available) < points:
        return None
    taken = []
    while points:
        lot, kept, end = available[0]
        part = min(kept, points)
        taken.append((lot, part))
        points -= part
        if part == kept:
            del available[0]
        else:
            available[0] = Available(lot, kept - part, end)
    return taken


def sum_of(available: Iterable[Available]) -> int:
    """Return how many points lots have together."""
    return sum([kept.points for kept in available])


class ReturnableLeg(NamedTuple):
    """A leg of a posting: its lot, the points it moved, how many of them were reversed before."""

    lot: UUID
    points: int
    reversed: int


class IssuedLeg(NamedTuple):
    """A leg of an issue that is to be taken back, with what of it can be taken and what be owed."""

    lot: UUID
    takeable: int
    """What is neither reversed yet nor spent."""
    owable: int
    """What is not reversed yet and may become a debt; what is taken of the leg counts into it."""


class TakenBack(NamedTuple):
    """Points of an issue by lot: those that come back at once, and those that are owed."""

    taken: list[tuple[UUID, int]]
    owed: list[tuple[UUID, int]]

    @property
    def points(self) -> int:
        """Return how many points that is together."""
        return sum(part for _, part in (*self.taken, *self.owed))


def take_back(
    points: int, legs: Sequence[IssuedLeg], wished: Mapping[UUID, int] | None = None
) -> TakenBack:
    """Return what of `points` is taken out of lots, and what of the rest is owed.

    First what is `wished` of each lot, then the rest: both from the last leg backwards, and
    whatever can be taken is taken before anything is owed. What is neither takeable nor owable is
    left out, so the whole may be less than `points`.
    """
    wished = wished or {}
    taken = _wished_first([(leg.lot, leg.takeable) for leg in legs], points, wished)
    parts = dict(taken)
    owable = [(leg.lot, max(leg.owable - parts.get(leg.lot, 0), 0)) for leg in legs]
    open_wishes = {lot: most - parts.get(lot, 0) for lot, most in wished.items()}
    owed = _wished_first(owable, points - sum(parts.values()), open_wishes)
    return TakenBack(taken, owed)


class Owed(NamedTuple):
    """What is open of a debt, and the percentage of an issue up to which it is paid."""

    points: int
    percent: int


def shares_of_debts(points: int, debts: Sequence[Owed], *, most: int) -> list[int]:
    """Return what an issue of `points` pays of each of `debts`, which come in their order.

    Each debt may bring what the issue pays in all up to its own percentage, rounded down: so two
    debts of 50 % take half of an issue together and not all of it. They never take more than the
    `most` that can be taken of it.
    """
    shares = []
    paid = 0
    for owed, percent in debts:
        part = min(owed, max(min(points * percent // 100, most) - paid, 0))
        shares.append(part)
        paid += part
    return shares


def choose_legs(points: int, legs: Sequence[ReturnableLeg], order: str) -> list[tuple[UUID, int]]:
    """Return how many of `points` go back to each leg: at most what it has not yet returned.

    `reverse` goes from the last leg backwards; `proportional` shares by largest remainder over what
    is not yet returned of each leg, ties by leg. `points` must not exceed the whole of that.
    """
    left = [leg.points - leg.reversed for leg in legs]
    assert 0 < points <= sum(left), "a return is checked against what is left before it is shared"
    if order == "proportional":
        shares = split(points, left)
        return [(leg.lot, share) for leg, share in zip(legs, shares, strict=True) if share]
    assert order == "reverse", f"unknown order {order}"
    return _from_the_last([(leg.lot, most) for leg, most in zip(legs, left, strict=True)], points)


def _wished_first(
    mosts: Sequence[tuple[UUID, int]], points: int, wished: Mapping[UUID, int]
) -> list[tuple[UUID, int]]:
    """Share `points`, or as many as fit, first as they are `wished` and then from the last lot."""
    wishes = [(lot, max(min(most, wished.get(lot, 0)), 0)) for lot, most in mosts]
    first = dict(_from_the_last(wishes, points))
    left = [(lot, most - first.get(lot, 0)) for lot, most in mosts]
    more = dict(_from_the_last(left, points - sum(first.values())))
    parts = [(lot, first.get(lot, 0) + more.get(lot, 0)) for lot, _ in reversed(mosts)]
    return [(lot, part) for lot, part in parts if part]


def _from_the_last(mosts: Sequence[tuple[UUID, int]], points: int) -> list[tuple[UUID, int]]:
    """Share `points`, or as many as fit, from the last lot backwards, to each at most its own."""
    chosen = []
    for lot, most in reversed(mosts):
        part = min(most, points)
        if part:
            chosen.append((lot, part))
            points -= part
    return chosen
