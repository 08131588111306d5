"""The ledger of memberships beside the pictures that it is booked from, some at a time.

With the pictures proven equal to Stripe, this proves the ledger: no source lacks, none is too many.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from billing.subscriptions import gift_money, gift_rows, register
from billing.subscriptions.bookings import Booking, bookings, difference
from billing.subscriptions.gift_rows import Gift
from billing.subscriptions.unexplained import Kind, Unexplained
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import bucket_of

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
_OF_GIFTS = """
SELECT gift_id, source, min(currency) AS currency,
       sum(amount_minor)::int8 AS amount, sum(tax_minor)::int8 AS tax
FROM membership_entry
WHERE bucket = ANY ($1) AND member_id = ANY ($2) AND gift_id = ANY ($3)
GROUP BY gift_id, source ORDER BY source
"""
_FIRST = (-1, UUID(int=0))

Row = Mapping[str, Any]  # Any: columns of a row


class Difference(NamedTuple):
    """What differs: what is not booked as it is paid, and entries of money that is not.

    `lacking` are subscriptions, and `gifts` payments of gifts.
    """

    lacking: set[str]
    too_many: list[Unexplained]
    gifts: set[str]


async def compare() -> Difference:
    """Compare all entries with all pictures, as both are kept."""
    found = Difference(set(), [], set())
    async for page in _pages():
        ids = [row["id"] for row in page]
        async with transaction() as connection:
            pictures = await register.pictures_of(connection, ids)
            booked = await _booked(connection, page)
        for row in page:
            told = {
                one.source: (picture.subscription.id, one)
                for picture in pictures.get(row["id"], ())
                for one in bookings(picture)
            }
            known = booked.get(row["id"], ())
            found.lacking.update(_compare_one(row["member_id"], told, known, found.too_many))
    async for gifts in _gifts():
        async with transaction() as connection:
            of_gifts = await _booked_of_gifts(connection, gifts)
        for gift in gifts:
            if gift.picture is not None:
                paid = {
                    one.source: (gift.picture.id, one) for one in gift_money.bookings(gift.picture)
                }
                known = of_gifts.get(gift.id, ())
                found.gifts.update(_compare_one(gift.bought_by, paid, known, found.too_many))
    return found


async def _gifts() -> AsyncIterator[Sequence[Gift]]:
    after: bytes | None = None
    while True:
        async with transaction() as connection:
            page = await gift_rows.paid_after(connection, after, PAGE)
        if not page:
            return
        yield page
        after = page[-1].digest


async def _booked_of_gifts(connection: Connection, page: Sequence[Gift]) -> dict[UUID, list[Row]]:
    members = [one.bought_by for one in page]
    buckets = sorted({bucket_of(one) for one in members})
    booked: dict[UUID, list[Row]] = {}
    for row in await connection.fetch(_OF_GIFTS, buckets, members, [one.id for one in page]):
        booked.setdefault(row["gift_id"], []).append(row)
    return booked


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
    member: UUID,
    told: Mapping[str, tuple[str, Booking]],
    booked: Sequence[Row],
    too_many: list[Unexplained],
) -> Iterator[str]:
    """Yield what is not booked as it is `told`, which is by source what each is of and comes to."""
    known = {row["source"]: row for row in booked}
    for source, (of, one) in told.items():
        row = known.get(source)
        if row is not None and row["currency"] != one.currency:
            too_many.append(_too_many(row, member))
        elif difference(one, *((0, 0) if row is None else (row["amount"], row["tax"]))) is not None:
            yield of
    for source, row in known.items():
        if source not in told and (row["amount"] or row["tax"]):
            too_many.append(_too_many(row, member))


def _too_many(row: Row, member: UUID) -> Unexplained:
    return Unexplained(
        id=row["source"],
        kind=Kind.ENTRY,
        member_id=str(member),
        told=f"the ledger has {row['amount']} {row['currency']} that Stripe has not",
    )
