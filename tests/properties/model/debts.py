"""Debts in the model: points of a reversed issue that had been spent before."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from tests.properties.model.things import Answer, Debt, Leg, Move, Owner, Wish

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger


def owe(ledger: Ledger, move: Move, leg: Leg, points: int, *, percent: int, at: datetime) -> None:
    """Let the owner of `move` owe `points` of one of its legs."""
    leg.back += points
    for debt in ledger.debts:
        if debt.move is move and debt.lot is leg.lot:
            debt.booked += points
            return
    ledger.debts.append(Debt(move.owner.survivor, move, leg.lot, percent, at, points))


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


def recover_from_issue(ledger: Ledger, owner: Owner, legs: list[Leg], today: date) -> int:
    """Take from points that were just issued, at most the percentage of each debt's rule."""
    given = sum(leg.points for leg in legs)
    fresh = [Leg(leg.lot, leg.points) for leg in legs if leg.lot.free(today)]
    fresh.sort(key=lambda leg: ledger.spending_order(leg.lot))
    taken = 0
    for debt in open_debts(ledger, owner, legs[0].lot.source.currency):
        taken += _pay(debt, given * debt.percent // 100 - taken, fresh)
    return taken


def recover_by_hand(ledger: Ledger, wish: Wish, today: date) -> Answer:
    """Let what the owner has pay its debts, or the debt that one issue left."""
    owner = ledger.owners[wish.holder]
    debts = [
        debt
        for debt in open_debts(ledger, owner, wish.currency)
        if wish.move is None or debt.move is wish.move
    ]
    owed = sum(debt.left for debt in debts)
    balance = ledger.balance(wish.holder, today, wish.currency)
    if owed < (wish.points or 1):
        return Answer("nothing_owed", owed)
    if balance < (wish.points or 1):
        return Answer("not_enough_points", balance)
    points = wish.points or min(owed, balance)
    legs = ledger.cover(wish.holder, points, wish.currency, today)
    assert legs is not None
    left = points
    for debt in debts:
        left -= _pay(debt, left, legs)
    return Answer("done", points, paid=points)


def _pay(debt: Debt, most: int, legs: list[Leg]) -> int:
    """Pay a debt out of `legs`, which are used up by it; return the points."""
    wanted = most = min(debt.left, max(most, 0), sum(leg.points for leg in legs))
    for leg in legs:
        part = min(wanted, leg.points)
        leg.lot.points_out += part
        leg.points -= part
        wanted -= part
    debt.recovered += most
    return most


def forgive(ledger: Ledger, owner: Owner, currency: int, points: int | None) -> Answer:
    """Let nobody owe `points` any more, the oldest first; None is all."""
    debts = open_debts(ledger, owner, currency)
    if sum(debt.left for debt in debts) < (points or 1):
        return Answer("nothing_owed", sum(debt.left for debt in debts))
    left = points = points or sum(debt.left for debt in debts)
    for debt in debts:
        part = min(left, debt.left)
        debt.written_off += part
        left -= part
    return Answer("done", debt=points)
