"""What the drain and the close have booked, in the words of the replay."""

from fractions import Fraction

import asyncpg

from coalition.kernel.database import Connection
from partners.settlement.statements import Statement
from tests.properties.settlement.lines import Rounded
from tests.properties.settlement.replay import KINDS, Account, Key, Line

_NAMES = {number: name for name, number in KINDS.items()}

_LINES = """
SELECT partner_no, period_no, kind, contract_no, currency, vat_code, vat_rate, origin_no,
       sum(CASE WHEN counts_points THEN points ELSE 0 END)::int8 AS points,
       sum(points * unit_price) AS exact,
       sum(points * round(unit_price * vat_rate, 12)) AS vat
FROM tariff JOIN {totals} ON total.tariff = tariff.id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""

_FROM_TOTALS = "(SELECT tariff, points FROM tariff_total) AS total"
_FROM_CHARGES = "(SELECT tariff, points FROM charge) AS total"

_ACCOUNTS = """
SELECT account, money_entry.partner_no, currency, sum(amount) AS amount
FROM money_entry JOIN money_posting ON money_posting.id = posting
WHERE kind = ANY ($1) GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
"""

_CLOSED = "SELECT period_no FROM statement WHERE partner_no = $1 AND closed_at IS NOT NULL"

_FROZEN = """
SELECT statement.partner_no, period_no, kind, contract_no, currency, vat_code, vat_rate, origin_no,
       points, exact, amount_minor, vat_minor
FROM statement_line JOIN statement ON statement.id = statement_line.statement
WHERE statement.partner_no = $1
"""


async def lines(connection: Connection, *, from_charges: bool = False) -> dict[Key, Line]:
    """Return the groups of what was drained, by its totals or charge by charge."""
    query = _LINES.format(totals=_FROM_CHARGES if from_charges else _FROM_TOTALS)
    return {
        _key(row): Line(row["points"], Fraction(row["exact"]), Fraction(row["vat"]))
        for row in await connection.fetch(query)
    }


async def accounts(connection: Connection, kinds: list[int]) -> dict[Account, Fraction]:
    """Return what the accounts of the money book come to by postings of some kinds."""
    rows = await connection.fetch(_ACCOUNTS, kinds)
    return {Account(row[0], row[1], row[2]): Fraction(row[3]) for row in rows}


async def frozen(connection: Connection, partner: int) -> dict[int, dict[Key, Rounded]]:
    """Return the lines of a partner's closed statements, by period."""
    closed = await connection.fetch(_CLOSED, partner)
    found: dict[int, dict[Key, Rounded]] = {row[0]: {} for row in closed}
    for row in await connection.fetch(_FROZEN, partner):
        exact = Fraction(row["exact"])
        line = Rounded(row["points"], exact, row["amount_minor"], row["vat_minor"])
        found[row["period_no"]][_key(row)] = line
    return found


def rounded(partner: int, statement: Statement) -> dict[Key, Rounded]:
    """Return the lines of a statement that is not frozen."""
    no = statement.head.period.no
    return {
        Key(
            partner,
            no,
            _NAMES[line.kind],
            line.contract_no,
            line.currency,
            line.vat_code,
            Fraction(line.vat_rate),
            line.origin_no,
        ): Rounded(line.points, Fraction(line.exact), line.amount_minor, line.vat_minor)
        for line in statement.lines
    }


def _key(row: asyncpg.Record) -> Key:
    return Key(row[0], row[1], _NAMES[row[2]], row[3], row[4], row[5], Fraction(row[6]), row[7])
