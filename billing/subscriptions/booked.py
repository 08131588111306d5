"""The ledger of memberships beside the pictures that it is booked from, some at a time.

With the pictures proven equal to Stripe, this proves the ledger: no source lacks, none is too many.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from billing.gateway.shapes import Picture
from billing.subscriptions import register
from billing.subscriptions.bookings import Booking, bookings, difference
from billing.subscriptions.unexplained import Kind, Unexplained
from coalition.kernel.database import Connection, transaction

PAGE = 500

_MEMBERSHIPS = """
SELECT bucket, id, member_id FROM membership
WHERE (bucket, id) > ($1, $2) ORDER BY bucket, id LIMIT $3
"""
_BOOKED = """
SELECT membership_id, source, min(currency) AS currency,
       sum(amount_minor)::int8 AS amount, sum(tax_minor)::int8 AS tax
FROM membership_entry
WHERE bucket = ANY ($1) AND member_id = ANY ($2) AND membership_id = ANY ($3)
GROUP BY membership_id, source ORDER BY source
"""
_FIRST = (-1, UUID(int=0))

Row = Mapping[str, Any]  # Any: columns of a row


class Difference(NamedTuple):
    """What differs: subscriptions whose money is not booked, and entries of money that is not."""

    lacking: set[str]
    too_many: list[Unexplained]


async def compare() -> Difference:
    """Compare all entries with all pictures, as both are kept."""
    found = Difference(set(), [])
    async for page in _pages():
        ids = [row["id"] for row in page]
        async with transaction() as connection:
            pictures = await register.pictures_of(connection, ids)
            booked = await _booked(connection, page)
        for row in page:
            _compare_one(row, pictures.get(row["id"], ()), booked.get(row["id"], ()), found)
    return found


async def _pages() -> AsyncIterator[Sequence[Row]]:
    place = _FIRST
    while True:
        async with transaction() as connection:
            page = await connection.fetch(_MEMBERSHIPS, *place, PAGE)
        if not page:
            return
        yield page
        place = page[-1]["bucket"], page[-1]["id"]


async def _booked(connection: Connection, page: Sequence[Row]) -> dict[UUID, list[Row]]:
    columns = [[row[name] for row in page] for name in ("bucket", "member_id", "id")]
    booked: dict[UUID, list[Row]] = {}
    for row in await connection.fetch(_BOOKED, sorted(set(columns[0])), *columns[1:]):
        booked.setdefault(row["membership_id"], []).append(row)
    return booked


def _compare_one(
    membership: Row, pictures: Sequence[Picture], booked: Sequence[Row], found: Difference
) -> None:
    told: dict[str, tuple[str, Booking]] = {
        one.source: (picture.subscription.id, one)
        for picture in pictures
        for one in bookings(picture)
    }
    known = {row["source"]: row for row in booked}
    for source, (subscription, one) in told.items():
        row = known.get(source)
        amounts = (0, 0) if row is None else (row["amount"], row["tax"])
        if difference(one, *amounts) is not None:
            found.lacking.add(subscription)
    for source, row in known.items():
        if source not in told and (row["amount"] or row["tax"]):
            found.too_many.append(_too_many(row, membership["member_id"]))


def _too_many(row: Row, member: UUID) -> Unexplained:
    return Unexplained(
        id=row["source"],
        kind=Kind.ENTRY,
        member_id=str(member),
        told=f"the ledger has {row['amount']} {row['currency']} that Stripe has not",
    )
