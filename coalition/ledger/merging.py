"""Merging: everything of one holder goes over to another who is the same person.

Points go lot by lot into lots of the same provenance. What leaves the one and what reaches the
other are two postings that name each other, since the two may lie on two servers; both are made in
one transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import bucket_of, uuid7
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import clocks, ended, holders, kept_shares, lots
from coalition.ledger.accounts import HolderState, Kind
from coalition.ledger.halves import add_pair
from coalition.ledger.journal import Journal, Leg, in_parts
from coalition.ledger.lots import LotChanges
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import counterpart, last_lot, lowest_lot, of_its_own
from coalition.ledger.refusals import HolderHasHolds, MergeWithItself

LEGS_AT_MOST = 1000
"""How many lots one half moves; a holder of more has several pairs."""

_LOTS = """
SELECT id, points_in - points_out - held AS points, held FROM lot
WHERE bucket = $1 AND id BETWEEN $2 AND $3 AND holder = $4 AND points_in > points_out
ORDER BY id
"""

_DEBTS = """
SELECT posting, lot, currency_no, issuer_no, contract_no, funder_no, issue_price, recover_percent,
       made_at, booked - recovered - written_off - moved AS open
FROM debt WHERE bucket = $1 AND holder = $2 AND recovered + written_off + moved < booked
ORDER BY made_at, posting, lot
"""

_MOVE_DEBTS = """
UPDATE debt SET moved = debt.moved + gone.points
FROM unnest($2::uuid[], $3::uuid[], $4::int8[]) AS gone (posting, lot, points)
WHERE debt.bucket = $1 AND debt.posting = gone.posting AND debt.lot = gone.lot
"""

_MOVED_ENTRIES = """
INSERT INTO debt_entry (bucket, id, debt, lot, kind, points, made_at, reason)
SELECT $1, id, posting, lot, 4, points, $2, $3
FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::int4[]) AS gone (id, posting, lot, points)
"""

_NEW_DEBTS = """
INSERT INTO debt (bucket, posting, lot, holder, currency_no, issuer_no, contract_no, funder_no,
                  issue_price, recover_percent, made_at, booked, recovered, written_off, moved)
SELECT $1, posting, lot, $2, currency_no, issuer_no, contract_no, funder_no,
       issue_price, recover_percent, made_at, booked, 0, 0, 0
FROM unnest($3::uuid[], $4::uuid[], $5::int2[], $6::int4[], $7::int4[], $8::int4[], $9::numeric[],
            $10::int2[], $11::timestamptz[], $12::int8[])
     AS taken (posting, lot, currency_no, issuer_no, contract_no, funder_no,
               issue_price, recover_percent, made_at, booked)
ON CONFLICT (bucket, posting, lot) DO UPDATE SET booked = debt.booked + excluded.booked
"""

_NEW_ENTRIES = """
INSERT INTO debt_entry (bucket, id, debt, lot, kind, points, made_at, reason)
SELECT $1, id, posting, lot, 1, points, $2, $3
FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::int4[]) AS taken (id, posting, lot, points)
"""

_CLOSE = """
UPDATE holder SET state = $3, merged_into = $4 WHERE bucket = $1 AND id = $2
"""

_SUSPEND = """
UPDATE holder SET expiry_suspended_until = greatest(expiry_suspended_until, $3)
WHERE bucket = $1 AND id = $2
"""

_OWES = "UPDATE holder SET owes = owes + $3 WHERE bucket = $1 AND id = $2"

# A lot's id begins as its holder's does.
_LATE = """
SELECT holder.id, holder.merged_into FROM holder
WHERE merged_into IS NOT NULL AND EXISTS (
    SELECT FROM lot
    WHERE lot.bucket = holder.bucket AND lot.holder = holder.id AND points_in > points_out
      AND lot.id BETWEEN (left(holder.id::text, 18) || '-0000-000000000000')::uuid
                     AND (left(holder.id::text, 18) || '-ffff-ffffffffffff')::uuid)
ORDER BY holder.bucket, holder.id LIMIT $1
"""

_LATE_AT_MOST = 1000


class MergeOutcome(msgspec.Struct, frozen=True):
    """What went over: points of all currencies, the pairs of postings, and what is owed."""

    points: int
    postings: tuple[tuple[UUID, UUID], ...]
    """Of each pair the half that left and the half that arrived."""
    owed: int


async def merge(
    connection: Connection, *, from_holder: UUID, into_holder: UUID, at: datetime, today: date
) -> MergeOutcome:
    """Move lots, debts and clocks of `from_holder` to `into_holder`, and close the first for good.

    The caller holds the transaction, and `ensure_partition(at)` came before it; `today` is the day
    of `at` in the coalition's zone. What has ended is booked as expired first. Afterwards the first
    refuses everything with `HolderMerged`, also a second merge. Raises `UnknownHolder`,
    `HolderNotActive`, `HolderMerged`, `HolderHasHolds` or `MergeWithItself`.
    """
    if from_holder == into_holder:
        raise MergeWithItself
    states = await holders.lock(connection, (from_holder, into_holder))
    for holder in (from_holder, into_holder):
        refusal = holders.refusal_by_state(states, holder)
        if refusal is not None:
            raise refusal
    journal = Journal(at, today)
    await ended.book_ended(connection, journal, (from_holder, into_holder))
    postings, points = await _move_lots(connection, journal, from_holder, into_holder)
    await clocks.take_over(connection, from_holder=from_holder, into_holder=into_holder)
    owed = await move_debts(connection, from_holder, into_holder, at)
    await journal.write(connection)
    await connection.execute(
        _CLOSE, bucket_of(from_holder), from_holder, HolderState.CLOSED, into_holder
    )
    suspended = states[from_holder].suspended_until
    await connection.execute(_SUSPEND, bucket_of(into_holder), into_holder, suspended)
    until = states[into_holder].suspended_until
    await kept_shares.take_over(
        connection, from_holder=from_holder, into_holder=into_holder, until=until
    )
    return MergeOutcome(points, postings, owed)


async def forward_late(at: datetime, today: date) -> int:
    """Move what reached holders after they were merged to those who took over; return the points.

    An issue does not lock its holder, so one that was under way may commit after the merge. It
    takes seconds at most; every later one is refused. Running it again moves nothing twice, and
    what is over the thousand holders of one run.
    """
    await ensure_partition(at)
    async with transaction() as connection:
        late = [(row[0], row[1]) for row in await connection.fetch(_LATE, _LATE_AT_MOST)]
    points = 0
    for from_holder, into_holder in late:

        async def move(from_holder: UUID = from_holder, into_holder: UUID = into_holder) -> int:
            async with transaction() as connection:
                await holders.lock(connection, (from_holder, into_holder))
                journal = Journal(at, today)
                moved = await move_late(connection, journal, from_holder, into_holder)
                await journal.write(connection)
                return moved

        points += await retrying(move)
    return points


async def move_late(
    connection: Connection, journal: Journal, from_holder: UUID, into_holder: UUID
) -> int:
    """Move what has reached `from_holder` since it was merged into the other; return the points.

    Both are locked, and the caller writes the journal. Where nothing has, nothing is done.
    """
    if not await connection.fetch(_LOTS, *_lots_of(from_holder)):
        return 0
    await ended.book_ended(connection, journal, (from_holder, into_holder))
    _, moved = await _move_lots(connection, journal, from_holder, into_holder)
    await clocks.take_over(connection, from_holder=from_holder, into_holder=into_holder)
    return moved


async def _move_lots(
    connection: Connection, journal: Journal, from_holder: UUID, into_holder: UUID
) -> tuple[tuple[tuple[UUID, UUID], ...], int]:
    rows = await connection.fetch(_LOTS, *_lots_of(from_holder))
    if any(row["held"] for row in rows):
        raise HolderHasHolds
    kept = await lots.read(
        connection, [row["id"] for row in rows], [from_holder] * len(rows), journal.today
    )
    out, into = LotChanges(), LotChanges()
    legs: dict[int, list[tuple[Leg, Leg]]] = defaultdict(list)
    for row in rows:
        lot, provenance = row["id"], kept[row["id"]].provenance
        out.take_out(lot, from_holder, points=row["points"])
        target = into.put_in(into_holder, of_its_own(provenance, into_holder), row["points"])
        for part in in_parts(row["points"]):
            legs[provenance.currency_no].append(((lot, part, None), (target, part, None)))
    await out.write(connection)
    await into.write(connection)
    pairs = tuple(
        add_pair(journal, Kind.MERGE, (from_holder, into_holder), currency_no, chunk)
        for currency_no, all_legs in sorted(legs.items())
        for chunk in _chunks(all_legs)
    )
    return pairs, sum(row["points"] for row in rows)


def _lots_of(holder: UUID) -> tuple[int, UUID, UUID, UUID]:
    return bucket_of(holder), lowest_lot(holder), last_lot(holder), holder


def _chunks(legs: Iterable[tuple[Leg, Leg]]) -> Iterator[list[tuple[Leg, Leg]]]:
    """Cut `legs` into what a posting can carry."""
    chunk: list[tuple[Leg, Leg]] = []
    points = 0
    for pair in legs:
        points += pair[0][1]
        if chunk and (points > POINTS_MAX or len(chunk) == LEGS_AT_MOST):
            yield chunk
            chunk, points = [], pair[0][1]
        chunk.append(pair)
    yield chunk


async def move_debts(
    connection: Connection, from_holder: UUID, into_holder: UUID, at: datetime
) -> int:
    """Let `into_holder` owe what `from_holder` does, both locked; return the points.

    A debt that went over is a row of its own, named by the same issue and by the lot in which the
    new holder would have those points; what goes over later of the same issue is added to it.
    """
    bucket, new_bucket = bucket_of(from_holder), bucket_of(into_holder)
    debts = await connection.fetch(_DEBTS, bucket, from_holder)
    if not debts:
        return 0
    old_lots = [row["lot"] for row in debts]
    new_lots = [counterpart(lot, into_holder) for lot in old_lots]
    issues = [row["posting"] for row in debts]
    points = [row["open"] for row in debts]
    await connection.execute(_MOVE_DEBTS, bucket, issues, old_lots, points)
    columns = zip(*(tuple(row)[2:] for row in debts), strict=True)
    await connection.execute(_NEW_DEBTS, new_bucket, into_holder, issues, new_lots, *columns)
    for statement, where, lots_there, reason in (
        (_MOVED_ENTRIES, bucket, old_lots, f"merged into {into_holder}"),
        (_NEW_ENTRIES, new_bucket, new_lots, f"merged from {from_holder}"),
    ):
        entries = [
            (uuid7(at, where), issue, lot, part)
            for issue, lot, whole in zip(issues, lots_there, points, strict=True)
            for part in in_parts(whole)
        ]
        await connection.execute(statement, where, at, reason, *zip(*entries, strict=True))
    owed: int = sum(points)
    await connection.execute(_OWES, bucket, from_holder, -owed)
    await connection.execute(_OWES, new_bucket, into_holder, owed)
    return owed
