"""What was paid for once, gifts and fees, beside the payments that Stripe has for them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from billing.gateway.shapes import Charge
from billing.subscriptions.unexplained import Kind, Unexplained
from coalition.kernel.database import transaction
from coalition.kernel.money import Money

MARKS = ("gift_id", "fee_id")
"""Keys of metadata by which Stripe's payments name what they are for."""

PAGE = 500

_SOLD = """
SELECT payment, bought_by::text AS member_id, amount_minor, currency FROM gift
WHERE payment = ANY ($1)
UNION ALL
SELECT payment, payer::text, amount_minor, currency FROM family_fee WHERE payment = ANY ($1)
"""
_UNPAID = """
WITH told AS (SELECT unnest($1::text[]) AS payment)
SELECT 'gift' AS what, payment, bought_by::text AS member_id, amount_minor, currency
FROM gift WHERE payment IS NOT NULL AND payment NOT IN (SELECT payment FROM told)
UNION ALL
SELECT 'fee', payment, payer::text, amount_minor, currency
FROM family_fee WHERE payment IS NOT NULL AND payment NOT IN (SELECT payment FROM told)
ORDER BY payment
"""


def is_marked(charge: Charge) -> bool:
    """Tell whether a payment says that it is for a gift or a fee."""
    return any(mark in charge.metadata for mark in MARKS)


async def compare(charges: Sequence[Charge]) -> list[Unexplained]:
    """Return what differs between gifts and fees here and the payments that are for them."""
    found: list[Unexplained] = []
    for first in range(0, len(charges), PAGE):
        some = charges[first : first + PAGE]
        known = await _known([one.payment for one in some])
        found += [told for one in some if (told := _differs(one, known.get(one.payment)))]
    async with transaction() as connection:
        rows = await connection.fetch(_UNPAID, [one.payment for one in charges])
    return [*found, *(_unpaid(row) for row in rows)]


async def _known(payments: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    async with transaction() as connection:
        return {row["payment"]: row for row in await connection.fetch(_SOLD, list(payments))}


def _differs(charge: Charge, known: Mapping[str, Any] | None) -> Unexplained | None:
    """Tell how a payment differs from what it is for; one that went back whole is for nothing."""
    if known is None:
        return None if charge.is_refunded else unexplained(charge, "for a gift or fee of nobody's")
    money = Money(known["amount_minor"], known["currency"])
    if charge.amount == money:
        return None
    why = f"for what costs {money.amount_minor} {money.currency} here"
    return unexplained(charge, why, known["member_id"])


def unexplained(charge: Charge, why: str, member: str | None = None) -> Unexplained:
    """Return that a payment is not explained, and why; `member` is whose it is."""
    return Unexplained(
        id=charge.payment,
        kind=Kind.PAYMENT,
        customer_id=charge.customer_id,
        member_id=member,
        told=f"paid {charge.amount.amount_minor} {charge.amount.currency} {why}",
    )


def _unpaid(row: Mapping[str, Any]) -> Unexplained:
    money = f"{row['amount_minor']} {row['currency']}"
    return Unexplained(
        id=row["payment"],
        kind=Kind.ENTRY,
        member_id=row["member_id"],
        told=f"a {row['what']} is paid with {money} here, and Stripe has no such payment",
    )
