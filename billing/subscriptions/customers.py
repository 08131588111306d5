"""What a member is called at Stripe: one customer, made with its first order."""

from datetime import datetime

from billing.gateway import intents
from billing.subscriptions.house import House
from billing.subscriptions.refusals import NotAMember
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of, digest16

_READ = """
SELECT customer_id FROM member_at_stripe WHERE bucket = $1 AND member_id = $2
ORDER BY made_at DESC, customer_id LIMIT 1
"""
_KEEP = """
INSERT INTO member_at_stripe (bucket, member_id, customer_id, made_at)
VALUES ($1, $2, $3, $4) ON CONFLICT (bucket, member_id, customer_id) DO NOTHING
"""


async def find(member: MemberId) -> str | None:
    """Return what Stripe calls a member; None where it has not heard of it."""
    async with transaction() as connection:
        found: str | None = await connection.fetchval(_READ, bucket_of(member), member)
    return found


async def ensure(house: House, member: MemberId, *, country: str | None, at: datetime) -> str:
    """Return what Stripe calls a member, which it learns of here the first time.

    However often this is interrupted, there is one customer: the key follows from who it is.
    """
    known = await find(member)
    if known is not None:
        return known
    async with transaction() as connection:
        person = await house.person(connection, member)
    place = country or person.country
    # What Stripe refuses, such as an address it takes for none, is tried anew once it is another.
    key = f"customer-{member}-{digest16(person.email or '', place or '').hex()[:8]}"

    async def call() -> str:
        return await house.gateway.customer(
            key, member_id=member, email=person.email, country=place
        )

    request = {"member_id": str(member)}
    made = await intents.perform("customer", key, request, call, answer=str, at=at)
    async with transaction() as connection:
        await connection.execute(_KEEP, bucket_of(member), member, made, at)
    return made


async def portal(house: House, member: MemberId, *, back_to: str) -> str:
    """Return the address of Stripe's page for cards and invoices; see `Memberships.portal`."""
    back = house.way_back(back_to)
    customer = await find(member)
    if customer is None:
        raise NotAMember
    return await house.gateway.portal(customer, back)
