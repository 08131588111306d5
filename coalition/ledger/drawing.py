"""Which lots of which holders an act takes that several may pay for.

Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.money import split
from coalition.ledger.classes import IsOpen, LotClasses
from coalition.ledger.provenance import Provenance
from coalition.ledger.rules import Available, in_spending_order, take_in_order
from coalition.ledger.selecting import Sources, SpendOrder
from coalition.ledger.transferable import passes


class Drawn(NamedTuple):
    """Points that a lot of a holder gives."""

    holder: UUID
    lot: UUID
    points: int


class Opening(NamedTuple):
    """What can be spent where an act is done, of its own holder and of others; None is all."""

    own: IsOpen | None = None
    others: IsOpen | None = None


Countable = dict[UUID, Sequence[Available]]
"""By holder the lots that count for an act, in the order in which the holder's own are taken."""


def owners(spender: UUID, sources: Sources) -> list[UUID]:
    """Return whose points an act of `spender` may take: its own first, then of others by id."""
    others = sorted(set(sources.holders) - {spender}, key=lambda holder: holder.bytes)
    return [spender, *others] if sources.own or spender in sources.holders else others


def opening(classes: LotClasses, sources: Sources, partner_no: int) -> Opening:
    """Return what can be spent at a partner, 0 being everywhere."""
    own, binding = classes.open_at(partner_no), sources.binding
    if binding is None or not partner_no:
        return Opening(own, own)

    def others(provenance: Provenance) -> bool:
        is_allowed = binding.allows(provenance.issuer_no, partner_no)
        return is_allowed and (own is None or own(provenance))

    return Opening(own, others)


def countable(
    spender: UUID,
    sources: Sources,
    available: Mapping[UUID, list[Available]],
    kept: Mapping[UUID, Provenance],
    where: Opening,
) -> Countable:
    """Return the lots that count, out of what is `available` in spending order to each holder."""
    counted: Countable = {}
    for holder in owners(spender, sources):
        is_own = holder == spender
        found: Sequence[Available] = available[holder]
        if sources.lots is not None and not is_own:
            found = [one for one in found if passes(sources.lots, kept[one.lot], holder)]
        is_open = where.own if is_own else where.others
        if is_open is not None:
            found = [one for one in found if is_open(kept[one.lot])]
        holder_of = dict.fromkeys([one.lot for one in found], holder)
        counted[holder] = _protected_last(found, sources, kept, holder_of)
    return counted


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
    if sources.order is SpendOrder.PROPORTIONAL:
        return _in_proportion(points, spender, sources, lots, kept)
    given = shares(points, spender, sources.order, {h: _sum(of) for h, of in lots.items()})
    return draw_shares(given, lots)


def goes_by_shares(sources: Sources) -> bool:
    """Tell whether balances alone say what each gives, and each gives its first lots."""
    is_plain = sources.lots is None and sources.binding is None and not sources.protected
    is_plain = is_plain and sources.pot is None
    return is_plain and sources.order in {SpendOrder.PROPORTIONAL, SpendOrder.OWN_FIRST}


def draw_shares(given: Mapping[UUID, int], lots: Countable) -> list[Drawn]:
    """Return what each of `lots` gives where each holder gives so much."""
    return [one for holder, of in lots.items() for one in _first_of(of, holder, given[holder])]


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


def shares(
    points: int, spender: UUID, order: SpendOrder, balances: Mapping[UUID, int]
) -> dict[UUID, int]:
    """Return what each gives; in proportion by largest remainder, ties by the holder's id."""
    own = min(points, balances.get(spender, 0)) if order is SpendOrder.OWN_FIRST else 0
    proportionally = sorted(
        (holder for holder in balances if not own or holder != spender), key=lambda one: one.bytes
    )
    given = dict.fromkeys(balances, 0)
    if own:
        given[spender] = own
    if points > own:
        parts = split(points - own, [balances[holder] for holder in proportionally])
        given |= dict(zip(proportionally, parts, strict=True))
    return given


def _by_date(
    points: int, sources: Sources, lots: Countable, kept: Mapping[UUID, Provenance]
) -> list[Drawn]:
    holder_of = {one.lot: holder for holder, of in lots.items() for one in of}
    ordered = in_spending_order(one for of in lots.values() for one in of)
    if sources.order is SpendOrder.OLDEST_EARNED:
        ordered.sort(key=lambda one: kept[one.lot].earned_month)
    taken = take_in_order(points, list(_protected_last(ordered, sources, kept, holder_of)))
    assert taken is not None, "an act is drawn only where its lots cover it"
    return [Drawn(holder_of[lot], lot, part) for lot, part in taken]


def _in_proportion(
    points: int,
    spender: UUID,
    sources: Sources,
    lots: Countable,
    kept: Mapping[UUID, Provenance],
) -> list[Drawn]:
    """Return what each owner gives in its own order; who is protected gives what others lack."""
    holder_of = {one.lot: holder for holder, of in lots.items() for one in of}
    drawn: list[Drawn] = []
    for is_protected in (False, True) if sources.protected else (False,):
        owned = _owned(sources, lots, kept, is_protected=is_protected)
        sums = {owner: _sum(of) for owner, of in owned.items()}
        part = min(points, sum(sums.values()))
        points -= part
        given = shares(part, spender, SpendOrder.PROPORTIONAL, sums)
        for owner in sorted(owned, key=lambda one: (one != spender, one.bytes)):
            taken = _first_of(owned[owner], owner, given[owner])
            drawn += [Drawn(holder_of[lot], lot, size) for _, lot, size in taken]
    return drawn


def _owned(
    sources: Sources, lots: Countable, kept: Mapping[UUID, Provenance], *, is_protected: bool
) -> dict[UUID, list[Available]]:
    """Return by owner the lots that are protected or not, in the order in which they are taken."""
    owned: dict[UUID, list[Available]] = {}
    for holder, of in lots.items():
        for one in of:
            brought_by = kept[one.lot].contributor or holder
            if is_protected == (brought_by in sources.protected):
                owner = brought_by if holder == sources.pot else holder
                owned.setdefault(owner, []).append(one)
    if sources.pot is None:
        return owned
    return {owner: in_spending_order(of) for owner, of in owned.items()}


def _protected_last(
    lots: Sequence[Available],
    sources: Sources,
    kept: Mapping[UUID, Provenance],
    holder_of: Mapping[UUID, UUID],
) -> Sequence[Available]:
    if not sources.protected:
        return lots

    def is_protected(one: Available) -> bool:
        return (kept[one.lot].contributor or holder_of[one.lot]) in sources.protected

    return sorted(lots, key=is_protected)


def _sum(lots: Iterable[Available]) -> int:
    return sum(one.points for one in lots)
