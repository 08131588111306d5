"""The postings of one batch: collected as rows, written at once with legs, deltas and feed."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, shard_of, uuid7
from coalition.kernel.money import POINTS_MAX
from coalition.ledger.accounts import Account, Kind
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import Purchase, Till

_POSTINGS = """
INSERT INTO posting (bucket, id, batch, committed_at, kind, holder, partner_no, store_no, client_no,
                     receipt, occurred_at, currency_no, points, direction, lot, account,
                     account_partner_no, reverses, purchase_minor, purchase_currency, rule_no,
                     reason, cashier, linked)
SELECT bucket, id, $1, $2, kind, holder, partner_no, store_no, client_no,
       receipt, occurred_at, currency_no, points, direction, lot, account,
       account_partner_no, reverses, purchase_minor, purchase_currency, rule_no, reason, cashier,
       linked
FROM unnest($3::int2[], $4::uuid[], $5::int2[], $6::uuid[], $7::int4[], $8::int4[], $9::int4[],
            $10::text[], $11::timestamptz[], $12::int2[], $13::int4[], $14::int2[], $15::uuid[],
            $16::int2[], $17::int4[], $18::uuid[], $19::int8[], $20::text[], $21::int4[],
            $22::text[], $23::text[], $24::uuid[])
     AS made (bucket, id, kind, holder, partner_no, store_no, client_no,
              receipt, occurred_at, currency_no, points, direction, lot, account,
              account_partner_no, reverses, purchase_minor, purchase_currency, rule_no, reason,
              cashier, linked)
"""

_LEGS = """
INSERT INTO leg (bucket, posting, no, lot, points, direction, origin_lot)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::uuid[], $5::int4[], $6::int2[],
                     $7::uuid[])
"""

# Two appends in one statement: neither locks a row that another posting needs.
_FEED = """
WITH deltas AS (
    INSERT INTO partner_delta (batch, partner_no, kind, direction, currency_no, points, postings)
    SELECT $1, * FROM unnest($2::int4[], $3::int2[], $4::int2[], $5::int2[], $6::int8[], $7::int4[])
)
INSERT INTO settlement_queue (shard, batch, first_posting, last_posting, postings)
SELECT shard, $1, first_posting, last_posting, postings
FROM unnest($8::int2[], $9::uuid[], $10::uuid[], $11::int4[])
     AS queued (shard, first_posting, last_posting, postings)
"""

Leg = tuple[UUID, int, UUID | None]
"""A lot, the points that move, and the lot of the original leg where a return replaced it."""

_NO_PURCHASE = (None, None)
_NOBODYS = (Account.EXPIRED, Account.EXCHANGED, Account.TRANSIT)
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
    ) -> None:
        """Open the journal of a batch committed at `at`, on the coalition's day `today`.

        Whoever spends needs all registered `clocks`, and the funders whose points cannot be spent.
        """
        self.at = at
        self.today = today
        self.clocks = clocks
        self.suspended = suspended
        self.batch = uuid7(at)
        self._rows: list[tuple[object, ...]] = []
        self._legs: list[tuple[object, ...]] = []
        self._deltas: dict[tuple[int, int, int, int], list[int]] = {}
        self._shards: dict[int, list[UUID]] = {}

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
        posting = posting or uuid7(self.at, bucket)
        lot, points, origin_lot = legs[0]
        if len(legs) > 1 or origin_lot is not None:
            lot, points = None, 0  # type: ignore[assignment]  # the lots are in the legs
            for no, (leg_lot, leg_points, leg_origin) in enumerate(legs):
                row = (bucket, posting, no, leg_lot, leg_points, direction, leg_origin)
                self._legs.append(row)
                points += leg_points
        partner_no, store_no, client_no, receipt, _, occurred_at, cashier = till
        account_partner_no = 0 if account in _NOBODYS else partner_no
        self._rows.append(
            (
                bucket, posting, kind, holder, partner_no, store_no, client_no, receipt,
                occurred_at, currency_no, points, direction, lot, account, account_partner_no,
                reverses, *(purchase or _NO_PURCHASE), rule_no, reason,
                cashier, linked,
            )
        )  # fmt: skip
        key = (partner_no, kind, direction, currency_no)
        delta = self._deltas.get(key)
        if delta is None:
            self._deltas[key] = [points, 1]
        else:
            delta[0] += points
            delta[1] += 1
        self._shards.setdefault(shard_of(bucket), []).append(posting)
        return posting

    def moves(self) -> Iterator[tuple[int, UUID, int]]:
        """Yield the kind, the holder and the point currency of each posting collected."""
        for row in self._rows:
            yield row[2], row[3], row[9]  # type: ignore[misc]  # the columns of `add`

    def expired_lots(self) -> Iterator[UUID]:
        """Yield the lot of each posting collected that books points as expired."""
        for row in self._rows:
            if row[2] == Kind.EXPIRE:
                yield row[12]  # type: ignore[misc]  # the columns of `add`

    def __len__(self) -> int:
        """Return how many postings have been collected."""
        return len(self._rows)

    async def write(self, connection: Connection) -> None:
        """Write everything collected; nothing is written for an empty batch."""
        if not self._rows:
            return
        await connection.execute(_POSTINGS, self.batch, self.at, *_columns(self._rows))
        if self._legs:
            await connection.execute(_LEGS, *_columns(self._legs))
        deltas = _columns([(*key, *delta) for key, delta in self._deltas.items()])
        # Ids of one millisecond come in no order, so the first made need not be the least.
        shards = _columns(
            [(shard, min(ids), max(ids), len(ids)) for shard, ids in self._shards.items()]
        )
        await connection.execute(_FEED, self.batch, *deltas, *shards)


def _columns(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return list(zip(*rows, strict=True))
