"""Undoing transfers: what was received and not spent goes back whole, each half reversed once."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of
from coalition.ledger import lots
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Outcome, Transferred, UndoTransfer
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.originals import REVERSED, KeptPosting, read_postings
from coalition.ledger.provenance import NO_CLOCK
from coalition.ledger.refusals import PointsAlreadySpent, ReversalExceedsOriginal
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
    connection: Connection, journal: Journal, drafts: Sequence[UndoTransfer]
) -> list[Outcome]:
    """Undo the transfers of `drafts`, which are there and whose holders are locked, one by one.

    All points go back or none: also what was spent out of a lot in which the receiver had others
    alike is covered by those. What has ended at the receiver is gone, as if it were spent. Where
    the sender's lot has ended and the receiver's lives, the points get the draft's days of grace.
    """
    return [await _undo(connection, journal, draft) for draft in drafts]


async def _undo(connection: Connection, journal: Journal, draft: UndoTransfer) -> Outcome:
    left, arrived = (await read_transfers(connection, [draft.posting]))[draft.posting]
    kept = await _read_lots(connection, journal, left, arrived)
    refusal = _refusal(left, arrived, kept)
    if refusal is not None:
        return refusal
    changes, back = LotChanges(), LotChanges()
    gone: list[Leg] = []
    for leg in arrived.legs:
        changes.take_out(leg.lot, arrived.holder, points=leg.points)
        gone.append((leg.lot, leg.points, None))
    come = [_put_back(back, draft, left.holder, kept[leg.lot], leg) for leg in left.legs]
    await changes.write(connection)
    await back.write(connection)
    taken = _add(journal, draft, arrived, gone, OUT_OF_LOT)
    given = _add(journal, draft, left, come, INTO_LOT)
    rows = [
        (bucket_of(half.id), half.id, leg.lot, leg.points, leg.points)
        for half in (left, arrived)
        for leg in half.legs
    ]
    await connection.execute(REVERSED, *zip(*sorted(rows), strict=True))
    return Transferred(
        posting=taken,
        into_posting=given,
        holder=arrived.holder,
        receiver=left.holder,
        points=sum(leg.points for leg in left.legs),
        currency_no=left.currency_no,
    )


async def _read_lots(
    connection: Connection, journal: Journal, left: KeptPosting, arrived: KeptPosting
) -> dict[UUID, KeptLot]:
    wanted = [(leg.lot, half.holder) for half in (left, arrived) for leg in half.legs]
    ids, owners = zip(*wanted, strict=True)
    return await lots.read(connection, ids, owners, journal.today)


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


def _put_back(
    back: LotChanges,
    draft: UndoTransfer,
    sender: UUID,
    kept: KeptLot,
    leg: ReturnableLeg,
) -> Leg:
    if kept.live:
        return back.put_in(sender, kept.provenance, leg.points), leg.points, None
    # Without its clock: that has run out, or would end the grace before its day.
    grace = kept.provenance._replace(expires_on=draft.grace_expires_on, clock_no=NO_CLOCK)
    return back.put_in(sender, grace, leg.points), leg.points, leg.lot


def _add(
    journal: Journal, draft: UndoTransfer, half: KeptPosting, legs: list[Leg], direction: int
) -> UUID:
    return journal.add(
        kind=Kind.REVERSAL,
        holder=half.holder,
        till=draft.till._replace(receipt=None),
        currency_no=half.currency_no,
        direction=direction,
        legs=legs,
        account=Account.TRANSIT,
        reverses=half.id,
        reason=draft.reason,
    )
