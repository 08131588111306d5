"""The ledger of memberships: money of a member at Stripe, append-only, equal to what is there."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from billing.subscriptions.bookings import Booking, difference
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.money import Money
from coalition.members import queries


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; what came in is positive, and `tax` is the part of it that is tax.

    It is for a membership, or for a gift that the member has bought for somebody.
    """

    membership_id: UUID | None
    gift_id: UUID | None = None
    source: str
    no: int
    kind: str
    amount: Money
    tax: Money
    period_start: datetime | None
    period_end: datetime | None
    payment: str | None
    occurred_at: datetime
    booked_at: datetime


_BOOKED = """
SELECT source, max(no) AS no, sum(amount_minor)::int8 AS amount, sum(tax_minor)::int8 AS tax
FROM membership_entry WHERE bucket = $1 AND member_id = $2 AND source = ANY ($3)
GROUP BY source
"""
_BOOK = """
INSERT INTO membership_entry (bucket, member_id, membership_id, gift_id, booked_at, source, no,
    kind, amount_minor, tax_minor, currency, period_start, period_end, payment, occurred_at)
SELECT $1, $2, $3, $4, $5, * FROM unnest($6::text[], $7::int4[], $8::text[], $9::int8[],
    $10::int8[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::text[],
    $15::timestamptz[])
"""
_FIRST = """
SELECT source, kind, currency, period_start, period_end, occurred_at
FROM membership_entry WHERE bucket = $1 AND member_id = $2 AND source = ANY ($3) AND no = 1
"""
_READ = """
SELECT membership_id, gift_id, source, no, kind, amount_minor, tax_minor, currency, period_start,
    period_end, payment, occurred_at, booked_at
FROM membership_entry WHERE bucket = $1 AND member_id = $2
ORDER BY occurred_at, kind = 'payment' DESC, source, no
"""
_NET = """
SELECT currency, sum(amount_minor)::int8 AS amount
FROM membership_entry WHERE bucket = $1 AND member_id = $2 GROUP BY currency
"""


async def agree(
    connection: Connection,
    *,
    member: MemberId,
    membership_id: UUID | None = None,
    gift_id: UUID | None = None,
    told: Sequence[Booking],
    at: datetime,
) -> list[Booking]:
    """Book what is lacking until each source comes to what was `told`; return what was booked.

    It is for a membership or for a gift. Whoever calls holds a lock that keeps others from booking
    for the same.
    """
    wanted = await lacking(connection, member, told)
    found = [(no, one if no == 1 else _after(one, at)) for no, one in wanted]
    if found:
        columns = zip(*(_row(no, one) for no, one in found), strict=True)
        place = bucket_of(member), member, membership_id, gift_id, at
        await connection.execute(_BOOK, *place, *(list(column) for column in columns))
    return [one for _, one in found]


async def lacking(
    connection: Connection, member: MemberId, told: Sequence[Booking]
) -> list[tuple[int, Booking]]:
    """Return what is to be booked until each source comes to what was `told`, numbered."""
    if not told:
        return []
    sources = [one.source for one in told]
    rows = await connection.fetch(_BOOKED, bucket_of(member), member, sources)
    booked = {row["source"]: (row["no"], row["amount"], row["tax"]) for row in rows}
    found = []
    for one in told:
        no, amount, tax = booked.get(one.source, (0, 0, 0))
        differs = difference(one, amount, tax)
        if differs is not None:
            found.append((no + 1, differs))
    return found


async def unlike(connection: Connection, member: MemberId, told: Sequence[Booking]) -> list[str]:
    """Return the sources that are booked as something else than was `told`, whatever the amount.

    By kind, currency, period or time of the first entry.
    """
    rows = await connection.fetch(_FIRST, bucket_of(member), member, [one.source for one in told])
    first = {row["source"]: tuple(row)[1:] for row in rows}
    return [
        one.source
        for one in told
        if one.source in first
        and first[one.source]
        != (one.kind, one.currency, *(one.period or (None, None)), one.occurred_at)
    ]


def _after(one: Booking, at: datetime) -> Booking:
    """Return what undoes or corrects a source as it happens: when it is known.

    Stripe does not say when, and no month that is past changes by it.
    """
    return one._replace(occurred_at=max(one.occurred_at, at))


def _row(no: int, one: Booking) -> Iterable[object]:
    start, end = one.period or (None, None)
    return (
        *(one.source, no, one.kind, one.amount_minor, one.tax_minor, one.currency),
        *(start, end, one.payment, one.occurred_at),
    )


async def of_member(connection: Connection, member: MemberId) -> list[Entry]:
    """Return all entries of a member, in the order in which they happened."""
    return [
        Entry(
            membership_id=row["membership_id"],
            gift_id=row["gift_id"],
            source=row["source"],
            no=row["no"],
            kind=row["kind"],
            amount=Money(row["amount_minor"], row["currency"]),
            tax=Money(row["tax_minor"], row["currency"]),
            period_start=row["period_start"],
            period_end=row["period_end"],
            payment=row["payment"],
            occurred_at=row["occurred_at"],
            booked_at=row["booked_at"],
        )
        for row in await connection.fetch(_READ, bucket_of(member), member)
    ]


async def of_person(connection: Connection, member: MemberId) -> list[Entry]:
    """Return all entries of a member and of those who were merged into it, in order."""
    merged = await queries.merged_into(connection, member)
    found = [one for each in (member, *merged) for one in await of_member(connection, each)]
    return sorted(found, key=lambda one: one.occurred_at) if merged else found


async def net(connection: Connection, member: MemberId) -> dict[str, int]:
    """Return what a member has paid in all, less what went back, by currency."""
    rows = await connection.fetch(_NET, bucket_of(member), member)
    return {row["currency"]: row["amount"] for row in rows}
