"""The SQL of a partner's own statements; every connection sees the rows of one tenant only."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from partners.settlement.rules import Total

_PAGE = """
SELECT period.no, period.name, period.starts_at, period.ends_at, period.cut_off_at,
       coalesce(statement.state, 'open') AS state, statement.id, statement.number
FROM settlement_period AS period
LEFT JOIN statement
    ON statement.partner_no = period.partner_no AND statement.period_no = period.no
WHERE period.partner_no = $1 AND period.starts_at <= $2
  AND ($3::text IS NULL OR coalesce(statement.state, 'open') = $3)
  AND ($4::text IS NULL OR period.name = $4)
  AND ($5::int4 IS NULL OR period.no < $5)
ORDER BY period.no DESC LIMIT $6
"""

_TOTALS = """
SELECT statement, currency, amount_minor, vat_minor, net_minor, points_funded, points_redeemed
FROM statement_total WHERE statement = ANY($1::uuid[]) ORDER BY statement, currency
"""

_LIMIT = """
SELECT partner_no, currency, blocked, exposure_minor, prepaid_minor, spent_minor, judged_at
FROM partner_limit WHERE partner_no = $1
"""


class Listed(NamedTuple):
    """A period of the partner and how far its statement has come."""

    period_no: int
    name: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    state: str
    statement: UUID | None
    number: int | None


class Limit(NamedTuple):
    """How much the partner owes or has prepaid, as of `judged_at`."""

    partner_no: int
    currency: str
    blocked: bool
    exposure_minor: int
    prepaid_minor: int
    spent_minor: int
    judged_at: datetime


async def page(
    connection: Connection,
    *,
    partner_no: int,
    at: datetime,
    state: str | None,
    name: str | None,
    before: int | None,
    limit: int,
) -> list[Listed]:
    """Return at most `limit` periods that have begun by `at`, the latest first."""
    rows = await connection.fetch(_PAGE, partner_no, at, state, name, before, limit)
    return [Listed._make(row) for row in rows]


async def totals(
    connection: Connection, statements: Sequence[UUID | None]
) -> dict[UUID | None, list[Total]]:
    """Return the totals of closed statements, by statement."""
    found: dict[UUID | None, list[Total]] = defaultdict(list)
    for statement, *total in await connection.fetch(_TOTALS, statements):
        fields = zip(Total.__struct_fields__, total, strict=True)
        found[statement].append(Total(**dict(fields)))
    return found


async def limit_of(connection: Connection, partner_no: int) -> Limit | None:
    """Return how much the partner owes or has prepaid; None where nothing was ever judged."""
    row = await connection.fetchrow(_LIMIT, partner_no)
    return None if row is None else Limit._make(row)
