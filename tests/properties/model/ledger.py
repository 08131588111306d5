"""The model itself: who has what, and one wish after the other, asked alone or in a batch.

It keeps every lot in memory. The one thing that it cannot know is which of two lots comes first
that expire and were earned alike: it is told by `tie`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction

from tests.properties.model import clocks, debts, exchange, transfers
from tests.properties.model.things import (
    NEVER,
    Answer,
    Clock,
    Debt,
    Leg,
    Lot,
    Move,
    Owner,
    Reservation,
    Source,
    Wish,
)


@dataclass
class Ledger:
    """All owners, lots, receipts and debts."""

    tie: Callable[[int, Source], bytes]
    owners: list[Owner] = field(default_factory=list)
    lots: dict[tuple[int, Source], Lot] = field(default_factory=dict)
    receipts: set[tuple[int, str, str]] = field(default_factory=set)
    debts: list[Debt] = field(default_factory=list)
    clocks: dict[int, Clock] = field(default_factory=dict)

    def balance(self, holder: int, today: date, currency: int = 1) -> int:
        """Return what `holder` can spend on `today`."""
        return sum(lot.free(today) for lot in self.lots_of(holder, currency))

    def lots_of(self, holder: int, currency: int) -> list[Lot]:
        """Return the lots of `holder` in spending order."""
        mine = [
            lot
            for lot in self.lots.values()
            if lot.owner.number == holder and lot.source.currency == currency
        ]
        return sorted(mine, key=self.spending_order)

    def spending_order(self, lot: Lot) -> tuple[date, int, bytes]:
        """Return what decides which of two lots of an owner is spent first."""
        return lot.last_day, lot.source.month, self.tie(lot.owner.number, lot.source)

    def order_of_dates(self, leg: Leg) -> tuple[date, int, bytes]:
        """Return what decides which leg of a hold is captured first, whatever clocks do."""
        source = leg.lot.source
        return source.expires or NEVER, source.month, self.tie(leg.lot.owner.number, source)

    def lot(self, holder: int, source: Source) -> Lot:
        """Return the lot in which `holder` keeps points of `source`."""
        return self.lots.setdefault((holder, source), Lot(self.owners[holder], source))

    def expire(self, at: datetime, *owners: Owner) -> None:
        """Take out whatever can no longer be spent and is not held, of `owners` or of all."""
        for lot in self.lots.values():
            left = lot.points_in - lot.points_out - lot.held
            if left and lot.is_over(at.date()) and lot.owner in (owners or self.owners):
                lot.points_out += left
                lot.ended = at

    def release(self, reservation: Reservation) -> None:
        """Give held points free."""
        for leg in reservation.legs:
            leg.lot.held -= leg.points
        reservation.is_open = False

    def batch(self, wishes: Sequence[Wish], at: datetime, today: date) -> list[Answer]:
        """Do `wishes` one after the other.

        What cannot be done whatever else happens is refused first; and a receipt named twice
        in a batch is refused the second time, whatever becomes of the first.
        """
        answers: list[Answer | None] = [self._hopeless(wish) for wish in wishes]
        for wish, answer in zip(wishes, answers, strict=True):
            if answer is None:
                self._end_what_has_run_out(wish, at, today)
        named: dict[tuple[int, str, str], Wish] = {}
        for i, wish in enumerate(wishes):
            key = _receipt(wish)
            if answers[i] is not None or key is None:
                continue
            first = named.setdefault(key, wish)
            twice = first is not wish and not (
                wish.kind == "capture" and wish.reservation is first.reservation
            )
            if key in self.receipts or twice:
                kept = wish.reservation
                resolved = _unresolvable(wish, kept, at) if kept else None
                answers[i] = resolved or Answer("duplicate_receipt")
        done: list[Answer] = []
        for i, wish in enumerate(wishes):
            answer = answers[i] or self._do(wish, at, today)
            key = _receipt(wish)
            if answer.code == "done" and key is not None:
                self.receipts.add(key)
            done.append(answer)
        return done

    def _end_what_has_run_out(self, wish: Wish, at: datetime, today: date) -> None:
        goes_over = wish.kind in ("send", "undo")
        for owner in transfers.sides(self, wish) if goes_over else [self._owner(wish)]:
            if clocks.has_run_out(owner, today):
                self.expire(at, owner)

    def _hopeless(self, wish: Wish) -> Answer | None:
        if wish.kind in ("send", "undo"):
            return transfers.hopeless(self, wish)
        if wish.kind in ("capture", "void"):
            kept = wish.reservation
            if kept is None or kept.partner != wish.partner:
                return Answer("hold_not_found")
        elif wish.kind == "reverse" and (wish.move is None or wish.move.partner != wish.partner):
            return Answer("posting_not_found")
        owner = self._owner(wish)
        if owner.state == "active":
            return None
        return Answer("member_merged" if owner.merged_into else "member_not_active")

    def _owner(self, wish: Wish) -> Owner:
        if wish.kind in ("capture", "void") and wish.reservation is not None:
            return wish.reservation.owner
        if wish.kind == "reverse" and wish.move is not None:
            return wish.move.owner.survivor
        return self.owners[wish.holder]

    def _do(self, wish: Wish, at: datetime, today: date) -> Answer:
        if wish.kind in ("capture", "void"):
            return self._resolve(wish, at, today)
        if wish.kind == "reverse":
            return self._reverse(wish, at, today)
        if wish.kind == "recover":
            return debts.recover_by_hand(self, wish, today)
        elsewhere = {"convert": exchange.convert, "send": transfers.send, "undo": transfers.undo}
        if wish.kind in elsewhere:
            return elsewhere[wish.kind](self, wish, today)
        acts = {"issue": self._issue, "redeem": self._redeem, "hold": self._hold}
        return acts.get(wish.kind, self._adjust)(wish, today)

    def _issue(self, wish: Wish, today: date) -> Answer:
        together: dict[Source, int] = {}
        for source, points in wish.grants:
            together[source] = together.get(source, 0) + points
        legs = [Leg(self.lot(wish.holder, source), points) for source, points in together.items()]
        for leg in legs:
            leg.lot.points_in += leg.points
        owner = self.owners[wish.holder]
        clocks.start(self, owner, list(together), today)
        paid = debts.recover_from_issue(self, owner, legs, today)
        clocks.note(self, owner, legs[0].lot.source.currency, "issue", today)
        points = sum(leg.points for leg in legs)
        return Answer("done", points, Move("issue", owner, wish.partner, legs), paid=paid)

    def cover(self, holder: int, points: int, currency: int, today: date) -> list[Leg] | None:
        """Return which lots of `holder` would give `points`, or None when they do not suffice."""
        legs = []
        for lot in self.lots_of(holder, currency):
            part = min(points, lot.free(today))
            if part:
                legs.append(Leg(lot, part))
                points -= part
        return None if points else legs

    def _take(self, wish: Wish, kind: str, today: date) -> Answer:
        legs = self.cover(wish.holder, wish.points or 0, wish.currency, today)
        if legs is None:
            return self._too_few(wish, today)
        for leg in legs:
            leg.lot.points_out += leg.points
        move = Move(kind, self.owners[wish.holder], wish.partner, legs)
        return Answer("done", wish.points or 0, move)

    def _redeem(self, wish: Wish, today: date) -> Answer:
        answer = self._take(wish, "redeem", today)
        if answer.code == "done":
            clocks.note(self, self.owners[wish.holder], wish.currency, "redeem", today)
        return answer

    def _hold(self, wish: Wish, today: date) -> Answer:
        legs = self.cover(wish.holder, wish.points or 0, wish.currency, today)
        if legs is None:
            return self._too_few(wish, today)
        assert wish.until is not None
        assert wish.receipt is not None
        for leg in legs:
            leg.lot.held += leg.points
        owner = self.owners[wish.holder]
        made = Reservation(owner, wish.partner, wish.receipt, wish.until, legs)
        return Answer("done", made.points, made)

    def _too_few(self, wish: Wish, today: date) -> Answer:
        return Answer("not_enough_points", self.balance(wish.holder, today, wish.currency))

    def _resolve(self, wish: Wish, at: datetime, today: date) -> Answer:
        kept = wish.reservation
        assert kept is not None
        refusal = _unresolvable(wish, kept, at)
        if refusal is not None:
            return refusal
        self.release(kept)
        return Answer("done", kept.points) if wish.kind == "void" else self._capture(wish, today)

    def _capture(self, wish: Wish, today: date) -> Answer:
        kept = wish.reservation
        assert kept is not None
        wanted, legs = wish.points or kept.points, []
        points = wanted
        for reserved in sorted(kept.legs, key=self.order_of_dates):
            part = min(wanted, reserved.points)
            if part:
                reserved.lot.points_out += part
                legs.append(Leg(reserved.lot, part))
                wanted -= part
        clocks.note(self, kept.owner, kept.legs[0].lot.source.currency, "redeem", today)
        return Answer("done", points, Move("redeem", kept.owner, kept.partner, legs))

    def _reverse(self, wish: Wish, at: datetime, today: date) -> Answer:
        move = wish.move
        assert move is not None
        if move.kind not in ("issue", "redeem"):
            return Answer("not_reversible")
        points = move.left if wish.points is None else wish.points
        if points == 0 or points > move.left:
            return Answer("reversal_exceeds_original", move.left)
        if move.kind == "redeem":
            return self._give_back(wish, move, points, today)
        return self._take_back(wish, move, points, at, today)

    def _give_back(self, wish: Wish, move: Move, points: int, today: date) -> Answer:
        lefts = [leg.points - leg.back for leg in move.legs]
        for leg, part in zip(move.legs, shared(points, lefts, wish.order), strict=True):
            leg.back += part
            source = leg.lot.source
            if part and self._there(move, leg).is_over(today):
                source = source._replace(expires=wish.grace, clock=0)
            self.lot(move.owner.number, source).points_in += part
            if move.owner.merged_into:
                self.lot(move.owner.number, source).points_out += part
                self.lot(move.owner.survivor.number, source).points_in += part
        return Answer("done", points, Move("reversal", move.owner, move.partner, []))

    def _take_back(self, wish: Wish, move: Move, points: int, at: datetime, today: date) -> Answer:
        """Take unspent points, owe spent ones; those that have expired are gone for everybody."""
        lots = [self._there(move, leg) for leg in move.legs]
        free = [
            min(leg.points - leg.back, lot.free(today))
            for leg, lot in zip(move.legs, lots, strict=True)
        ]
        taken = shared(min(points, sum(free)), free, "reverse")
        owable = [
            leg.points - leg.back - part
            if wish.may_owe
            and lot.is_owable(move.made, today)
            and not any(one.has_ended_since(move.made) for one in self._once(lot))
            else 0
            for leg, lot, part in zip(move.legs, lots, taken, strict=True)
        ]
        owed = shared(min(points - sum(taken), sum(owable)), owable, "reverse")
        back = sum(taken) + sum(owed)
        if back == 0 or (back < points and not wish.may_owe):
            return Answer("points_already_spent", back)
        for leg, lot, part, debt in zip(move.legs, lots, taken, owed, strict=True):
            leg.back += part
            leg.lot.points_out += part
            if lot is not leg.lot:
                lot.points_out += part
                leg.lot.points_in += part
            if debt:
                debts.owe(self, move, leg, debt, percent=wish.percent, at=at)
        made = Move("reversal", move.owner, move.partner, []) if sum(taken) else None
        return Answer("done", sum(taken), made, debt=sum(owed))

    def _there(self, move: Move, leg: Leg) -> Lot:
        """Return the lot in which the points of a leg are now, if they are still there."""
        if move.owner.merged_into is None:
            return leg.lot
        return self.lot(move.owner.survivor.number, leg.lot.source)

    def _once(self, lot: Lot) -> list[Lot]:
        """Return the lots of its source that were of those who are one person now."""
        return [
            one
            for one in self.lots.values()
            if one.source == lot.source and one.owner.survivor is lot.owner
        ]

    def _adjust(self, wish: Wish, today: date) -> Answer:
        """Give points or take them as staff decided."""
        if not wish.grants:
            return self._take(wish, "adjustment", today)
        owner = self.owners[wish.holder]
        ((source, points),) = wish.grants
        self.lot(wish.holder, source).points_in += points
        clocks.start(self, owner, [source], today)
        return Answer("done", points, Move("adjustment", owner, wish.partner, []))


def _receipt(wish: Wish) -> tuple[int, str, str] | None:
    if wish.kind == "capture" and wish.reservation is not None:
        return wish.partner, wish.reservation.receipt, "pay"
    if wish.receipt is None or wish.kind not in ("issue", "redeem"):
        return None
    return wish.partner, wish.receipt, "earn" if wish.kind == "issue" else "pay"


def _unresolvable(wish: Wish, kept: Reservation, at: datetime) -> Answer | None:
    if wish.kind not in ("capture", "void"):
        return None
    if not kept.is_open or kept.until <= at:
        return Answer("hold_resolved")
    if wish.kind == "capture" and (wish.points or 0) > kept.points:
        return Answer("capture_exceeds_hold")
    return None


def shared(points: int, lefts: list[int], order: str) -> list[int]:
    """Return how many of `points` each leg gets, at most what is left of it."""
    shares = [0] * len(lefts)
    if order == "reverse":
        for i in reversed(range(len(lefts))):
            shares[i] = min(lefts[i], points)
            points -= shares[i]
        return shares
    exact = [Fraction(points * left, sum(lefts)) for left in lefts]
    shares = [int(share) for share in exact]
    by_rest = sorted(range(len(lefts)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_rest[: points - sum(shares)]:
        shares[i] += 1
    return shares
