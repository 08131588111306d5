"""New holds: what a stage reserves, written together when all of it is known."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from coalition.kernel.database.later import Executes
from coalition.kernel.ids import bucket_of, uuid7
from coalition.ledger.accounts import HoldState
from coalition.ledger.drafts import Held, Till
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges

_HOLDS = """
INSERT INTO hold (bucket, id, holder, partner_no, store_no, client_no, receipt, currency_no, points,
                  state, business_day, occurred_at, made_at, expires_at, cashier)
SELECT bucket, id, holder, partner_no, store_no, client_no, receipt, currency_no, points, $1,
       business_day, occurred_at, $2, expires_at, cashier
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::int4[], $7::int4[], $8::int4[], $9::text[],
            $10::int2[], $11::int4[], $12::date[], $13::timestamptz[], $14::timestamptz[],
            $15::text[])
     AS made (bucket, id, holder, partner_no, store_no, client_no, receipt, currency_no, points,
              business_day, occurred_at, expires_at, cashier)
"""

_HOLD_LEGS = """
INSERT INTO hold_leg (bucket, hold, lot, points)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[])
"""


class Holds:
    """Holds of one stage; nothing of them is posted."""

    def __init__(self, journal: Journal, changes: LotChanges) -> None:
        """Begin without any; what they reserve is held in `changes`, which the caller writes."""
        self._journal = journal
        self._changes = changes
        self._holds: list[tuple[object, ...]] = []
        self._legs: list[tuple[object, ...]] = []

    def add(
        self,
        holder: UUID,
        till: Till,
        currency_no: int,
        legs: Sequence[tuple[UUID, int]],
        *,
        expires_at: datetime,
    ) -> Held:
        """Reserve points of lots, each named once, until `expires_at`; the till has a receipt."""
        bucket = bucket_of(holder)
        made = uuid7(self._journal.at, bucket)
        points = sum([part for _, part in legs])
        self._holds.append(
            (
                bucket, made, holder, till.partner_no, till.store_no, till.client_no, till.receipt,
                currency_no, points, till.business_day, till.occurred_at, expires_at, till.cashier,
            )
        )  # fmt: skip
        for lot, part in legs:
            self._changes.take_out(lot, holder, held=part)
            self._legs.append((bucket, made, lot, part))
        return Held(made, holder, points, expires_at, currency_no)

    async def write(self, by: Executes) -> None:
        """Write the holds."""
        if self._holds:
            rows = zip(*self._holds, strict=True)
            await by.execute(_HOLDS, HoldState.OPEN, self._journal.at, *rows)
            await by.execute(_HOLD_LEGS, *zip(*self._legs, strict=True))
