"""The money book: exact double entry, beside the points. Entries are facts; nothing is edited.

Debits are positive: what stands above zero on a partner's account is what that partner owes.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import uuid7

PLACES = Decimal("0.000000000001")
"""Twelve decimals: `numeric(38, 12)`."""

EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
"""The context in which money is computed: whatever the book can hold is multiplied exactly."""


class MoneyAccount(IntEnum):
    """Whose money it is; all but `PARTNER` belong to the coalition as a whole."""

    PARTNER = 1
    """What a partner owes (debit) or is owed."""
    FUND = 2
    """Paid in for points that can still be spent."""
    FEE = 3
    """The operator's service fees."""
    MARGIN = 4
    """The operator's difference between issue and redemption prices."""
    VAT = 5
    EXCHANGE = 6
    """Between currencies, at the dated rate."""
    ROUNDING = 7
    """What whole minor units on statements differ from the exact book."""
    BREAKAGE = 8
    """The operator's share of prefunded points that nobody spent."""
    PROMOTION = 9
    """What the operator pays as a funder."""
    CASH = 10
    RESERVE = 11
    """Out of which the operator covers a partner's default."""
    ADJUSTMENT = 12
    """The operator's side of adjustments by hand."""


class MoneyKind(IntEnum):
    """What a posting in the money book books."""

    DRAIN = 1
    CLOSE = 2
    ADJUSTMENT = 3
    PAYMENT = 4
    CLEARING = 5
    DEFAULT = 6


class MoneyEntry(NamedTuple):
    """One side of a posting; `partner_no` is 0 unless the account is a partner's."""

    account: MoneyAccount
    partner_no: int
    currency: str
    amount: Decimal


class Balance(NamedTuple):
    """What an account comes to in one currency."""

    account: MoneyAccount
    partner_no: int
    currency: str
    amount: Decimal


_POSTING = "INSERT INTO money_posting (id, kind, made_at, subject) VALUES ($1, $2, $3, $4)"

_ENTRIES = """
WITH entry AS (
    INSERT INTO money_entry (posting, no, account, partner_no, currency, amount)
    SELECT $1, * FROM unnest($2::int4[], $3::int2[], $4::int4[], $5::text[], $6::numeric[])
    RETURNING account, partner_no, currency, amount
)
INSERT INTO money_delta (posting, partner_no, currency, amount)
SELECT $1, partner_no, currency, amount FROM entry WHERE account = 1
"""

_ADD_UP = """
WITH taken AS (
    DELETE FROM money_delta RETURNING partner_no, currency, amount
)
INSERT INTO money_balance AS kept (partner_no, currency, amount)
SELECT partner_no, currency, sum(amount) FROM taken GROUP BY partner_no, currency
ORDER BY partner_no, currency
ON CONFLICT (partner_no, currency) DO UPDATE SET amount = kept.amount + excluded.amount
"""

_BALANCES = """
SELECT account, partner_no, currency, sum(amount)
FROM money_entry GROUP BY account, partner_no, currency ORDER BY account, partner_no, currency
"""


async def post(
    connection: Connection,
    *,
    kind: MoneyKind,
    subject: str,
    entries: Iterable[MoneyEntry],
    at: datetime,
    posting: UUID | None = None,
) -> UUID | None:
    """Post `entries`, which sum to zero per currency; return the posting's id.

    Entries of one account and currency are added up first. Where nothing is left, nothing is
    written and the answer is None. `posting` is given where the id had to be known before.
    """
    summed: dict[tuple[MoneyAccount, int, str], Decimal] = defaultdict(Decimal)
    by_currency: dict[str, Decimal] = defaultdict(Decimal)
    with localcontext(EXACT):
        for account, partner_no, currency, amount in entries:
            summed[account, partner_no, currency] += amount
            by_currency[currency] += amount
    assert not any(by_currency.values()), f"money sums to zero per currency: {dict(by_currency)}"
    rows = [(*key, amount) for key, amount in sorted(summed.items()) if amount]
    if not rows:
        return None
    posting = posting or uuid7(at)
    await connection.execute(_POSTING, posting, kind, at, subject)
    columns = zip(*((no, *row) for no, row in enumerate(rows)), strict=True)
    await connection.execute(_ENTRIES, posting, *columns)
    return posting


async def trial_balance(connection: Connection) -> list[Balance]:
    """Return what every account comes to, exactly; the whole is zero in each currency."""
    return [Balance(MoneyAccount(row[0]), *row[1:]) for row in await connection.fetch(_BALANCES)]


async def add_up(connection: Connection) -> None:
    """Add to the partners' balances what was posted since; each entry is added once."""
    await connection.execute(_ADD_UP)
