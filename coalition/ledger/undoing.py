"""Undoing transfers: what was received and not spent goes back whole, each half reversed once."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of
from coalition.ledger import lots, merging
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Outcome, Transferred, UndoTransfer
from coalition.ledger.halves import add_pair
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.originals import REVERSED, KeptPosting, read_postings
from coalition.ledger.provenance import NO_CLOCK, Provenance, lot_id
from coalition.ledger.refusals import PointsAlreadySpent, ReversalExceedsOriginal
from coalition.ledger.reversals import NOBODY_MERGED
from coalition.ledger.rules import ReturnableLeg

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_LINKED = """
SELECT kept.id, kept.linked
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT id, linked, kind, direction FROM posting
    WHERE posting.bucket = wanted.bucket AND posting.id = wanted.id
    OFFSET 0) AS kept
WHERE kept.kind = 9 AND kept.direction = -1
"""


_Moved = tuple[UUID, Provenance, int]
"""The lot of a leg, where its points come from as they move, and how many."""


class KeptTransfer(NamedTuple):
    """Both halves of a transfer as they were made, and what of them was reversed since."""

    left: KeptPosting
    arrived: KeptPosting


async def read_transfers(connection: Connection, ids: Collection[UUID]) -> dict[UUID, KeptTransfer]:
    """Return each of the transfers that exists, by the id of the half that left."""
    buckets = [bucket_of(posting) for posting in ids]
    rows = await connection.fetch(_LINKED, buckets, list(ids))
    pairs = {row[0]: row[1] for row in rows}
    if not pairs:
        return {}
    halves = await read_postings(connection, {*pairs, *pairs.values()})
    return {left: KeptTransfer(halves[left], halves[arrived]) for left, arrived in pairs.items()}


async def undo(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[UndoTransfer],
    survivors: Mapping[UUID, UUID] = NOBODY_MERGED,
) -> list[Outcome]:
    """Undo the transfers of `drafts`, which are there and whose holders are locked, one by one.

    All points go back or none: also what was spent out of a lot in which the receiver had others
    alike is covered by those. What has ended at the receiver is gone, as if it were spent. Where
    the sender's lot has ended and the receiver's lives, the points get the draft's days of grace.
    `survivors` names who has taken over from holders that were merged, which are locked as well:
    one gives for who had received, and gets for who had sent.
    """
    return [await _undo(connection, journal, draft, survivors) for draft in drafts]


async def _undo(
    connection: Connection, journal: Journal, draft: UndoTransfer, survivors: Mapping[UUID, UUID]
) -> Outcome:
    left, arrived = (await read_transfers(connection, [draft.posting]))[draft.posting]
    kept = {
        half.id: await _read_lots(connection, journal, half, survivors.get(half.holder))
        for half in (left, arrived)
    }
    refusal = _refusal(left, arrived, kept[arrived.id])
    if refusal is not None:
        return refusal
    changes = LotChanges()
    gone = [(leg.lot, kept[arrived.id][leg.lot].provenance, leg.points) for leg in arrived.legs]
    come = [_comes_back(draft, kept[left.id][leg.lot], leg) for leg in left.legs]
    giver, taker = survivors.get(arrived.holder), survivors.get(left.holder)
    if giver is not None:
        _go_over(journal, changes, (giver, arrived.holder), gone)
    for lot, _, points in gone:
        changes.take_out(lot, arrived.holder, points=points)
    legs: list[Leg] = []
    for origin, provenance, points in come:
        lot = changes.put_in(left.holder, provenance, points, comes_again=True)
        legs.append((lot, points, None if lot == origin else origin))
    taken = _add(journal, draft, arrived, [(lot, points, None) for lot, _, points in gone])
    given = _add(journal, draft, left, legs)
    if taker is not None:
        _go_over(journal, changes, (left.holder, taker), come)
    await changes.write(connection)
    rows = [
        (bucket_of(half.id), half.id, leg.lot, leg.points, leg.points)
        for half in (left, arrived)
        for leg in half.legs
    ]
    await connection.execute(REVERSED, *zip(*sorted(rows), strict=True))
    return Transferred(
        posting=taken,
        into_posting=given,
        holder=giver or arrived.holder,
        receiver=taker or left.holder,
        points=sum(leg.points for leg in left.legs),
        currency_no=left.currency_no,
    )


async def _read_lots(
    connection: Connection, journal: Journal, half: KeptPosting, survivor: UUID | None
) -> dict[UUID, KeptLot]:
    """Return the lots of a half; of a merged holder as they stand with the `survivor`."""
    wanted = [leg.lot for leg in half.legs]
    if survivor is None:
        return await lots.read(connection, wanted, [half.holder] * len(wanted), journal.today)
    await merging.move_late(connection, journal, half.holder, survivor)
    return await lots.read_of_merged(connection, wanted, half.holder, survivor, journal.today)


def _go_over(
    journal: Journal,
    changes: LotChanges,
    holders: tuple[UUID, UUID],
    moved: Sequence[_Moved],
) -> None:
    """Let one holder give points to another who is the same person; of a lot or its counterpart."""
    legs: list[tuple[Leg, Leg]] = []
    for _, provenance, points in moved:
        lot = lot_id(holders[0], provenance)
        changes.take_out(lot, holders[0], points=points)
        into = changes.put_in(holders[1], provenance, points, comes_again=True)
        legs.append(((lot, points, None), (into, points, None)))
    currency_no = moved[0][1].currency_no
    add_pair(journal, Kind.MERGE, holders, currency_no, legs)


def _refusal(
    left: KeptPosting, arrived: KeptPosting, kept: Mapping[UUID, KeptLot]
) -> Refused | None:
    if any(leg.reversed for leg in left.legs):
        return ReversalExceedsOriginal(
            "this transfer was undone before; a transfer is undone once",
            limit=sum(leg.points for leg in left.legs),
            remaining=0,
        )
    points = sum(leg.points for leg in arrived.legs)
    unspent = sum(
        min(leg.points, kept[leg.lot].available) for leg in arrived.legs if kept[leg.lot].live
    )
    if unspent < points:
        return PointsAlreadySpent(
            f"{unspent} of the {points} points are still there; a transfer is undone whole",
            points=points,
            remaining=unspent,
        )
    return None


def _comes_back(draft: UndoTransfer, kept: KeptLot, leg: ReturnableLeg) -> _Moved:
    if kept.live:
        return leg.lot, kept.provenance, leg.points
    # Without its clock: that has run out, or would end the grace before its day.
    grace = kept.provenance._replace(expires_on=draft.grace_expires_on, clock_no=NO_CLOCK)
    return leg.lot, grace, leg.points


def _add(journal: Journal, draft: UndoTransfer, half: KeptPosting, legs: list[Leg]) -> UUID:
    return journal.add(
        kind=Kind.REVERSAL,
        holder=half.holder,
        till=structs.replace(draft.till, receipt=None),
        currency_no=half.currency_no,
        direction=INTO_LOT if half.id == draft.posting else OUT_OF_LOT,
        legs=legs,
        account=Account.TRANSIT,
        reverses=half.id,
        reason=draft.reason,
    )
