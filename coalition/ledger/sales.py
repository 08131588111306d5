"""The purchases behind issues, a page at a time in the order of posting, for who looks back."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger.accounts import Kind

_PAGE = """
SELECT id, holder, partner_no, store_no, occurred_at, purchase_minor, purchase_currency, points
FROM posting
WHERE kind = $1 AND purchase_minor IS NOT NULL AND occurred_at >= $2 AND occurred_at < $3
    AND id > $4
ORDER BY id LIMIT $5
"""

_FIRST = UUID(int=0)


class Sale(NamedTuple):
    """A purchase that earned points, as the ledger keeps it."""

    posting: UUID
    holder: UUID
    partner_no: int
    store_no: int | None
    occurred_at: datetime
    amount_minor: int
    currency: str
    points: int


async def pages(
    connection: Connection, *, begin: datetime, end: datetime, size: int = 2000
) -> AsyncIterator[list[Sale]]:
    """Yield the purchases that occurred from `begin` until `end`, at most `size` at a time."""
    after = _FIRST
    while True:
        rows = await connection.fetch(_PAGE, int(Kind.ISSUE), begin, end, after, size)
        if rows:
            yield [Sale(*row) for row in rows]
        if len(rows) < size:
            return
        after = rows[-1]["id"]
