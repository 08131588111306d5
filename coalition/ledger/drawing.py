"""Which lots of which holders an act takes that several may pay for.

Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.money import split
from coalition.ledger.drafts import Sources, SpendOrder
from coalition.ledger.provenance import Provenance
from coalition.ledger.rules import Available, in_spending_order, take_in_order
from coalition.ledger.transferable import passes


class Drawn(NamedTuple):
    """Points that a lot of a holder gives."""

    holder: UUID
    lot: UUID
    points: int


Countable = dict[UUID, Sequence[Available]]
"""By holder the lots that count for an act, in the order in which the holder's own are taken."""


def owners(spender: UUID, sources: Sources) -> list[UUID]:
    """Return whose points an act of `spender` may take: its own first, then of others by id."""
    others = sorted(set(sources.holders) - {spender}, key=lambda holder: holder.bytes)
    return [spender, *others] if sources.own or spender in sources.holders else others


def countable(
    spender: UUID,
    sources: Sources,
    available: Mapping[UUID, list[Available]],
    kept: Mapping[UUID, Provenance],
) -> Countable:
    """Return the lots that count, out of what is `available` in spending order to each holder."""
    return {
        holder: _protected_last(
            _counted(available[holder], holder, spender, sources, kept), sources, kept
        )
        for holder in owners(spender, sources)
    }


def _counted(
    available: Sequence[Available],
    holder: UUID,
    spender: UUID,
    sources: Sources,
    kept: Mapping[UUID, Provenance],
) -> Sequence[Available]:
    if sources.lots is None or holder == spender:
        return available
    return [one for one in available if passes(sources.lots, kept[one.lot], holder)]


def draw(
    points: int,
    spender: UUID,
    sources: Sources,
    lots: Countable,
    kept: Mapping[UUID, Provenance],
) -> list[Drawn]:
    """Return what each of `lots` gives of `points`, which they cover: own ones first, then by id.

    Ordered by date, it is all in that order.
    """
    if sources.order in {SpendOrder.EARLIEST_EXPIRY, SpendOrder.OLDEST_EARNED}:
        return _by_date(points, sources, lots, kept)
    shares = _shares(points, spender, sources.order, {h: _sum(of) for h, of in lots.items()})
    return [one for holder, of in lots.items() for one in _first_of(of, holder, shares[holder])]


def take_away(available: list[Available], gone: Mapping[UUID, int]) -> None:
    """Leave of `available` lots what is not `gone`, which is at most what they have."""
    missing, i = len(gone), 0
    while missing:
        lot, points, end = available[i]
        part = gone.get(lot)
        if part is None:
            i += 1
            continue
        missing -= 1
        if part == points:
            del available[i]
        else:
            available[i] = Available(lot, points - part, end)
            i += 1


def _first_of(lots: Sequence[Available], holder: UUID, points: int) -> list[Drawn]:
    """Return what lots of a holder, which cover `points`, give of them in their order."""
    drawn = []
    for lot, kept, _ in lots:
        if not points:
            break
        part = min(kept, points)
        drawn.append(Drawn(holder, lot, part))
        points -= part
    return drawn


def _shares(
    points: int, spender: UUID, order: SpendOrder, balances: Mapping[UUID, int]
) -> dict[UUID, int]:
    """Return what each gives; in proportion by largest remainder, ties by the holder's id."""
    own = min(points, balances.get(spender, 0)) if order is SpendOrder.OWN_FIRST else 0
    proportionally = sorted(
        (holder for holder in balances if not own or holder != spender), key=lambda one: one.bytes
    )
    shares = dict.fromkeys(balances, 0)
    if own:
        shares[spender] = own
    if points > own:
        parts = split(points - own, [balances[holder] for holder in proportionally])
        shares |= dict(zip(proportionally, parts, strict=True))
    return shares


def _by_date(
    points: int, sources: Sources, lots: Countable, kept: Mapping[UUID, Provenance]
) -> list[Drawn]:
    holder_of = {one.lot: holder for holder, of in lots.items() for one in of}
    ordered = in_spending_order(one for of in lots.values() for one in of)
    if sources.order is SpendOrder.OLDEST_EARNED:
        ordered.sort(key=lambda one: kept[one.lot].earned_month)
    taken = take_in_order(points, list(_protected_last(ordered, sources, kept)))
    assert taken is not None, "an act is drawn only where its lots cover it"
    return [Drawn(holder_of[lot], lot, part) for lot, part in taken]


def _protected_last(
    lots: Sequence[Available], sources: Sources, kept: Mapping[UUID, Provenance]
) -> Sequence[Available]:
    if not sources.protected:
        return lots
    return sorted(lots, key=lambda one: kept[one.lot].class_no in sources.protected)


def _sum(lots: Iterable[Available]) -> int:
    return sum(one.points for one in lots)
