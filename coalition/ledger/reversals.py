"""Reversing: points go back through the legs that moved them, never more than the original."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of
from coalition.ledger import lots
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Outcome, Posted, Reverse
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.provenance import NO_CLOCK
from coalition.ledger.refusals import (
    NotReversible,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
)
from coalition.ledger.rules import ReturnableLeg, choose_legs

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

_REVERSED = """
INSERT INTO reversed_leg AS kept (bucket, posting, lot, moved, reversed)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int4[])
ON CONFLICT (bucket, posting, lot) DO UPDATE SET reversed = kept.reversed + excluded.reversed
"""

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
    connection: Connection, journal: Journal, drafts: Sequence[Reverse]
) -> list[Outcome]:
    """Post the reversals of `drafts`, whose originals are there and whose holders are locked.

    Two reversals of one posting in one batch are posted one after the other, each seeing what the
    one before it took back; what follows them in the same bucket, so for the same holder, waits
    with the second.
    """
    outcomes: list[Outcome | None] = [None] * len(drafts)
    rest = list(range(len(drafts)))
    while rest:
        chosen = _distinct(drafts, rest)
        answers = await _reverse_distinct(connection, journal, [drafts[i] for i in chosen])
        for i, answer in zip(chosen, answers, strict=True):
            outcomes[i] = answer
        rest = [i for i in rest if outcomes[i] is None]
    return [outcome for outcome in outcomes if outcome is not None]


def _distinct(drafts: Sequence[Reverse], positions: list[int]) -> list[int]:
    """Return the `positions` that can be posted together without changing any holder's order."""
    chosen: list[int] = []
    seen: set[UUID] = set()
    waiting: set[int] = set()
    for i in positions:
        posting = drafts[i].posting
        if posting in seen:
            waiting.add(bucket_of(posting))
        elif bucket_of(posting) not in waiting:
            seen.add(posting)
            chosen.append(i)
    return chosen


async def _reverse_distinct(
    connection: Connection, journal: Journal, drafts: Sequence[Reverse]
) -> list[Outcome]:
    originals = await read_postings(connection, [draft.posting for draft in drafts])
    wanted = {(leg.lot, kept.holder) for kept in originals.values() for leg in kept.legs}
    wanted_lots, owners = zip(*wanted, strict=True)
    kept_lots = await lots.read(connection, wanted_lots, owners, journal.today)
    unspent = {lot: kept.available if kept.live else 0 for lot, kept in kept_lots.items()}
    changes = LotChanges()
    rows: list[tuple[int, UUID, UUID, int, int]] = []
    outcomes: list[Outcome] = []
    for draft in drafts:
        original = originals[draft.posting]
        points = _points_to_reverse(draft, original)
        if isinstance(points, Refused):
            outcomes.append(points)
            continue
        if original.kind == Kind.ISSUE:
            legs = _take_back(original, points, unspent, changes)
        else:
            legs = _give_back(original, points, draft, kept_lots=kept_lots, changes=changes)
            for lot, part, _ in legs:
                # A later draft of this batch may take back what has just returned.
                unspent[lot] = unspent.get(lot, 0) + part
        if legs is None:
            outcomes.append(_already_spent(original, points, unspent))
            continue
        outcomes.append(_add(journal, draft, original, legs))
        moved = {leg.lot: leg.points for leg in original.legs}
        for lot, part, origin in legs:
            row = (
                bucket_of(original.holder),
                original.id,
                origin or lot,
                moved[origin or lot],
                part,
            )
            rows.append(row)
    await changes.write(connection)
    if rows:
        rows.sort(key=lambda row: (row[0], row[1].bytes, row[2].bytes))
        await connection.execute(_REVERSED, *zip(*rows, strict=True))
    return outcomes


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


def _take_back(
    original: KeptPosting, points: int, unspent: dict[UUID, int], changes: LotChanges
) -> list[Leg] | None:
    """Take issued points back out of their lots, last leg first; None when too few are unspent."""
    free = [
        leg._replace(reversed=leg.points - min(leg.points - leg.reversed, unspent[leg.lot]))
        for leg in original.legs
    ]
    if sum(leg.points - leg.reversed for leg in free) < points:
        return None
    legs: list[Leg] = []
    for lot, part in choose_legs(points, free, "reverse"):
        changes.take_out(lot, original.holder, points=part)
        unspent[lot] -= part
        legs.append((lot, part, None))
    return legs


def _give_back(
    original: KeptPosting,
    points: int,
    draft: Reverse,
    *,
    kept_lots: dict[UUID, KeptLot],
    changes: LotChanges,
) -> list[Leg]:
    """Put redeemed points back into the lots of their legs; replace a lot that has expired."""
    legs: list[Leg] = []
    for lot, part in choose_legs(points, original.legs, draft.order):
        kept = kept_lots[lot]
        if kept.live:
            legs.append((changes.put_in(original.holder, kept.provenance, part), part, None))
        else:
            # Without its clock: that has run out, or would end the grace before its day.
            replacement = kept.provenance._replace(
                expires_on=draft.grace_expires_on, clock_no=NO_CLOCK
            )
            legs.append((changes.put_in(original.holder, replacement, part), part, lot))
    return legs


def _already_spent(
    original: KeptPosting, points: int, unspent: dict[UUID, int]
) -> PointsAlreadySpent:
    remaining = sum(min(leg.points - leg.reversed, unspent[leg.lot]) for leg in original.legs)
    return PointsAlreadySpent(
        f"{remaining} of these points are unspent; reverse at most that",
        points=points,
        remaining=remaining,
    )


def _add(journal: Journal, draft: Reverse, original: KeptPosting, legs: list[Leg]) -> Posted:
    posting = journal.add(
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
    return Posted(posting, original.holder, sum(part for _, part, _ in legs))
