"""Debts in the model: points of a reversed issue that had been spent before."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from tests.properties.model.things import Debt, Leg, Move, Owner, Wish

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger


def book(ledger: Ledger, wish: Wish, move: Move, points: int, at: datetime) -> None:
    """Book `points` of `move` as owed, from its last leg backwards."""
    for leg in reversed(move.legs):
        part = min(points, leg.points - leg.back)
        if part:
            debt = _debt_of(ledger, wish, move, leg, at)
            debt.booked += part
            leg.back += part
            points -= part


def _debt_of(ledger: Ledger, wish: Wish, move: Move, leg: Leg, at: datetime) -> Debt:
    for debt in ledger.debts:
        if debt.move is move and debt.lot is leg.lot:
            return debt
    percent = wish.percent if wish.policy == "recover" else 0
    made = Debt(move.owner, move, leg.lot, percent, at)
    ledger.debts.append(made)
    return made


def open_debts(ledger: Ledger, owner: Owner, currency: int) -> list[Debt]:
    """Return what `owner` owes in `currency`, oldest first."""
    mine = [
        debt
        for debt in ledger.debts
        if debt.owner is owner and debt.left and debt.lot.source.currency == currency
    ]
    return sorted(
        mine,
        key=lambda debt: (
            debt.made,
            debt.move.name,
            ledger.tie(debt.lot.owner.number, debt.lot.source),
        ),
    )


def owed(ledger: Ledger, owner: Owner) -> int:
    """Return the points that `owner` owes in all currencies."""
    return sum(debt.left for debt in ledger.debts if debt.owner is owner)


def recover_from_issue(ledger: Ledger, owner: Owner, legs: list[Leg], today: date) -> None:
    """Take from points that were just issued, at most the percentage of each debt's rule."""
    given = sum(leg.points for leg in legs)
    fresh = [Leg(leg.lot, leg.points) for leg in legs if leg.lot.free(today)]
    fresh.sort(key=lambda leg: ledger.spending_order(leg.lot))
    taken = 0
    for debt in open_debts(ledger, owner, legs[0].lot.source.currency):
        wanted = min(debt.left, max(given * debt.percent // 100 - taken, 0))
        for leg in fresh:
            part = min(wanted, leg.points)
            leg.lot.points_out += part
            leg.points -= part
            debt.recovered += part
            taken += part
            wanted -= part


def write_off(debt: Debt, points: int) -> None:
    """Forgive `points` of a debt."""
    debt.written_off += points
