"""A ledger of points in plain Python, slow and obvious; it imports nothing of the product.

It keeps every lot in memory and does what is asked one by one. The one thing that it cannot
know is which of two lots comes first that expire and were earned alike: it is told by `tie`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

NEVER = date.max


class Source(NamedTuple):
    """Where points come from, as far as a model needs to tell them apart."""

    issuer: int
    month: int
    expires: date | None


@dataclass
class Lot:
    """Points of one holder and one source."""

    holder: int
    source: Source
    points_in: int = 0
    points_out: int = 0
    held: int = 0

    def free(self, today: date) -> int:
        """Return what can be taken on `today`."""
        expired = self.source.expires is not None and self.source.expires < today
        return 0 if expired else self.points_in - self.points_out - self.held


@dataclass
class Leg:
    """Points that a posting moved in or out of a lot, and how many of them were moved back."""

    lot: Lot
    points: int
    back: int = 0


@dataclass
class Move:
    """A posting: what it was, who made it, and its legs."""

    kind: str
    holder: int
    partner: int
    legs: list[Leg]

    @property
    def left(self) -> int:
        """Return how many of its points have not been reversed."""
        return sum(leg.points - leg.back for leg in self.legs)


@dataclass
class Reservation:
    """A hold with the lots that it reserves, in spending order."""

    holder: int
    partner: int
    receipt: str
    until: datetime
    legs: list[Leg]
    is_open: bool = True

    @property
    def points(self) -> int:
        """Return what it reserves."""
        return sum(leg.points for leg in self.legs)


@dataclass
class Wish:
    """One thing that is asked of the ledger; only what its kind needs is looked at."""

    kind: str
    partner: int
    holder: int = 0
    points: int | None = None
    receipt: str | None = None
    grants: Sequence[tuple[Source, int]] = ()
    until: datetime | None = None
    reservation: Reservation | None = None
    move: Move | None = None
    order: str = "reverse"
    grace: date = NEVER


class Answer(NamedTuple):
    """What became of a wish: `done` or the code of its refusal, with the points it is about."""

    code: str
    points: int = 0
    made: Move | Reservation | None = None


@dataclass
class Ledger:
    """All holders, lots, receipts."""

    tie: Callable[[int, Source], bytes]
    lots: dict[tuple[int, Source], Lot] = field(default_factory=dict)
    receipts: set[tuple[int, str, str]] = field(default_factory=set)
    frozen: set[int] = field(default_factory=set)

    def balance(self, holder: int, today: date) -> int:
        """Return what `holder` can spend on `today`."""
        return sum(lot.free(today) for lot in self.lots.values() if lot.holder == holder)

    def expire(self, today: date) -> None:
        """Take out whatever can no longer be spent and is not held."""
        for lot in self.lots.values():
            if lot.source.expires is not None and lot.source.expires < today:
                lot.points_out = lot.points_in - lot.held

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
        named: dict[tuple[int, str, str], Wish] = {}
        for i, wish in enumerate(wishes):
            key = self._receipt(wish)
            if answers[i] is not None or key is None:
                continue
            first = named.setdefault(key, wish)
            twice = first is not wish and not (
                wish.kind == "capture" and wish.reservation is first.reservation
            )
            if key in self.receipts or twice:
                kept = wish.reservation
                resolved = self._unresolvable(wish, kept, at) if kept else None
                answers[i] = resolved or Answer("duplicate_receipt")
        done: list[Answer] = []
        for i, wish in enumerate(wishes):
            answer = answers[i] or self._do(wish, at, today)
            key = self._receipt(wish)
            if answer.code == "done" and key is not None:
                self.receipts.add(key)
            done.append(answer)
        return done

    def _hopeless(self, wish: Wish) -> Answer | None:
        holder = wish.holder
        if wish.kind in ("capture", "void"):
            kept = wish.reservation
            if kept is None or kept.partner != wish.partner:
                return Answer("hold_not_found")
            holder = kept.holder
        elif wish.kind == "reverse":
            if wish.move is None or wish.move.partner != wish.partner:
                return Answer("posting_not_found")
            holder = wish.move.holder
        return Answer("member_not_active") if holder in self.frozen else None

    @staticmethod
    def _unresolvable(wish: Wish, kept: Reservation, at: datetime) -> Answer | None:
        if wish.kind not in ("capture", "void"):
            return None
        if not kept.is_open or kept.until <= at:
            return Answer("hold_resolved")
        if wish.kind == "capture" and (wish.points or 0) > kept.points:
            return Answer("capture_exceeds_hold")
        return None

    @staticmethod
    def _receipt(wish: Wish) -> tuple[int, str, str] | None:
        if wish.kind == "capture" and wish.reservation is not None:
            return wish.partner, wish.reservation.receipt, "pay"
        if wish.receipt is None or wish.kind not in ("issue", "redeem"):
            return None
        return wish.partner, wish.receipt, "earn" if wish.kind == "issue" else "pay"

    def _do(self, wish: Wish, at: datetime, today: date) -> Answer:
        match wish.kind:
            case "issue":
                return self._issue(wish)
            case "redeem":
                return self._redeem(wish, today)
            case "hold":
                return self._hold(wish, today)
            case "capture":
                return self._capture(wish, at)
            case "void":
                return self._void(wish, at)
            case _:
                return self._reverse(wish, today)

    def _lot(self, holder: int, source: Source) -> Lot:
        return self.lots.setdefault((holder, source), Lot(holder, source))

    def _issue(self, wish: Wish) -> Answer:
        together: dict[Source, int] = {}
        for source, points in wish.grants:
            together[source] = together.get(source, 0) + points
        legs = [Leg(self._lot(wish.holder, source), points) for source, points in together.items()]
        for leg in legs:
            leg.lot.points_in += leg.points
        points = sum(leg.points for leg in legs)
        return Answer("done", points, Move("issue", wish.holder, wish.partner, legs))

    def _cover(self, wish: Wish, today: date) -> list[Leg] | None:
        assert wish.points is not None
        mine = [lot for lot in self.lots.values() if lot.holder == wish.holder and lot.free(today)]
        mine.sort(
            key=lambda lot: (
                lot.source.expires or NEVER,
                lot.source.month,
                self.tie(lot.holder, lot.source),
            )
        )
        wanted, legs = wish.points, []
        for lot in mine:
            part = min(wanted, lot.free(today))
            if part:
                legs.append(Leg(lot, part))
                wanted -= part
        return None if wanted else legs

    def _redeem(self, wish: Wish, today: date) -> Answer:
        legs = self._cover(wish, today)
        if legs is None:
            return Answer("not_enough_points", self.balance(wish.holder, today))
        for leg in legs:
            leg.lot.points_out += leg.points
        return Answer("done", wish.points or 0, Move("redeem", wish.holder, wish.partner, legs))

    def _hold(self, wish: Wish, today: date) -> Answer:
        legs = self._cover(wish, today)
        if legs is None:
            return Answer("not_enough_points", self.balance(wish.holder, today))
        assert wish.until is not None
        assert wish.receipt is not None
        for leg in legs:
            leg.lot.held += leg.points
        made = Reservation(wish.holder, wish.partner, wish.receipt, wish.until, legs)
        return Answer("done", made.points, made)

    def _capture(self, wish: Wish, at: datetime) -> Answer:
        kept = wish.reservation
        assert kept is not None
        refusal = self._unresolvable(wish, kept, at)
        if refusal is not None:
            return refusal
        self.release(kept)
        wanted, legs = wish.points or kept.points, []
        points = wanted
        for reserved in kept.legs:
            part = min(wanted, reserved.points)
            if part:
                reserved.lot.points_out += part
                legs.append(Leg(reserved.lot, part))
                wanted -= part
        return Answer("done", points, Move("redeem", kept.holder, kept.partner, legs))

    def _void(self, wish: Wish, at: datetime) -> Answer:
        kept = wish.reservation
        assert kept is not None
        refusal = self._unresolvable(wish, kept, at)
        if refusal is not None:
            return refusal
        self.release(kept)
        return Answer("done", kept.points)

    def _reverse(self, wish: Wish, today: date) -> Answer:
        move = wish.move
        assert move is not None
        if move.kind not in ("issue", "redeem"):
            return Answer("not_reversible")
        points = move.left if wish.points is None else wish.points
        if points == 0 or points > move.left:
            return Answer("reversal_exceeds_original", move.left)
        if move.kind == "redeem":
            return self._give_back(wish, move, points, today)
        return self._take_back(move, points, today)

    def _give_back(self, wish: Wish, move: Move, points: int, today: date) -> Answer:
        lefts = [leg.points - leg.back for leg in move.legs]
        for leg, part in zip(move.legs, _shared(points, lefts, wish.order), strict=True):
            leg.back += part
            expires = leg.lot.source.expires
            lot = leg.lot
            if part and expires is not None and expires < today:
                lot = self._lot(move.holder, leg.lot.source._replace(expires=wish.grace))
            lot.points_in += part
        return Answer("done", points, Move("reversal", move.holder, move.partner, []))

    def _take_back(self, move: Move, points: int, today: date) -> Answer:
        lefts = [min(leg.points - leg.back, leg.lot.free(today)) for leg in move.legs]
        if sum(lefts) < points:
            return Answer("points_already_spent", sum(lefts))
        for leg, part in zip(move.legs, _shared(points, lefts, "reverse"), strict=True):
            leg.back += part
            leg.lot.points_out += part
        return Answer("done", points, Move("reversal", move.holder, move.partner, []))


def _shared(points: int, lefts: list[int], order: str) -> list[int]:
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
