"""What a stage of reversals knows of the lots it moves, and what it changes."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Executes
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders, merging
from coalition.ledger.accounts import Kind
from coalition.ledger.debts import DebtChanges
from coalition.ledger.drafts import Reverse
from coalition.ledger.halves import add_pair
from coalition.ledger.homecoming import Homecoming
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.originals import REVERSED, KeptPosting
from coalition.ledger.provenance import NO_CLOCK, Provenance, counterpart, lot_id
from coalition.ledger.rules import ReturnableLeg
from coalition.ledger.trust import Trusted

# A clock that runs again, or a suspension, lets a lot live whose points have ended before: what of
# it was booked as expired is gone all the same. An index holds such postings by their lot; by its
# id none is older than the millisecond of the issue, within which ids come in no order.
_ENDED_BEFORE = """
SELECT wanted.issue, wanted.own
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int2[], $5::uuid[], $6::uuid[])
     AS wanted (bucket, lot, since, issue_bucket, issue, own), LATERAL (
    SELECT committed_at FROM posting
    WHERE posting.bucket = wanted.issue_bucket AND posting.id = wanted.issue
    OFFSET 0) AS issued, LATERAL (
    SELECT FROM posting
    WHERE posting.bucket = wanted.bucket AND posting.id > wanted.since
      AND posting.lot = wanted.lot AND posting.kind = 4
      AND posting.committed_at > issued.committed_at
    LIMIT 1) AS expired
"""


_MILLISECOND = 80
"""So many bits of an id are below its time."""


class Stage:
    """Reversals of one stage: what is left of the lots, and what changes."""

    def __init__(
        self, journal: Journal, kept_lots: dict[UUID, KeptLot], survivor: UUID | None
    ) -> None:
        """Begin with the lots of the originals as they stand."""
        self.journal = journal
        self.kept_lots = kept_lots
        self.survivor = survivor
        self.unspent = {lot: kept.available if kept.live else 0 for lot, kept in kept_lots.items()}
        self.changes = LotChanges()
        self.passed = Homecoming(journal, self.changes)
        self.debts = DebtChanges(journal.at)
        self._ended: set[tuple[UUID, UUID]] = set()
        self._ended_now: set[UUID] = set()
        self._reversed: dict[tuple[int, bytes, bytes], tuple[UUID, UUID, int, int]] = {}

    async def read_ended(
        self,
        connection: Connection,
        drafts: Iterable[Reverse],
        originals: Mapping[UUID, KeptPosting],
    ) -> None:
        """Find lots that live again, of issues whose spent points may be owed; nearly always none.

        Most have neither a clock nor a last day that has passed, or enough is left in them. What
        expired with anyone counts who has become one with the holder: by then they are one person.
        """
        wanted = {
            (original.holder, leg.lot, original.id)
            for draft in drafts
            if draft.debts and (original := originals[draft.posting]).gave
            for leg in original.legs
            if self._may_live_again(leg)
        }
        self._ended_now = set(self.journal.expired_lots())
        if not wanted:
            return
        persons = {self.survivor or owner for owner, _, _ in wanted}
        once = {one: [one, *await holders.merged_into(connection, one)] for one in persons}
        asked = {
            (
                bucket_of(holder),
                counterpart(lot, holder),
                _since(issue),
                bucket_of(issue),
                issue,
                lot,
            )
            for owner, lot, issue in wanted
            for holder in (owner, *once[self.survivor or owner])
        }
        rows = await connection.fetch(_ENDED_BEFORE, *zip(*asked, strict=True))
        self._ended = {(row[0], row[1]) for row in rows}

    async def read_passages(self, connection: Connection, originals: Iterable[KeptPosting]) -> None:
        """Find out where points of others go back to, and what went on to them; mostly nothing."""
        acts = {original.id: original.holder for original in originals if original.has_passages}
        if acts:
            self.passed = await Homecoming.of(connection, self.journal, self.changes, acts)

    def has_ended(self, original: KeptPosting, lot: UUID) -> bool:
        """Tell whether points of the lot were booked as expired after `original` was posted."""
        there = lot if self.survivor is None else counterpart(lot, self.survivor)
        return there in self._ended_now or (original.id, lot) in self._ended

    def _may_live_again(self, leg: ReturnableLeg) -> bool:
        kept = self.kept_lots[leg.lot]
        of = kept.provenance
        has_ended = of.expires_on is not None and of.expires_on < self.journal.today
        is_short = kept.available < leg.points - leg.reversed
        return kept.live and is_short and (has_ended or of.clock_no != NO_CLOCK)

    def returned(self, lot: UUID, points: int) -> None:
        """Let a later draft of this stage take back what has just returned."""
        self.unspent[lot] = self.unspent.get(lot, 0) + points

    def count(self, original: KeptPosting, lot: UUID, points: int) -> None:
        """Count `points` of the leg of `original` that moved `lot` as reversed."""
        key = (bucket_of(original.holder), original.id.bytes, lot.bytes)
        moved = next(leg.points for leg in original.legs if leg.lot == lot)
        *_, before = self._reversed.get(key, (None, 0))
        self._reversed[key] = (original.id, lot, moved, before + points)

    def bring_back(self, original: KeptPosting, parts: Sequence[tuple[UUID, int]]) -> None:
        """Let the survivor give `parts` of lots back to the merged holder of `original`."""
        if self.survivor is None or not parts:
            return
        legs: list[tuple[Leg, Leg]] = []
        for lot, part in parts:
            there = counterpart(lot, self.survivor)
            self.changes.take_out(there, self.survivor, points=part)
            provenance = self.kept_lots[lot].provenance
            self.changes.put_in(original.holder, provenance, part, comes_again=True)
            legs.append(((there, part, None), (lot, part, None)))
        back = self.survivor, original.holder
        add_pair(self.journal, Kind.MERGE, back, original.currency_no, legs)

    def pass_on(self, original: KeptPosting, parts: Sequence[tuple[Provenance, int]]) -> None:
        """Let the survivor have what has come back to the merged holder of `original`."""
        if self.survivor is None or not parts:
            return
        legs: list[tuple[Leg, Leg]] = []
        for provenance, part in parts:
            lot = lot_id(original.holder, provenance)
            self.changes.take_out(lot, original.holder, points=part)
            there = self.changes.put_in(self.survivor, provenance, part, comes_again=True)
            legs.append(((lot, part, None), (there, part, None)))
        on = original.holder, self.survivor
        add_pair(self.journal, Kind.MERGE, on, original.currency_no, legs)

    async def write(
        self, connection: Connection, trusted: Trusted[KeptPosting] | None = None
    ) -> None:
        """Write what has changed; what a merged holder would owe is owed by its survivor.

        Where originals are `trusted`, all but debts is written later. If more of one was reversed
        since it was read than leaves room for this, a constraint stops it.
        """
        by: Executes = connection
        if trusted is None:
            await self.changes.write(connection)
        else:
            by = trusted.later
            kept = self.kept_lots.items()
            currencies = {lot: one.provenance.currency_no for lot, one in kept}
            await trusted.write_lots(connection, self.changes, currencies)
        await self.passed.write(connection)
        if self._reversed:
            rows = [(key[0], *row) for key, row in sorted(self._reversed.items())]
            await by.execute(REVERSED, *zip(*rows, strict=True))
        await self.debts.write(connection)
        if self.survivor is not None:
            for holder in self.debts.holders():
                await merging.move_debts(connection, holder, self.survivor, self.journal.at)


def _since(posting: UUID) -> UUID:
    """Return what is before all ids of a posting's millisecond."""
    return UUID(int=posting.int >> _MILLISECOND << _MILLISECOND)
