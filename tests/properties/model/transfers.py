"""Transfers in the model: points of one owner go to another, and all of them back again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from tests.properties.model import clocks
from tests.properties.model.things import Answer, Leg, Lot, Move, Owner, Source, Wish

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger


def hopeless(ledger: Ledger, wish: Wish) -> Answer | None:
    """Return why points do not go over, whatever there is: of both sides, the sender first."""
    if wish.kind == "send":
        if wish.holder == wish.other:
            return Answer("transfer_to_itself")
        both = [ledger.owners[wish.holder], ledger.owners[wish.other]]
    else:
        if wish.move is None or wish.move.other is None:
            return Answer("posting_not_found")
        both = [wish.move.owner.survivor, wish.move.other.survivor]
        if both[0] is both[1]:
            return Answer("not_reversible")
    for owner in both:
        if owner.state != "active":
            return Answer("member_merged" if owner.merged_into else "member_not_active")
    return None


def sides(ledger: Ledger, wish: Wish) -> list[Owner]:
    """Return who takes part, of something to be undone those who did then."""
    if wish.kind == "send":
        return [ledger.owners[wish.holder], ledger.owners[wish.other]]
    assert wish.move is not None
    assert wish.move.other is not None
    return [wish.move.owner, wish.move.other]


def send(ledger: Ledger, wish: Wish, today: date) -> Answer:
    """Move points to another owner, and take what that costs."""
    sender, receiver = ledger.owners[wish.holder], ledger.owners[wish.other]
    mine = ledger.lots_of(wish.holder, wish.currency)
    movable = [lot for lot in mine if lot.free(today) and _arrives(lot, wish, today)]
    if wish.order == "proportional":
        movable.sort(key=lambda lot: lot.source.month)
    assert wish.points is not None
    legs = _cover(wish.points, [(lot, lot.free(today)) for lot in movable])
    if legs is None:
        return Answer("not_enough_points", sum(lot.free(today) for lot in movable))
    gone = {id(leg.lot): leg.points for leg in legs}
    rest = [(lot, lot.free(today) - gone.get(id(lot), 0)) for lot in mine]
    fee = _cover(wish.fee, rest)
    if fee is None:
        return Answer("not_enough_points", ledger.balance(wish.holder, today, wish.currency))
    arrived = []
    for leg in [*legs, *fee]:
        leg.lot.points_out += leg.points
    for leg in legs:
        source = _there(leg.lot.source, wish)
        into = ledger.lot(wish.other, source)
        into.points_in += leg.points
        arrived.append(Leg(into, leg.points))
        _start_clock(ledger, leg.lot, into, wish, today)
    for side, owner in (("sender", sender), ("receiver", receiver)):
        if side in wish.active:
            clocks.renew(ledger, owner, wish.currency, today)
    move = Move("send", sender, 0, legs, other=receiver, arrived=arrived)
    return Answer("done", wish.points, move)


def undo(ledger: Ledger, wish: Wish, today: date) -> Answer:
    """Move all of a transfer back: it is there whole, or nothing happens."""
    move = wish.move
    assert move is not None
    assert move.other is not None
    if any(leg.back for leg in move.legs):
        return Answer("reversal_exceeds_original")
    wanted: dict[Source, int] = {}
    for leg in move.arrived:
        wanted[leg.lot.source] = wanted.get(leg.lot.source, 0) + leg.points
    keeper = move.other.survivor
    unspent = sum(
        min(points, ledger.lot(keeper.number, source).free(today))
        for source, points in wanted.items()
    )
    points = sum(wanted.values())
    if unspent < points:
        return Answer("points_already_spent", unspent)
    for source, part in wanted.items():
        _pass_on(ledger, [keeper, move.other], source, part)
        ledger.lot(move.other.number, source).points_out += part
    for leg in move.legs:
        source = leg.lot.source
        if ledger.lot(move.owner.survivor.number, source).is_over(today):
            source = source._replace(expires=wish.grace, clock=0)
        ledger.lot(move.owner.number, source).points_in += leg.points
        _pass_on(ledger, [move.owner, move.owner.survivor], source, leg.points)
        leg.back = leg.points
    return Answer("done", points, Move("reversal", move.other, 0, []))


def _pass_on(ledger: Ledger, way: list[Owner], source: Source, points: int) -> None:
    """Let one give points to another who is the same person, unless they are one already."""
    giver, taker = way
    if giver is not taker:
        ledger.lot(giver.number, source).points_out += points
        ledger.lot(taker.number, source).points_in += points


def _cover(points: int, available: list[tuple[Lot, int]]) -> list[Leg] | None:
    legs = []
    for lot, free in available:
        part = min(points, free)
        if part:
            legs.append(Leg(lot, part))
            points -= part
    return None if points else legs


def _there(source: Source, wish: Wish) -> Source:
    if wish.end is None:
        return source
    expires, clock = wish.end
    return source._replace(expires=expires, clock=clock)


def _arrives(lot: Lot, wish: Wish, today: date) -> bool:
    """Tell whether points of a lot would be alive where they go."""
    there = _there(lot.source, wish)
    if there.expires is not None and there.expires < today:
        return False
    kind = lot.source.currency, lot.source.clock
    carried = wish.end is None and lot.source.clock
    return not (carried and lot.owner.live_until.get(kind, date.max) < today)


def _start_clock(ledger: Ledger, lot: Lot, into: Lot, wish: Wish, today: date) -> None:
    """Start the receiver's clock, where it does not run, as the sender's stands or from today."""
    source = into.source
    kind = source.currency, source.clock
    if wish.end is not None:
        clocks.start(ledger, into.owner, [source], today)
    elif source.clock and into.owner.live_until.get(kind, date.min) < today:
        into.owner.live_until[kind] = lot.owner.live_until[kind]
