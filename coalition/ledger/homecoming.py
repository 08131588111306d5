"""The way back of points that passed for an act: to the lots they came from, or whoever has those.

Who was merged is followed to the survivor. Where the other holder is closed, or has become the one
whose act it was, there is no way back: what passed from it stays, and what passed on to it counts
as spent where it is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.kernel.money import split
from coalition.ledger import holders, lots, passages
from coalition.ledger.accounts import HolderState, Kind
from coalition.ledger.drafts import Share
from coalition.ledger.halves import add_pair
from coalition.ledger.holders import Standing
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.passages import GIVEN_BACK, TAKEN_BACK, Passage, shares_of
from coalition.ledger.provenance import NO_CLOCK, Provenance, counterpart, of_its_own
from coalition.ledger.rules import ReturnableLeg

_RETURNED = """
UPDATE passage SET returned = passage.returned + back.points
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int8[])
     AS back (bucket, act, lot, other, other_lot, points)
WHERE passage.bucket = back.bucket AND passage.act = back.act AND passage.lot = back.lot
  AND passage.other = back.other AND passage.other_lot = back.other_lot
"""


Shares = list[tuple["Way", int]]
"""How many points go each of some ways."""

NO_GRACE: Final = None


class Way:
    """A passage, how much of it has not come back, and to whose lot that goes."""

    __slots__ = ("back", "home", "kept", "passage", "place")

    def __init__(self, passage: Passage, home: UUID, place: UUID, kept: KeptLot) -> None:
        """Lead to the lot `place` of `home`, which is as `kept` tells."""
        self.passage = passage
        self.home = home
        self.place = place
        self.kept = kept
        self.back = 0

    @property
    def left(self) -> int:
        """Return how many points of the passage have not come back."""
        return self.passage.points - self.passage.returned - self.back


class Homecoming:
    """The ways back of some acts, whose holders and others are locked, and what takes them."""

    def __init__(self, journal: Journal, changes: LotChanges, ways: Iterable[Way] = ()) -> None:
        """Let points return by `ways` in `changes` and by postings of `journal`."""
        self._journal = journal
        self._changes = changes
        self._ways: dict[tuple[UUID, UUID], list[Way]] = defaultdict(list)
        for way in ways:
            self._ways[way.passage.act, way.passage.lot].append(way)
        self._unspent = {
            way.place: way.kept.available if way.kept.live else 0
            for of in self._ways.values()
            for way in of
        }
        self._legs: dict[tuple[UUID, UUID], list[tuple[Leg, Leg]]] = defaultdict(list)
        self._gone: list[tuple[UUID, int]] = []
        self._currency_no = 0
        self._reason = GIVEN_BACK
        self._moved_on: list[Passage] = []

    @classmethod
    async def of(
        cls,
        connection: Connection,
        journal: Journal,
        changes: LotChanges,
        acts: Mapping[UUID, UUID],
    ) -> "Homecoming":
        """Read the passages of `acts`, each with its holder; of no acts nothing is read."""
        if not acts:
            return cls(journal, changes)
        found = await passages.read(connection, acts)
        passed = [one for of in found.values() for one in of]
        homes = await _homes(connection, {one.other for one in passed})
        kept = await _read_lots(connection, journal, passed, homes)
        ways = [
            Way(one, home, place, kept[place])
            for one in passed
            if (home := homes.get(one.other)) is not None and home != acts[one.act]
            for place in [_place(one, home)]
        ]
        return cls(journal, changes, ways)

    def left(self, act: UUID, lot: UUID) -> int:
        """Return how many points of `lot` have a way back for `act`."""
        return sum(way.left for way in self._of(act, lot))

    def bringable(self, act: UUID, lot: UUID) -> int:
        """Return how many of the points that went on from `lot` for `act` are still there."""
        return sum(min(way.left, self._unspent[way.place]) for way in self._of(act, lot))

    def share(self, act: UUID, lot: UUID, points: int, own: int, order: str) -> Shares:
        """Return how many of `points` that return to `lot` go which way; `own` have none.

        In `reverse` order those that have one are the first to go back, the last way before others;
        `proportional` shares by largest remainder, ties for what is the holder's own.
        """
        ways = self._of(act, lot)
        if order == "proportional" and ways:
            parts = split(points, [own, *(way.left for way in ways)])[1:]
            return [(way, part) for way, part in zip(ways, parts, strict=True) if part]
        return _fill(points, [(way, way.left) for way in reversed(ways)])

    def send_back(
        self, holder: UUID, shares: Shares, *, grace: date | None = NO_GRACE
    ) -> list[tuple[UUID, int]]:
        """Let points that have come to the lots of an act's `holder` go on; return to which lots.

        A lot that has ended is replaced by one that can be spent through `grace`, where that is
        given.
        """
        sent = []
        self._reason = GIVEN_BACK
        for way, part in shares:
            provenance = way.kept.provenance
            if grace is not None and not way.kept.live:
                # Without its clock: that has run out, or would end the grace before its day.
                provenance = provenance._replace(expires_on=grace, clock_no=NO_CLOCK)
            lot = way.passage.lot
            self._changes.take_out(lot, holder, points=part)
            own = of_its_own(provenance, way.home)
            place = self._changes.put_in(way.home, own, part, comes_again=True)
            self._go(way, part, (holder, way.home), ((lot, part, None), (place, part, None)))
            sent.append((place, part))
        return sent

    def part_of_others(self, act: UUID, leg: ReturnableLeg, points: int, *, unspent: int) -> int:
        """Return how many of `points` that an issue takes back of a leg others have to give.

        They keep of what went on to them as much as what is left of the leg would have given them.
        They give more where the earner has fewer `unspent` than the rest, and no more than they
        have.
        """
        ways = self._of(act, leg.lot)
        passed = sum(way.passage.points for way in ways)
        kept = passed * (leg.points - leg.reversed - points) // leg.points
        wanted = max(self.left(act, leg.lot) - kept, points - unspent, 0)
        return min(wanted, points, self.bringable(act, leg.lot))

    def bring_back(
        self, act: UUID, holder: UUID, lot: UUID, provenance: Provenance, points: int
    ) -> None:
        """Let `points` that went on for `act`, and are still there, come back to a lot."""
        ways = [
            (way, min(way.left, self._unspent[way.place])) for way in reversed(self._of(act, lot))
        ]
        self._reason = TAKEN_BACK
        for way, part in _fill(points, ways):
            self._unspent[way.place] -= part
            self._changes.take_out(way.place, way.home, points=part)
            self._changes.put_in(holder, provenance, part, comes_again=True)
            self._go(way, part, (way.home, holder), ((way.place, part, None), (lot, part, None)))

    def move_on(self, hold: UUID, lot: UUID, points: int, posting: UUID) -> None:
        """Let `points` of `lot` that passed for a hold have passed for its redemption."""
        for way, part in _fill(points, [(way, way.left) for way in self._of(hold, lot)]):
            way.back += part
            self._moved_on.append(way.passage._replace(act=posting, points=part, returned=0))
            if way.passage.is_activity and way.home == way.passage.other:
                self._journal.active.add((way.home, way.kept.provenance.currency_no))

    def finish_act(self) -> tuple[Share, ...]:
        """Post what went since the last act was finished; return how much of it each other got.

        Or gave, where points came back from it.
        """
        for way, legs in self._legs.items():
            add_pair(
                self._journal, Kind.TRANSFER, way, self._currency_no, legs, reason=self._reason
            )
        shares = shares_of(self._gone)
        self._legs.clear()
        self._gone.clear()
        return shares

    async def write(self, connection: Connection) -> None:
        """Write what of the passages has come back or moved on; lots are the caller's to write."""
        rows = [
            (bucket_of(way.passage.act), *way.passage[:4], way.back)
            for ways in self._ways.values()
            for way in ways
            if way.back
        ]
        if rows:
            done = await connection.execute(_RETURNED, *zip(*rows, strict=True))
            assert done == f"UPDATE {len(rows)}", "passages of a locked holder are never removed"
        await passages.write(connection, self._moved_on)

    def _of(self, act: UUID, lot: UUID) -> Sequence[Way]:
        return self._ways.get((act, lot), ())

    def _go(self, way: Way, points: int, between: tuple[UUID, UUID], legs: tuple[Leg, Leg]) -> None:
        way.back += points
        self._legs[between].append(legs)
        self._gone.append((way.home, points))
        self._currency_no = way.kept.provenance.currency_no


def _fill(points: int, ways: Iterable[tuple[Way, int]]) -> Shares:
    """Share `points`, or as many as fit, each way as many as it can before the next."""
    shares = []
    for way, most in ways:
        part = min(most, points)
        if part:
            shares.append((way, part))
            points -= part
    return shares


async def _homes(connection: Connection, others: Collection[UUID]) -> dict[UUID, UUID]:
    """Return whose lots points of each of `others` go back to; of who is closed there is none."""
    states = await holders.read_states(connection, others)
    into = {one: kept.merged_into for one, kept in states.items() if kept.merged_into is not None}
    if into:
        states |= await holders.read_states(connection, set(into.values()))
    return {one: home for one in others if _is_open(states.get(home := into.get(one, one)))}


def _is_open(standing: Standing | None) -> bool:
    return standing is not None and standing.state != HolderState.CLOSED


def _place(one: Passage, home: UUID) -> UUID:
    return one.other_lot if home == one.other else counterpart(one.other_lot, home)


async def _read_lots(
    connection: Connection,
    journal: Journal,
    passed: Iterable[Passage],
    homes: Mapping[UUID, UUID],
) -> dict[UUID, KeptLot]:
    """Return the lots where points go back to, by the lots themselves.

    What a survivor has of a lot of who was merged is told by the lot that went over.
    """
    own: dict[UUID, UUID] = {}
    merged: dict[tuple[UUID, UUID], set[UUID]] = defaultdict(set)
    for one in passed:
        home = homes.get(one.other)
        if home == one.other:
            own[one.other_lot] = one.other
        elif home is not None:
            merged[one.other, home].add(one.other_lot)
    kept = await lots.read(connection, list(own), list(own.values()), journal.today) if own else {}
    for (other, home), there in merged.items():
        found = await lots.read_of_merged(connection, sorted(there), other, home, journal.today)
        kept |= {counterpart(lot, home): one for lot, one in found.items()}
    return kept
