"""Debts: points of a reversed issue that were spent before, until later points pay for them.

A debt is one row per leg of the issue that was reversed, named by the issue and its lot; entries
say how it came to be and what became of it. The holder's row carries what is open of all its debts.
Everything here happens under the lock of the holder. No points move: recoveries.py does that.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, uuid7
from coalition.ledger import holders
from coalition.ledger.accounts import DebtEntry
from coalition.ledger.provenance import Provenance
from coalition.ledger.refusals import NothingOwed, UnknownHolder

_OPEN = """
SELECT kept.holder, kept.posting, kept.lot, kept.currency_no, kept.issuer_no, kept.recover_percent,
       kept.made_at, booked - recovered - written_off - moved
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, holder), LATERAL (
    SELECT * FROM debt
    WHERE debt.bucket = wanted.bucket AND debt.holder = wanted.holder
      AND recovered + written_off + moved < booked
    OFFSET 0) AS kept
ORDER BY kept.made_at, kept.posting, kept.lot
"""

_LIST = """
SELECT holder, posting, currency_no, issuer_no, recover_percent, min(made_at) AS made_at,
       sum(booked)::int8 AS booked, sum(recovered)::int8 AS recovered,
       sum(written_off)::int8 AS written_off, sum(moved)::int8 AS moved
FROM debt
WHERE recovered + written_off + moved < booked
  AND ($1::int2 IS NULL OR (bucket = $1 AND holder = $2))
GROUP BY holder, posting, currency_no, issuer_no, recover_percent
ORDER BY made_at, posting LIMIT $3
"""

_BOOK = """
INSERT INTO debt AS kept (bucket, posting, lot, holder, currency_no, issuer_no, contract_no,
                          funder_no, issue_price, recover_percent, made_at, booked, recovered,
                          written_off, moved)
SELECT bucket, posting, lot, holder, currency_no, issuer_no, contract_no, funder_no, issue_price,
       recover_percent, $1, points, 0, 0, 0
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int2[], $7::int4[], $8::int4[],
            $9::int4[], $10::numeric[], $11::int2[], $12::int8[])
     AS booked (bucket, posting, lot, holder, currency_no, issuer_no, contract_no, funder_no,
                issue_price, recover_percent, points)
ON CONFLICT (bucket, posting, lot) DO UPDATE SET booked = kept.booked + excluded.booked
"""

_SETTLE = """
UPDATE debt SET recovered = debt.recovered + settled.recovered,
                written_off = debt.written_off + settled.written_off
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int8[], $5::int8[])
     AS settled (bucket, posting, lot, recovered, written_off)
WHERE debt.bucket = settled.bucket AND debt.posting = settled.posting AND debt.lot = settled.lot
"""

_ENTRIES = """
INSERT INTO debt_entry (bucket, id, debt, lot, kind, points, posting, made_at, actor, reason)
SELECT bucket, id, debt, lot, kind, points, posting, $1, actor, reason
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int2[], $7::int4[], $8::uuid[],
            $9::text[], $10::text[])
     AS made (bucket, id, debt, lot, kind, points, posting, actor, reason)
"""

_OWES = """
UPDATE holder SET owes = holder.owes + changed.points
FROM unnest($1::int2[], $2::uuid[], $3::int8[]) AS changed (bucket, id, points)
WHERE holder.bucket = changed.bucket AND holder.id = changed.id
"""


class Debt(NamedTuple):
    """What is open of a debt: points of one leg of one issue."""

    holder: UUID
    posting: UUID
    """The issue that was reversed."""
    lot: UUID
    currency_no: int
    issuer_no: int
    recover_percent: int
    """How much of each later issue it takes; 0 waits for staff."""
    made_at: datetime
    points: int


class Payment(NamedTuple):
    """Points that settle some of a debt."""

    debt: Debt
    points: int


def chosen(
    owed: Sequence[Debt], *, issue: UUID | None, points: int | None
) -> list[Debt] | NothingOwed:
    """Return the debts that `issue` left, or all, if they come to the `points` or to any."""
    found = [debt for debt in owed if issue in {None, debt.posting}]
    remaining = sum(debt.points for debt in found)
    if remaining < (points or 1):
        return NothingOwed(
            f"{remaining} points are owed here; ask for at most that", remaining=remaining
        )
    return found


def pay_in_order(owed: Sequence[Debt], points: int) -> list[Payment]:
    """Return how `points`, at most what is owed, are spread over debts in their order."""
    payments = []
    for debt in owed:
        part = min(debt.points, points)
        if part:
            payments.append(Payment(debt, part))
            points -= part
    assert not points, "nobody pays more than is owed"
    return payments


async def write_off(
    connection: Connection,
    holder: UUID,
    *,
    currency_no: int,
    points: int | None,
    issue: UUID | None,
    actor: str,
    reason: str,
    at: datetime,
) -> int:
    """Let nobody owe `points` (None: all) of what `holder` owes; return how many points those are.

    The oldest debt goes first, or only the one that `issue` left. No points move, so the holder may
    be frozen or closed. Raises `UnknownHolder` and `NothingOwed`.
    """
    if holder not in await holders.lock(connection, [holder]):
        raise UnknownHolder
    owed = (await read_open(connection, [holder])).get(holder, [])
    found = chosen(
        [debt for debt in owed if debt.currency_no == currency_no], issue=issue, points=points
    )
    if isinstance(found, NothingOwed):
        raise found
    wanted = points or sum(debt.points for debt in found)
    changes = DebtChanges(at)
    for debt, part in pay_in_order(found, wanted):
        changes.write_off(debt, part, actor=actor, reason=reason)
    await changes.write(connection)
    return wanted


async def read_open(connection: Connection, wanted: Iterable[UUID]) -> dict[UUID, list[Debt]]:
    """Return the open debts of those holders of `wanted` that have any, the oldest first."""
    ordered = sorted(wanted, key=lambda holder: (bucket_of(holder), holder.bytes))
    found: dict[UUID, list[Debt]] = {}
    for row in await connection.fetch(_OPEN, [bucket_of(holder) for holder in ordered], ordered):
        found.setdefault(row[0], []).append(Debt._make(row))
    return found


class ListedDebt(NamedTuple):
    """What a reversed issue left open, over all of its legs."""

    holder: UUID
    posting: UUID
    currency_no: int
    issuer_no: int
    recover_percent: int
    made_at: datetime
    booked: int
    recovered: int
    written_off: int
    moved: int

    @property
    def points(self) -> int:
        """Return what is still owed."""
        return self.booked - self.recovered - self.written_off - self.moved


async def list_open(
    connection: Connection, *, holder: UUID | None = None, limit: int = 1000
) -> list[ListedDebt]:
    """Return at most `limit` open debts of a holder, or of all, the oldest first."""
    bucket = None if holder is None else bucket_of(holder)
    return [ListedDebt._make(row) for row in await connection.fetch(_LIST, bucket, holder, limit)]


class DebtChanges:
    """Changes to debts of locked holders, added up so that each row is touched once."""

    def __init__(self, at: datetime) -> None:
        """Start without changes; what is written is dated `at`."""
        self._at = at
        self._booked: dict[tuple[int, bytes, bytes], list[object]] = {}
        self._settled: dict[tuple[int, bytes, bytes], list[object]] = {}
        self._entries: list[tuple[object, ...]] = []
        self._owes: dict[UUID, int] = {}

    def book(
        self,
        holder: UUID,
        issue: UUID,
        lot: UUID,
        *,
        provenance: Provenance,
        recover_percent: int,
        points: int,
        reversal: UUID | None,
    ) -> None:
        """Let `holder` owe `points` of the leg of `issue` that went into `lot`.

        `reversal` is the posting that took the unspent points back, if there were any.
        """
        bucket = bucket_of(holder)
        row = self._booked.setdefault(
            (bucket, issue.bytes, lot.bytes),
            [
                bucket, issue, lot, holder, provenance.currency_no, provenance.issuer_no,
                provenance.contract_no, provenance.funder_no, provenance.issue_price,
                recover_percent, 0,
            ],
        )  # fmt: skip
        row[-1] = _sum(row[-1], points)
        self._enter((holder, issue, lot), DebtEntry.BOOKED, points, posting=reversal)
        self._owes[holder] = self._owes.get(holder, 0) + points

    def recover(self, debt: Debt, points: int, recovery: UUID) -> None:
        """Let the posting `recovery` pay `points` of `debt`."""
        self._settle(debt, recovered=points)
        self._enter(debt[:3], DebtEntry.RECOVERED, points, posting=recovery)

    def write_off(self, debt: Debt, points: int, *, actor: str, reason: str) -> None:
        """Let nobody owe `points` of `debt` any more, as `actor` decided."""
        self._settle(debt, written_off=points)
        self._enter(debt[:3], DebtEntry.WRITTEN_OFF, points, actor=actor, reason=reason)

    def holders(self) -> Collection[UUID]:
        """Return whose debts change."""
        return self._owes.keys()

    async def write(self, connection: Connection) -> None:
        """Write the changes in the order of their keys; nothing for none."""
        if not self._owes:
            return
        if self._booked:
            rows = [row for _, row in sorted(self._booked.items())]
            await connection.execute(_BOOK, self._at, *zip(*rows, strict=True))
        if self._settled:
            rows = [row for _, row in sorted(self._settled.items())]
            done = await connection.execute(_SETTLE, *zip(*rows, strict=True))
            assert done == f"UPDATE {len(rows)}", "a debt of a locked holder has gone"
        await connection.execute(_ENTRIES, self._at, *zip(*self._entries, strict=True))
        owes = sorted((bucket_of(one), one.bytes, one, owed) for one, owed in self._owes.items())
        buckets, _, holders, points = zip(*owes, strict=True)
        done = await connection.execute(_OWES, buckets, holders, points)
        assert done == f"UPDATE {len(owes)}", "a locked holder has gone"

    def _settle(self, debt: Debt, *, recovered: int = 0, written_off: int = 0) -> None:
        bucket = bucket_of(debt.holder)
        row = self._settled.setdefault(
            (bucket, debt.posting.bytes, debt.lot.bytes), [bucket, debt.posting, debt.lot, 0, 0]
        )
        row[3], row[4] = _sum(row[3], recovered), _sum(row[4], written_off)
        self._owes[debt.holder] = self._owes.get(debt.holder, 0) - recovered - written_off

    def _enter(
        self,
        debt: tuple[UUID, UUID, UUID],
        kind: DebtEntry,
        points: int,
        *,
        posting: UUID | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> None:
        holder, issue, lot = debt
        bucket = bucket_of(holder)
        entry = uuid7(self._at, bucket)
        self._entries.append((bucket, entry, issue, lot, kind, points, posting, actor, reason))


def _sum(one: object, other: int) -> int:
    assert isinstance(one, int), "a column of points"
    return one + other
