"""Reversing: points go back through the legs that moved them, never more than the original.

What a member bought who was merged since is reversed in that member's own lots, so that original,
reversal and what was counted stay in one bucket. The points come from the survivor, or go on to it,
by the two halves of a merge.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders, lots, merging
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.debts import DebtChanges
from coalition.ledger.drafts import Outcome, Owed, Posted, Reverse
from coalition.ledger.halves import add_pair
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.provenance import NO_CLOCK, Provenance, counterpart, lot_id
from coalition.ledger.refusals import (
    NotReversible,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
)
from coalition.ledger.rules import IssuedLeg, ReturnableLeg, choose_legs, take_back

# OFFSET 0 keeps the planner from turning the look-ups round while the tables are small.
_READ = """
SELECT kept.id, kept.holder, kept.partner_no, kept.kind, kept.currency_no,
       coalesce(leg.lot, kept.lot), coalesce(leg.points, kept.points),
       coalesce(returned.reversed, 0)
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id)
CROSS JOIN LATERAL (
    SELECT * FROM posting WHERE posting.bucket = wanted.bucket AND posting.id = wanted.id
    OFFSET 0) AS kept
LEFT JOIN LATERAL (
    SELECT * FROM leg WHERE leg.bucket = wanted.bucket AND leg.posting = wanted.id
    OFFSET 0) AS leg ON true
LEFT JOIN LATERAL (
    SELECT reversed FROM reversed_leg
    WHERE bucket = wanted.bucket AND posting = wanted.id AND lot = coalesce(leg.lot, kept.lot)
    OFFSET 0) AS returned ON true
ORDER BY kept.id, leg.no
"""

# A clock that runs again, or a suspension, lets a lot live whose points have ended before: what of
# it was booked as expired is gone all the same. An index holds such postings by their lot.
_ENDED_BEFORE = """
SELECT wanted.issue, wanted.own
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[])
     AS wanted (bucket, lot, issue, own), LATERAL (
    SELECT FROM posting
    WHERE posting.bucket = wanted.bucket AND posting.id > wanted.issue
      AND posting.lot = wanted.lot AND posting.kind = 4
    LIMIT 1) AS expired
"""

REVERSED = """
INSERT INTO reversed_leg AS kept (bucket, posting, lot, moved, reversed)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int4[])
ON CONFLICT (bucket, posting, lot) DO UPDATE SET reversed = kept.reversed + excluded.reversed
"""

NOBODY_MERGED: Mapping[UUID, UUID] = {}
_REVERSIBLE = {Kind.ISSUE: Account.ISSUED, Kind.REDEEM: Account.REDEEMED}


class KeptPosting(NamedTuple):
    """A posting as it was made, with its legs in order and what of each was reversed since."""

    id: UUID
    holder: UUID
    partner_no: int
    kind: int
    currency_no: int
    legs: list[ReturnableLeg]


async def read_postings(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, KeptPosting]:
    """Return each of the postings `ids` that exists."""
    wanted = list(ids)
    buckets = [bucket_of(posting) for posting in wanted]
    found: dict[UUID, KeptPosting] = {}
    for row in await connection.fetch(_READ, buckets, wanted):
        kept = found.get(row[0])
        if kept is None:
            kept = found[row[0]] = KeptPosting._make([*row[:5], []])
        kept.legs.append(ReturnableLeg(row[5], row[6], row[7]))
    return found


async def reverse(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Reverse],
    survivors: Mapping[UUID, UUID] = NOBODY_MERGED,
) -> list[Outcome]:
    """Post the reversals of `drafts`, whose originals are there and whose holders are locked.

    Two reversals of one posting in one batch are posted one after the other, each seeing what the
    one before it took back; what follows them in the same bucket, so for the same holder, waits
    with the second. `survivors` names who has taken over from the holders of originals that were
    merged; those, locked as well, are reversed one by one.
    """
    outcomes: list[Outcome | None] = [None] * len(drafts)
    rest = list(range(len(drafts)))
    while rest:
        survivor = survivors.get(drafts[rest[0]].posting)
        chosen = rest[:1] if survivor else _distinct(drafts, rest, survivors)
        wanted = [drafts[i] for i in chosen]
        answers = await _reverse_distinct(connection, journal, wanted, survivor)
        for i, answer in zip(chosen, answers, strict=True):
            outcomes[i] = answer
        rest = [i for i in rest if outcomes[i] is None]
    return [outcome for outcome in outcomes if outcome is not None]


def _distinct(
    drafts: Sequence[Reverse], positions: list[int], survivors: Mapping[UUID, UUID]
) -> list[int]:
    """Return the `positions` that can be posted together without changing any holder's order."""
    chosen: list[int] = []
    seen: set[UUID] = set()
    waiting: set[int] = set()
    for i in positions:
        posting = drafts[i].posting
        if posting in survivors:
            break
        if posting in seen:
            waiting.add(bucket_of(posting))
        elif bucket_of(posting) not in waiting:
            seen.add(posting)
            chosen.append(i)
    return chosen


async def _reverse_distinct(
    connection: Connection, journal: Journal, drafts: Sequence[Reverse], survivor: UUID | None
) -> list[Outcome]:
    originals = await read_postings(connection, [draft.posting for draft in drafts])
    kept_lots = await _read_lots(connection, journal, originals, survivor)
    stage = _Stage(journal, kept_lots, survivor)
    await stage.read_ended(connection, drafts, originals)
    outcomes: list[Outcome] = []
    for draft in drafts:
        original = originals[draft.posting]
        points = _points_to_reverse(draft, original)
        if isinstance(points, Refused):
            outcomes.append(points)
        elif original.kind == Kind.ISSUE:
            outcomes.append(_take_back(stage, draft, original, points))
        else:
            outcomes.append(_give_back(stage, draft, original, points))
    await stage.write(connection)
    return outcomes


async def _read_lots(
    connection: Connection,
    journal: Journal,
    originals: Mapping[UUID, KeptPosting],
    survivor: UUID | None,
) -> dict[UUID, KeptLot]:
    """Return the lots of `originals`; of a merged holder as they stand with the `survivor`."""
    wanted = {(leg.lot, kept.holder) for kept in originals.values() for leg in kept.legs}
    wanted_lots, owners = zip(*wanted, strict=True)
    if survivor is None:
        return await lots.read(connection, wanted_lots, owners, journal.today)
    # An issue that was under way when its holder was merged may have left something there.
    await merging.move_late(connection, journal, owners[0], survivor)
    return await lots.read_of_merged(connection, wanted_lots, owners[0], survivor, journal.today)


class _Stage:
    """Reversals of one stage: what is left of the lots, and what changes."""

    def __init__(
        self, journal: Journal, kept_lots: dict[UUID, KeptLot], survivor: UUID | None
    ) -> None:
        self.journal = journal
        self.kept_lots = kept_lots
        self.survivor = survivor
        self.unspent = {lot: kept.available if kept.live else 0 for lot, kept in kept_lots.items()}
        self.changes = LotChanges()
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

        Most have neither a clock nor a last day that has passed, or enough is left in them. Of who
        was merged, what expired with anyone who has become the same survivor counts.
        """
        wanted = {
            (original.holder, leg.lot, original.id)
            for draft in drafts
            if draft.debts and (original := originals[draft.posting]).kind == Kind.ISSUE
            for leg in original.legs
            if self._may_live_again(leg)
        }
        self._ended_now = set(self.journal.expired_lots())
        if not wanted:
            return
        others: list[UUID] = []
        if self.survivor is not None:
            others = [self.survivor, *await holders.merged_into(connection, self.survivor)]
        asked = {
            (bucket_of(holder), counterpart(lot, holder), issue, lot)
            for owner, lot, issue in wanted
            for holder in (owner, *others)
        }
        rows = await connection.fetch(_ENDED_BEFORE, *zip(*asked, strict=True))
        self._ended = {(row[0], row[1]) for row in rows}

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

    def count(self, original: KeptPosting, lot: UUID, points: int) -> None:
        """Count `points` of the leg of `original` that moved `lot` as reversed."""
        key = (bucket_of(original.holder), original.id.bytes, lot.bytes)
        moved = next(leg.points for leg in original.legs if leg.lot == lot)
        *_, before = self._reversed.get(key, (None, 0))
        self._reversed[key] = (original.id, lot, moved, before + points)

    def bring_back(self, original: KeptPosting, parts: Iterable[tuple[UUID, int]]) -> None:
        """Let the survivor give `parts` of lots back to the merged holder of `original`."""
        if self.survivor is None:
            return
        legs: list[tuple[Leg, Leg]] = []
        for lot, part in parts:
            there = counterpart(lot, self.survivor)
            self.changes.take_out(there, self.survivor, points=part)
            self.changes.put_in(original.holder, self.kept_lots[lot].provenance, part)
            legs.append(((there, part, None), (lot, part, None)))
        back = self.survivor, original.holder
        add_pair(self.journal, Kind.MERGE, back, original.currency_no, legs)

    def pass_on(self, original: KeptPosting, parts: Iterable[tuple[Provenance, int]]) -> None:
        """Let the survivor have what has come back to the merged holder of `original`."""
        if self.survivor is None:
            return
        legs: list[tuple[Leg, Leg]] = []
        for provenance, part in parts:
            lot = lot_id(original.holder, provenance)
            self.changes.take_out(lot, original.holder, points=part)
            there = self.changes.put_in(self.survivor, provenance, part)
            legs.append(((lot, part, None), (there, part, None)))
        on = original.holder, self.survivor
        add_pair(self.journal, Kind.MERGE, on, original.currency_no, legs)

    async def write(self, connection: Connection) -> None:
        """Write what has changed; what a merged holder would owe is owed by its survivor."""
        await self.changes.write(connection)
        if self._reversed:
            rows = [(key[0], *row) for key, row in sorted(self._reversed.items())]
            await connection.execute(REVERSED, *zip(*rows, strict=True))
        await self.debts.write(connection)
        if self.survivor is not None:
            for holder in self.debts.holders():
                await merging.move_debts(connection, holder, self.survivor, self.journal.at)


def _points_to_reverse(draft: Reverse, original: KeptPosting) -> int | Refused:
    if original.kind not in _REVERSIBLE:
        return NotReversible("only an issue and a redemption can be reversed")
    left = sum(leg.points - leg.reversed for leg in original.legs)
    points = left if draft.points is None else draft.points
    if points > left or points == 0:
        return ReversalExceedsOriginal(
            f"{left} points of this posting are not yet reversed; reverse at most that",
            limit=sum(leg.points for leg in original.legs),
            remaining=left,
        )
    return points


def _take_back(stage: _Stage, draft: Reverse, original: KeptPosting, points: int) -> Outcome:
    """Take issued points back out of their lots, last leg first; what is spent is owed or refused.

    Points that have expired are gone for the member: nobody takes them and nobody owes them, also
    where their lot lives again.
    """
    contracts = {leg.lot: stage.kept_lots[leg.lot].provenance.contract_no for leg in original.legs}
    may_owe = draft.debts.keys() >= set(contracts.values())
    issued = [_issued_leg(stage, original, leg, may_owe=may_owe) for leg in original.legs]
    back = take_back(points, issued, _wished(stage, draft, original))
    if not back.points or (back.points < points and not may_owe):
        return _already_spent(points, back.points)
    posting = None
    if back.taken:
        legs: list[Leg] = [(lot, part, None) for lot, part in back.taken]
        stage.bring_back(original, back.taken)
        posting = _add(stage.journal, draft, original, legs)
    for lot, part in back.taken:
        stage.changes.take_out(lot, original.holder, points=part)
        stage.unspent[lot] -= part
        stage.count(original, lot, part)
    for lot, part in back.owed:
        stage.debts.book(
            original.holder,
            original.id,
            lot,
            provenance=stage.kept_lots[lot].provenance,
            recover_percent=draft.debts[contracts[lot]],
            points=part,
            reversal=posting,
        )
        stage.count(original, lot, part)
    taken, owed = (sum(part for _, part in parts) for parts in back)
    holder = stage.survivor or original.holder
    if posting is None:
        return Owed(holder, owed)
    return Posted(posting, holder, taken, debt=owed, currency_no=original.currency_no)


def _wished(stage: _Stage, draft: Reverse, original: KeptPosting) -> dict[UUID, int]:
    """Return how many points of each lot go back first; lots of one funder from the last one."""
    left = dict(draft.by_funder)
    wished: dict[UUID, int] = {}
    for leg in reversed(original.legs):
        funder = stage.kept_lots[leg.lot].provenance.funder_no
        wished[leg.lot] = min(left.get(funder, 0), leg.points - leg.reversed)
        left[funder] = left.get(funder, 0) - wished[leg.lot]
    return wished


def _issued_leg(
    stage: _Stage, original: KeptPosting, leg: ReturnableLeg, *, may_owe: bool
) -> IssuedLeg:
    left = leg.points - leg.reversed
    lives = stage.kept_lots[leg.lot].live and not stage.has_ended(original, leg.lot)
    return IssuedLeg(leg.lot, min(left, stage.unspent[leg.lot]), left if may_owe and lives else 0)


def _give_back(stage: _Stage, draft: Reverse, original: KeptPosting, points: int) -> Outcome:
    """Put redeemed points back into the lots of their legs; replace a lot that has expired."""
    legs: list[Leg] = []
    given: list[tuple[Provenance, int]] = []
    for lot, part in choose_legs(points, original.legs, draft.order):
        kept = stage.kept_lots[lot]
        provenance = kept.provenance
        if not kept.live:
            # Without its clock: that has run out, or would end the grace before its day.
            provenance = provenance._replace(expires_on=draft.grace_expires_on, clock_no=NO_CLOCK)
        back = stage.changes.put_in(original.holder, provenance, part)
        legs.append((back, part, None if kept.live else lot))
        given.append((provenance, part))
        # A later draft of this batch may take back what has just returned.
        stage.unspent[back] = stage.unspent.get(back, 0) + part
        stage.count(original, lot, part)
    posting = _add(stage.journal, draft, original, legs)
    stage.pass_on(original, given)
    holder = stage.survivor or original.holder
    return Posted(posting, holder, points, currency_no=original.currency_no)


def _already_spent(points: int, remaining: int) -> PointsAlreadySpent:
    return PointsAlreadySpent(
        f"{remaining} of these points are unspent; reverse at most that",
        points=points,
        remaining=remaining,
    )


def _add(journal: Journal, draft: Reverse, original: KeptPosting, legs: list[Leg]) -> UUID:
    return journal.add(
        kind=Kind.REVERSAL,
        holder=original.holder,
        till=draft.till,
        currency_no=original.currency_no,
        direction=OUT_OF_LOT if original.kind == Kind.ISSUE else INTO_LOT,
        legs=legs,
        account=_REVERSIBLE[Kind(original.kind)],
        reverses=original.id,
        reason=draft.reason,
    )
