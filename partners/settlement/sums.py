"""What is booked for a partner's periods, as groups: charges and adjustments by hand.

Drained charges come from the totals per tariff and shard, so their number does not matter. What
still waits for a drain becomes groups in `waiting`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import localcontext

import asyncpg

from coalition.kernel.database import Connection
from coalition.ledger.money import EXACT
from partners.settlement.kinds import ChargeKind
from partners.settlement.pricing import Charge, exact
from partners.settlement.rules import Fee, FeeOf, Group, major

Groups = Mapping[int, list[Group]]
"""Groups by the number of the period in which they are booked."""

# The VAT of the book is rounded as prices are: at twelve places, per point.
_DRAINED = """
SELECT period_no, kind, contract_no, currency, vat_code, vat_rate, origin_no,
       sum(CASE WHEN counts_points THEN total.points ELSE 0 END)::int8 AS points,
       sum(total.charges)::int8 AS charges,
       sum(total.points * unit_price) AS exact,
       sum(total.points * round(unit_price * vat_rate, 12)) AS booked_vat
FROM tariff JOIN tariff_total AS total ON total.tariff = tariff.id
WHERE tariff.partner_no = $1 AND tariff.period_no = ANY($2::int4[])
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

_BY_HAND = """
SELECT period_no, contract_no, currency, vat_code, vat_rate, origin_no, amount_minor
FROM settlement_adjustment WHERE partner_no = $1 AND period_no = ANY($2::int4[])
ORDER BY id
"""

# The service fee of a period itself, as it was frozen when that period was closed.
_FEES = """
SELECT line.contract_no, line.origin_no, line.currency, line.points, line.exact
FROM statement_line AS line
JOIN statement ON statement.id = line.statement AND statement.period_no = line.origin_no
WHERE line.partner_no = $1 AND line.kind = $2 AND line.origin_no = ANY($3::int4[])
"""


async def booked(connection: Connection, partner_no: int, period_nos: Sequence[int]) -> Groups:
    """Return the groups of what is in the books for these periods of a partner."""
    groups: dict[int, list[Group]] = defaultdict(list)
    for row in await connection.fetch(_DRAINED, partner_no, period_nos):
        groups[row["period_no"]].append(_drained(row))
    for row in await connection.fetch(_BY_HAND, partner_no, period_nos):
        groups[row["period_no"]].append(_by_hand(row))
    return groups


async def frozen_fees(
    connection: Connection, partner_no: int, period_nos: Sequence[int]
) -> dict[FeeOf, Fee]:
    """Return the service fees of closed periods of a partner, each its own."""
    rows = await connection.fetch(_FEES, partner_no, ChargeKind.SERVICE_FEE, period_nos)
    return {FeeOf(row[0], row[1], row[2]): Fee(row[3], row[4]) for row in rows}


def _drained(row: asyncpg.Record) -> Group:
    return Group(
        kind=ChargeKind(row["kind"]),
        contract_no=row["contract_no"],
        currency=row["currency"],
        vat_code=row["vat_code"],
        vat_rate=row["vat_rate"],
        origin_no=row["origin_no"],
        points=row["points"],
        charges=row["charges"],
        exact=row["exact"],
        booked_vat=row["booked_vat"],
    )


def _by_hand(row: asyncpg.Record) -> Group:
    amount = major(row["amount_minor"], row["currency"])
    return Group(
        kind=ChargeKind.ADJUSTMENT,
        contract_no=row["contract_no"],
        currency=row["currency"],
        vat_code=row["vat_code"],
        vat_rate=row["vat_rate"],
        origin_no=row["origin_no"],
        charges=1,
        exact=amount,
        booked_vat=exact(amount * row["vat_rate"]),
    )


def priced(charge: Charge, *, points: int, charges: int) -> Group:
    """Return the group of `points` of a charge, as it is when it has been drained."""
    with localcontext(EXACT):
        amount = points * charge.unit_price
        vat = points * exact(charge.unit_price * charge.vat_rate)
    return Group(
        kind=charge.kind,
        contract_no=charge.contract_no,
        currency=charge.currency,
        vat_code=charge.vat_code,
        vat_rate=charge.vat_rate,
        origin_no=charge.origin_no,
        points=points if charge.counts_points else 0,
        charges=charges,
        exact=amount,
        booked_vat=vat,
    )
