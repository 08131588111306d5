"""Conversions in the model: whole multiples of the rate, lot by lot, their worth kept."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from tests.properties.model.things import Answer, Leg, Lot, Move, Source, Wish

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger

_PLACES = 10**9
"""Prices are kept to nine decimals; one that does not fit would round money."""


def convert(ledger: Ledger, wish: Wish, today: date) -> Answer:
    """Give points of the other currency for at most the points of the wish."""
    taken, given = wish.rate
    balance = ledger.balance(wish.holder, today, wish.currency)
    assert wish.points is not None
    if balance < wish.points:
        return Answer("not_enough_points", balance)
    times: list[tuple[Lot, int]] = []
    left = wish.points
    for lot in ledger.lots_of(wish.holder, wish.currency):
        number = min(left, lot.free(today)) // taken
        times += [(lot, number)] if number else []
        left -= number * taken
    if not times:
        return Answer("nothing_to_convert")
    sources = [_exchanged(lot.source, wish) for lot, _ in times]
    if any((source.price * _PLACES).denominator > 1 for source in sources):
        return Answer("price_not_exact")
    legs = []
    for (lot, number), source in zip(times, sources, strict=True):
        lot.points_out += number * taken
        legs.append(Leg(lot, number * taken))
        ledger.lot(wish.holder, source).points_in += number * given
        _carry_clock(lot, source)
    owner = ledger.owners[wish.holder]
    points = sum(leg.points for leg in legs)
    move = Move("conversion", owner, wish.partner, legs)
    return Answer("done", points, move, given=points // taken * given)


def _exchanged(source: Source, wish: Wish) -> Source:
    taken, given = wish.rate
    return source._replace(currency=3 - source.currency, price=source.price * taken / given)


def _carry_clock(lot: Lot, source: Source) -> None:
    """Let points that a clock rules live on as long as they would have."""
    live_until = lot.owner.live_until
    kind = source.currency, source.clock
    before = live_until.get((lot.source.currency, source.clock))
    if source.clock and before is not None:
        live_until[kind] = max(before, live_until.get(kind, before))
