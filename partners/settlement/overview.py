"""How far each partner's settlement has come: what is open, what waits, what is done."""

from datetime import datetime

import msgspec

from coalition.kernel.database import Connection
from partners.settlement.kinds import OPERATOR

_STANDING = """
SELECT period.partner_no,
       max(period.name) FILTER (WHERE period.starts_at <= $1 AND $1 < period.ends_at) AS open,
       array_agg(period.name ORDER BY period.no) FILTER
           (WHERE period.ends_at <= $1 AND coalesce(statement.state, 'cut_off') = 'cut_off')
           AS to_seal,
       array_agg(period.name ORDER BY period.no) FILTER (WHERE statement.state = 'provisional')
           AS to_close,
       array_agg(period.name ORDER BY period.no) FILTER
           (WHERE statement.state = 'closed' AND total.is_of_money) AS to_net,
       count(*) FILTER (WHERE statement.state IN ('approved', 'paid')
           OR (statement.state = 'closed' AND NOT total.is_of_money)) AS settled
FROM settlement_period AS period
LEFT JOIN statement
    ON statement.partner_no = period.partner_no AND statement.period_no = period.no
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM statement_total WHERE statement_total.statement = statement.id)
) AS total (is_of_money)
WHERE period.starts_at <= $1
GROUP BY period.partner_no ORDER BY period.partner_no = $2, period.partner_no
"""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where one partner's periods stand; periods by name, the earliest first."""

    partner_no: int
    open: str | None
    """The period that is running; None only where none was written down yet."""
    to_seal: list[str]
    """Over, and not sealed in all shards; a contract may grant hours of grace."""
    to_close: list[str]
    """Sealed: the statement is provisional, and two persons close it."""
    to_net: list[str]
    """Closed and in no clearing cycle that was approved, though there is something to pay."""
    settled: int
    """How many are approved for payment, or paid, or closed with nothing on them."""


async def standings(connection: Connection, at: datetime) -> list[Standing]:
    """Return where the periods of every partner that has a contract stand, at last the operator's.

    The operator's own months are closed like all others: they hold what it pays as a funder.
    """
    return [
        Standing(
            partner_no=row["partner_no"],
            open=row["open"],
            to_seal=row["to_seal"] or [],
            to_close=row["to_close"] or [],
            to_net=row["to_net"] or [],
            settled=row["settled"],
        )
        for row in await connection.fetch(_STANDING, at, OPERATOR)
    ]
