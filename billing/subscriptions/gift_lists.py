"""Gifts as staff see them: who bought which, and what became of it; never the code."""

from datetime import datetime
from uuid import UUID

import msgspec

from billing.plans.catalogue import Plans
from billing.subscriptions.views import GiftState
from coalition.kernel.database import Connection
from coalition.kernel.money import Money

_LATEST = """
SELECT id AS gift_id, bought_by, plan_no, months, amount_minor, currency, state, payment, made_at,
    paid_at, valid_until, redeemed_by, redeemed_at
FROM gift
WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR $2 IN (bought_by, redeemed_by))
ORDER BY made_at DESC, id LIMIT $3
"""


class GiftRow(msgspec.Struct, frozen=True, kw_only=True):
    """A gift: `payment` is what it was paid with, by Stripe's id."""

    gift_id: UUID
    state: GiftState
    plan: str
    months: int
    price: Money
    bought_by: UUID
    made_at: datetime
    paid_at: datetime | None
    payment: str | None
    valid_until: datetime | None
    redeemed_by: UUID | None
    redeemed_at: datetime | None


async def listed(
    connection: Connection,
    plans: Plans,
    *,
    state: str | None,
    member: UUID | None,
    most: int,
) -> list[GiftRow]:
    """Return gifts, the latest first: in one state, or that a member bought or redeemed."""
    found = [dict(row) for row in await connection.fetch(_LATEST, state, member, most)]
    for row in found:
        row["plan"] = plans.plan(row.pop("plan_no")).code
        row["price"] = Money(row.pop("amount_minor"), row.pop("currency"))
    return [msgspec.convert(row, GiftRow) for row in found]
