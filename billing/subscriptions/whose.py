"""Whose customers are at Stripe, beside whose they are here.

Stripe's customer names its member in its metadata. By the rows that are compared a member's next
order is charged: what names somebody else is put right where Stripe knows the member's own
customer, and told to staff where it does not.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from billing.gateway.client import Gateway
from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Customer
from billing.subscriptions.syncing import MEMBER
from coalition.kernel.database import retrying, transaction
from coalition.kernel.ids import MemberId, bucket_of

PAGE = 500

# Who has left may have been forgotten at Stripe too.
_SOME = """
SELECT kept.bucket, kept.member_id, kept.customer_id
FROM member_at_stripe AS kept
JOIN member ON member.bucket = kept.bucket AND member.id = kept.member_id
WHERE member.state <> 'closed' AND (kept.bucket, kept.member_id, kept.customer_id) > ($1, $2, $3)
ORDER BY kept.bucket, kept.member_id, kept.customer_id LIMIT $4
"""
_OF_MEMBER = "SELECT customer_id FROM member_at_stripe WHERE bucket = $1 AND member_id = $2"
_DROP = """
DELETE FROM member_at_stripe WHERE bucket = $1 AND member_id = $2 AND customer_id = $3
"""
_KEEP = """
INSERT INTO member_at_stripe (bucket, member_id, customer_id, made_at)
SELECT $1, $2, customer_id, $4 FROM unnest($3::text[]) AS own (customer_id)
ON CONFLICT (bucket, member_id, customer_id) DO NOTHING
"""


class Wrong(NamedTuple):
    """A customer that is a member's here and not at Stripe; `own` are those it should have had."""

    member: MemberId
    customer_id: str
    told: str
    own: tuple[str, ...]


async def wrong(gateway: Gateway) -> list[Wrong]:
    """Return what is wrong of whose customers are, by Stripe's list. Raises `StripeUnavailable`."""
    # Told to our books before the list is read, a customer is in it, or is looked at by itself.
    rows = [row async for row in _rows()]
    names: dict[str, str | None] = {}
    of_member: defaultdict[str, list[str]] = defaultdict(list)
    async for one in gateway.every_customer():
        name = names[one.id] = _named(one)
        if name is not None:
            of_member[name].append(one.id)
    found = []
    for row in rows:
        told = await _told(gateway, row, names)
        if told is not None:
            member = MemberId(row["member_id"])
            own = await _lacking(member, of_member[str(member)])
            found.append(Wrong(member, row["customer_id"], told, own))
    return found


async def mend(one: Wrong, at: datetime) -> None:
    """Let a member have its own customers in place of one that is not its."""

    async def attempt() -> None:
        place = bucket_of(one.member), one.member
        async with transaction() as connection:
            await connection.execute(_DROP, *place, one.customer_id)
            await connection.execute(_KEEP, *place, list(one.own), at)

    await retrying(attempt)


async def _rows() -> AsyncIterator[asyncpg.Record]:
    place: tuple[object, ...] = (-1, UUID(int=0), "")
    while True:
        async with transaction() as connection:
            page = await connection.fetch(_SOME, *place, PAGE)
        if not page:
            return
        for row in page:
            yield row
        place = tuple(page[-1])


async def _told(gateway: Gateway, row: asyncpg.Record, names: dict[str, str | None]) -> str | None:
    """Return what is wrong with whose customer it is; None where it is its member's."""
    customer = row["customer_id"]
    if customer not in names:
        # It lives by a test clock, was made just now, or is gone.
        try:
            one = await gateway.customer_as_it_is(customer)
        except StripeRefused as refused:
            if not refused.is_missing:
                raise
            return "is this member's customer here, and Stripe does not know it"
        if one is None:
            return "is this member's customer here, and was deleted at Stripe"
        names[customer] = _named(one)
    name = names[customer]
    if name == str(row["member_id"]):
        return None
    whose = "nobody's" if name is None else f"that of {name}"
    return f"is this member's customer here, and {whose} at Stripe"


async def _lacking(member: MemberId, own: list[str]) -> tuple[str, ...]:
    """Return which of a member's own customers are not kept."""
    async with transaction() as connection:
        rows = await connection.fetch(_OF_MEMBER, bucket_of(member), member)
    kept = {row["customer_id"] for row in rows}
    return tuple(sorted(one for one in own if one not in kept))


def _named(one: Customer) -> str | None:
    """Return the member that a customer names, as text; None where it names none."""
    try:
        return str(UUID(one.metadata.get(MEMBER, "")))
    except ValueError:
        return None
