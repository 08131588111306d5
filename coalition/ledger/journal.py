"""The postings of one batch: collected as rows, written at once with legs, deltas and feed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.database.meanwhile import meanwhile
from coalition.kernel.ids import bucket_of, ids_of, shard_of, uuid7
from coalition.kernel.money import POINTS_MAX
from coalition.ledger.accounts import Account, Kind
from coalition.ledger.classes import ONLY_BUILT_IN, LotClasses
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import Purchase, Till

# What postings of a batch have alike comes once and is looked up by its number: for the server that
# is cheaper than one more array beside the others.
_POSTINGS_ALIKE = """
INSERT INTO posting (bucket, id, holder, receipt, occurred_at, points, lot, purchase_minor, batch,
                     committed_at, kind, partner_no, store_no, client_no, currency_no, direction,
                     account, account_partner_no, reverses, purchase_currency, rule_no, reason,
                     cashier, linked)
SELECT bucket, id, holder, receipt, occurred_at, points, lot, purchase_minor, $1, $2,
       ($12::int2[])[source], ($13::int4[])[source], ($14::int4[])[source], ($15::int4[])[source],
       ($16::int2[])[source], ($17::int2[])[source], ($18::int2[])[source], ($19::int4[])[source],
       ($20::uuid[])[source], ($21::text[])[source], ($22::int4[])[source], ($23::text[])[source],
       ($24::text[])[source], ($25::uuid[])[source]
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::text[], $7::timestamptz[], $8::int4[],
            $9::uuid[], $10::int8[], $11::int4[])
     AS made (bucket, id, holder, receipt, occurred_at, points, lot, purchase_minor, source)
"""

_POSTINGS = """
INSERT INTO posting (bucket, id, holder, receipt, occurred_at, points, lot, purchase_minor, batch,
                     committed_at, kind, partner_no, store_no, client_no, currency_no, direction,
                     account, account_partner_no, reverses, purchase_currency, rule_no, reason,
                     cashier, linked)
SELECT bucket, id, holder, receipt, occurred_at, points, lot, purchase_minor, $1, $2, kind,
       partner_no, store_no, client_no, currency_no, direction, account, account_partner_no,
       reverses, purchase_currency, rule_no, reason, cashier, linked
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::text[], $7::timestamptz[], $8::int4[],
            $9::uuid[], $10::int8[], $11::int2[], $12::int4[], $13::int4[], $14::int4[],
            $15::int2[], $16::int2[], $17::int2[], $18::int4[], $19::uuid[], $20::text[],
            $21::int4[], $22::text[], $23::text[], $24::uuid[])
     AS made (bucket, id, holder, receipt, occurred_at, points, lot, purchase_minor, kind,
              partner_no, store_no, client_no, currency_no, direction, account, account_partner_no,
              reverses, purchase_currency, rule_no, reason, cashier, linked)
"""

_LEGS = """
INSERT INTO leg (bucket, posting, no, lot, points, direction, origin_lot)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::uuid[], $5::int4[], $6::int2[],
                     $7::uuid[])
"""

# None of these locks a row that another posting needs.
_DELTAS = """
INSERT INTO partner_delta (batch, partner_no, kind, direction, currency_no, points, postings)
SELECT $1, * FROM unnest($2::int4[], $3::int2[], $4::int2[], $5::int2[], $6::int8[], $7::int4[])
"""
_QUEUE = """
INSERT INTO settlement_queue (shard, batch, first_posting, last_posting, postings)
SELECT shard, $1, first_posting, last_posting, postings
FROM unnest($2::int2[], $3::uuid[], $4::uuid[], $5::int4[])
     AS queued (shard, first_posting, last_posting, postings)
"""

_BUCKET = itemgetter(0)
_OWN = 8
"""The first columns of a row are the posting's own; the others it has in common with many."""
_ALIKE_MOST = 32
"""With more combinations of the others, looking up costs more than arrays would."""

Leg = tuple[UUID, int, UUID | None]
"""A lot, the points that move, and the lot of the original leg where a return replaced it."""

_Row = tuple[
    int, UUID, UUID, str | None, datetime, int, UUID | None, int | None,
    Kind, int, int | None, int | None, int, int, Account,
    int, UUID | None, str | None, int | None, str | None, str | None, UUID | None,
]  # fmt: skip
"""The columns of `_POSTINGS`."""

_NO_PURCHASE = (None, None)
_EXPIRED, _EXCHANGED, _TRANSIT = Account.EXPIRED, Account.EXCHANGED, Account.TRANSIT
"""Accounts of the coalition as a whole: they name no partner."""


def in_parts(points: int) -> Iterator[int]:
    """Cut `points` of a lot, which may hold more, into what postings and legs can carry."""
    while points > POINTS_MAX:
        yield POINTS_MAX
        points -= POINTS_MAX
    yield points


class Journal:
    """Collects the postings of one batch until `write`."""

    def __init__(
        self,
        at: datetime,
        today: date,
        clocks: Sequence[Clock] = (),
        suspended: Collection[int] = (),
        classes: LotClasses = ONLY_BUILT_IN,
    ) -> None:
        """Open the journal of a batch committed at `at`, on the coalition's day `today`.

        Whoever spends needs all registered `clocks` and `classes`, and the funders whose points
        cannot be spent.
        """
        self.at = at
        self.today = today
        self.clocks = clocks
        self.suspended = suspended
        self.classes = classes
        self.batch = uuid7(at)
        self.active: set[tuple[UUID, int]] = set()
        """Whose clocks, of which point currency, are set back beside those of who acted."""
        self._new_id = ids_of(at)
        self._rows: list[_Row] = []
        self._legs: list[tuple[object, ...]] = []

    def add(
        self,
        *,
        kind: Kind,
        holder: UUID,
        till: Till,
        currency_no: int,
        direction: int,
        legs: list[Leg],
        account: Account,
        reverses: UUID | None = None,
        purchase: Purchase | None = None,
        rule_no: int | None = None,
        reason: str | None = None,
        linked: UUID | None = None,
        posting: UUID | None = None,
    ) -> UUID:
        """Add a posting that moves `legs` in one direction against one account; return its id.

        `linked` names the other half of a conversion or a merge, or the issue that a recovery pays
        for. `posting` is given where the id had to be known before.
        """
        bucket = bucket_of(holder)
        posting = posting or self._new_id(bucket)
        lot, points, origin_lot = legs[0]
        if len(legs) > 1 or origin_lot is not None:
            lot, points = None, 0  # type: ignore[assignment]  # the lots are in the legs
            for no, (leg_lot, leg_points, leg_origin) in enumerate(legs):
                row = (bucket, posting, no, leg_lot, leg_points, direction, leg_origin)
                self._legs.append(row)
                points += leg_points
        is_nobodys = account is _EXPIRED or account is _EXCHANGED or account is _TRANSIT
        account_partner_no = 0 if is_nobodys else till.partner_no
        purchase_minor, purchase_currency = _NO_PURCHASE
        if purchase is not None:
            purchase_minor, purchase_currency = purchase.amount_minor, purchase.currency
        self._rows.append(
            (
                bucket, posting, holder, till.receipt, till.occurred_at, points, lot,
                purchase_minor, kind, till.partner_no, till.store_no, till.client_no, currency_no,
                direction, account, account_partner_no, reverses, purchase_currency, rule_no,
                reason, till.cashier, linked,
            )
        )  # fmt: skip
        return posting

    def moves(self) -> Iterator[tuple[int, UUID, int]]:
        """Yield the kind, the holder and the point currency of each posting collected."""
        for row in self._rows:
            yield row[8], row[2], row[12]

    def expired_lots(self) -> Iterator[UUID]:
        """Yield the lot of each posting collected that books points as expired."""
        for row in self._rows:
            if row[8] == Kind.EXPIRE:
                assert row[6] is not None, "each lot expires by a posting of its own"
                yield row[6]

    def __len__(self) -> int:
        """Return how many postings have been collected."""
        return len(self._rows)

    async def write(
        self,
        connection: Connection,
        work: Callable[[], None] = lambda: None,
        later: Later | None = None,
        *,
        all_waits: bool = False,
    ) -> None:
        """Write everything collected, and do `work` meanwhile; an empty batch writes nothing.

        What goes with the postings is left to `later`, which the caller writes; so are they
        themselves where `all_waits`.
        """
        if not self._rows:
            work()
            return
        # Rows that come in the order of their key cost the server a tenth less.
        self._rows.sort(key=_BUCKET)
        columns = _columns(self._rows)
        statement = _POSTINGS
        given: Sequence[Sequence[Any]] = columns
        alike = _alike(columns[_OWN:])
        if alike is not None:
            numbers, kinds = alike
            statement, given = _POSTINGS_ALIKE, [*columns[:_OWN], numbers, *kinds]

        def told() -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
            work()
            return self._deltas(), self._queued()

        last = Later() if later is None else later
        if all_waits:
            await last.execute(statement, self.batch, self.at, *given)
            if last.locks_last:
                await last.begin(connection, with_counted=False)
            deltas, queued = told()
        else:
            inserted = connection.execute(statement, self.batch, self.at, *given)
            _, (deltas, queued) = await meanwhile(inserted, told)
        if self._legs:
            await last.execute(_LEGS, *_columns(self._legs))
        await last.execute(_DELTAS, self.batch, *deltas)
        await last.execute(_QUEUE, self.batch, *queued)
        if later is None:
            await last.write(connection)

    def _deltas(self) -> list[tuple[Any, ...]]:
        """Return the columns of what the partners' totals grow by."""
        deltas: dict[tuple[int, int, int, int], list[int]] = {}
        for row in self._rows:
            key = (row[9], row[8], row[13], row[12])
            delta = deltas.get(key)
            if delta is None:
                deltas[key] = [row[5], 1]
            else:
                delta[0] += row[5]
                delta[1] += 1
        return _columns([(*key, *delta) for key, delta in deltas.items()])

    def _queued(self) -> list[tuple[Any, ...]]:
        """Return the columns of what is told to settlement."""
        shards: dict[int, list[UUID]] = {}
        for row in self._rows:
            shards.setdefault(shard_of(row[0]), []).append(row[1])
        # Ids of one millisecond come in no order, so the first made need not be the least.
        return _columns([(shard, min(ids), max(ids), len(ids)) for shard, ids in shards.items()])


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


def _alike(
    columns: Sequence[tuple[Any, ...]],
) -> tuple[list[int], list[list[Any]]] | None:
    """Return the number (from 1) of each row's combination, and the columns of these in that order.

    None where they are too many.
    """
    rows = len(columns[0])
    differing = [
        column
        for column in columns
        if column[-1] != column[0] or column.count(column[0]) != rows  # mostly told by the last
    ]
    if not differing:
        return [1] * rows, [[column[0]] for column in columns]
    numbers: dict[tuple[Any, ...], int] = {}
    of_rows = [numbers.setdefault(row, len(numbers) + 1) for row in zip(*differing, strict=True)]
    if len(numbers) > _ALIKE_MOST:
        return None
    first = [of_rows.index(number) for number in numbers.values()]
    return of_rows, [list(map(column.__getitem__, first)) for column in columns]
