"""What a recipe is about: mostly something that can be done, now and then anything at all."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from tests.properties.model.ledger import Ledger
from tests.properties.model.things import Debt, Move, Owner, Reservation
from tests.properties.recipes import Recipe

Thing = TypeVar("Thing")


class Picked(NamedTuple):
    """Who does something in which currency, and the posting or hold that it is about."""

    holder: int
    currency: int
    partner: int
    move: Move | None
    reservation: Reservation | None


def pick(
    recipe: Recipe,
    ledger: Ledger,
    moves: Sequence[Move],
    holds: Sequence[Reservation],
    at: datetime,
) -> Picked:
    """Return what `recipe` is about at `at`, among what there is; the latest are picked first."""
    anything = recipe.which % 6 == 0

    def latest(things: Sequence[Thing], fits: Callable[[Thing], bool]) -> Thing | None:
        found = [one for one in things if fits(one)]
        among = things if anything or not found else found
        return among[-1 - recipe.which % len(among)] if among else None

    active = [owner.number for owner in ledger.owners if is_active(owner)]
    numbers = [recipe.holder] if anything or not active else active
    holder = numbers[recipe.holder % len(numbers)]
    currency = recipe.currency
    move: Move | None = None
    kept: Reservation | None = None
    match recipe.kind:
        case "capture" | "void":
            kept = latest(holds, lambda one: _can_be_resolved(one, at))
        case "undo":
            move = latest(moves, may_be_undone)
        case "reverse":
            would_owe = recipe.which % 2 and recipe.percent is not None
            move = latest(moves, lambda one: may_be_reversed(one, is_spent=bool(would_owe)))
        case "recover":
            debt = latest(ledger.debts, may_be_paid)
            move = debt.move if debt is not None and recipe.which % 3 == 0 else None
            if debt is not None and not anything:
                holder, currency = debt.owner.number, debt.lot.source.currency
    return Picked(holder, currency, _partner(recipe, move, kept), move, kept)


def possible(
    recipe: Recipe,
    ledger: Ledger,
    moves: Sequence[Move],
    holds: Sequence[Reservation],
    at: datetime,
) -> Recipe:
    """Return `recipe`, or where there is nothing yet to do it with, what makes something."""
    there: dict[str, Callable[[], bool]] = {
        "capture": lambda: any(_can_be_resolved(one, at) for one in holds),
        "void": lambda: any(_can_be_resolved(one, at) for one in holds),
        "undo": lambda: any(may_be_undone(one) for one in moves),
        "recover": lambda: any(may_be_paid(one) for one in ledger.debts),
    }
    if recipe.which % 6 == 0 or recipe.kind not in there or there[recipe.kind]():
        return recipe
    return recipe._replace(kind=_INSTEAD[recipe.kind])


_INSTEAD = {"capture": "hold", "void": "hold", "undo": "send", "recover": "reverse"}


def _can_be_resolved(kept: Reservation, at: datetime) -> bool:
    return kept.is_open and kept.until > at


def is_active(owner: Owner) -> bool:
    """Tell whether points of `owner` move."""
    return owner.state == "active"


def may_be_paid(debt: Debt) -> bool:
    """Tell whether something of a debt is open, of somebody who can pay it."""
    return debt.left > 0 and is_active(debt.owner)


def may_be_undone(move: Move) -> bool:
    """Tell whether a posting is a transfer that was not undone, between two who are there."""
    if move.other is None or any(leg.back for leg in move.legs):
        return False
    return is_active(move.other.survivor) and is_active(move.owner.survivor)


def may_be_reversed(move: Move, *, is_spent: bool) -> bool:
    """Tell whether something of a posting may go back; `is_spent`: an issue, of which it is not."""
    if move.left == 0 or move.other is not None or not is_active(move.owner.survivor):
        return False
    return not is_spent or (
        move.kind == "issue"
        and any(leg.lot.points_in - leg.lot.points_out < leg.points for leg in move.legs)
    )


def _partner(recipe: Recipe, move: Move | None, kept: Reservation | None) -> int:
    """Return whose posting or hold it is, now and then somebody else."""
    of = kept if kept is not None else move if recipe.kind == "reverse" else None
    return of.partner if of is not None and recipe.which % 8 else recipe.partner
