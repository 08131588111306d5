"""The ledger's arithmetic: which lots are taken, which legs a return goes back to. Pure."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.money import split


class Available(NamedTuple):
    """A lot and the points of it that can be taken."""

    lot: UUID
    points: int


def take_in_order(points: int, available: list[Available]) -> list[tuple[UUID, int]] | None:
    """Take `points` from `available` lots in their order; return (lot, points) taken, or None.

    What was taken is gone from `available` afterwards, so that the next line of the same holder
    sees what is left. When the lots do not cover `points` nothing is taken and the list is
    unchanged.
    """
    if sum(kept.points for kept in available) < points:
        return None
    taken = []
    while points:
        lot, kept = available[0]
        part = min(kept, points)
        taken.append((lot, part))
        points -= part
        if part == kept:
            del available[0]
        else:
            available[0] = Available(lot, kept - part)
    return taken


class ReturnableLeg(NamedTuple):
    """A leg of a posting: its lot, the points it moved, how many of them were reversed before."""

    lot: UUID
    points: int
    reversed: int


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
    chosen = []
    for leg, most in zip(reversed(legs), reversed(left), strict=True):
        part = min(most, points)
        if part:
            chosen.append((leg.lot, part))
            points -= part
    return chosen
