"""What a line of a statement is made of, and how the periods that it names are called."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from partners.settlement.kinds import ChargeKind
from partners.settlement.rules import Line

_NAMES = "SELECT no, name FROM settlement_period WHERE partner_no = $1 AND no = ANY ($2::int4[])"

_TARIFFS = """
SELECT id, unit_price FROM tariff
WHERE partner_no = $1 AND period_no = $2 AND origin_no = $3 AND kind = $4 AND contract_no = $5
  AND currency = $6 AND vat_code = $7 AND vat_rate = $8
"""

_BY_HAND = """
SELECT id, currency, amount_minor, reason, {persons} FROM settlement_adjustment
WHERE partner_no = $1 AND period_no = $2 AND origin_no = $3 AND contract_no = $4
  AND currency = $5 AND vat_code = $6 AND vat_rate = $7
ORDER BY id
"""
_BY_HAND_TOLD = _BY_HAND.format(persons="'', ''")
_BY_WHOM = _BY_HAND.format(persons="prepared_by, approved_by")


class ByHand(NamedTuple):
    """Money that two persons charged or gave, in whole minor units; partners are not told who."""

    id: UUID
    currency: str
    amount_minor: int
    reason: str
    prepared_by: str
    approved_by: str


async def period_names(
    connection: Connection, partner_no: int, numbers: Iterable[int]
) -> dict[int, str]:
    """Return the names of a partner's periods by number."""
    return dict(await connection.fetch(_NAMES, partner_no, sorted(set(numbers))))


async def tariffs_of(
    connection: Connection, partner_no: int, period_no: int, line: Line
) -> dict[UUID, Decimal]:
    """Return the tariffs that a line is the sum of, with their unit prices."""
    group = (
        *(line.origin_no, line.kind, line.contract_no),
        *(line.currency, line.vat_code, line.vat_rate),
    )
    return dict(await connection.fetch(_TARIFFS, partner_no, period_no, *group))


async def by_hand(
    connection: Connection, partner_no: int, period_no: int, line: Line, *, names_staff: bool = True
) -> list[ByHand]:
    """Return the money by hand in a line; only lines of adjustments have any.

    Under the role of tenants it can be read without the names of staff only.
    """
    if line.kind != ChargeKind.ADJUSTMENT:
        return []
    group = line.origin_no, line.contract_no, line.currency, line.vat_code, line.vat_rate
    rows = await connection.fetch(
        _BY_WHOM if names_staff else _BY_HAND_TOLD, partner_no, period_no, *group
    )
    return [ByHand._make(row) for row in rows]
