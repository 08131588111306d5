"""Entitlements as they were applied last, in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from billing.benefits.entitlements import Entitlement, Ground, Pool
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_READ = """
SELECT membership_id, begins, ends, plan_no, ground, period_start, period_end, source, taken_back,
    price_no, recurring_minor, payer, paid_by
FROM benefit_entitlement WHERE bucket = $1 AND member_id = $2 ORDER BY membership_id, no
"""

_READ_EACH = """
SELECT wanted.member_id, kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id), LATERAL (
    SELECT membership_id, begins, ends, plan_no, ground, period_start, period_end, source,
        taken_back, price_no, recurring_minor, payer, paid_by
    FROM benefit_entitlement
    WHERE bucket = wanted.bucket AND member_id = wanted.member_id
    OFFSET 0) AS kept
ORDER BY wanted.member_id, kept.membership_id, kept.begins
"""

_CLEAR = (
    "DELETE FROM benefit_entitlement WHERE bucket = $1 AND member_id = $2 AND membership_id = $3"
)

_WRITE = """
INSERT INTO benefit_entitlement (bucket, member_id, membership_id, no, begins, ends, plan_no,
    ground, period_start, period_end, source, taken_back, price_no, recurring_minor, payer, paid_by)
SELECT $1, $2, $3, * FROM unnest($4::int4[], $5::timestamptz[], $6::timestamptz[], $7::int4[],
    $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bool[], $13::int4[],
    $14::int8[], $15::uuid[], $16::uuid[])
"""


class OfMembership(NamedTuple):
    """An entitlement, and the membership that it comes from."""

    membership_id: UUID
    entitlement: Entitlement


async def read(connection: Connection, member: MemberId) -> list[OfMembership]:
    """Return all entitlements of a member, in order, by membership."""
    rows = await connection.fetch(_READ, bucket_of(member), member)
    return [_made(row) for row in rows]


async def read_each(
    connection: Connection, members: Collection[MemberId]
) -> dict[MemberId, list[OfMembership]]:
    """Return all entitlements of each of `members`; who never had one is left out."""
    wanted = sorted(members)
    rows = await connection.fetch(_READ_EACH, [bucket_of(one) for one in wanted], wanted)
    found: dict[MemberId, list[OfMembership]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(_made(row))
    return found


async def replace(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    entitlements: Sequence[Entitlement],
) -> bool:
    """Keep these as all entitlements of a membership; return whether any had been others.

    The member is locked.
    """
    wanted = sorted(entitlements, key=lambda one: (one.begins, one.ends, one.plan_no, one.source))
    kept = [one for of, one in await read(connection, member) if of == membership_id]
    if kept == wanted:
        return False
    key = bucket_of(member), member, membership_id
    if kept:
        await connection.execute(_CLEAR, *key)
    if wanted:
        rows = [(no, *_row(one)) for no, one in enumerate(wanted)]
        await connection.execute(_WRITE, *key, *zip(*rows, strict=True))
    return True


def _row(one: Entitlement) -> tuple[datetime | int | str | bool | UUID | None, ...]:
    begun = one.begins, one.ends, one.plan_no, one.ground.value
    of_period = one.period_start, one.period_end, one.source, one.taken_back
    return *begun, *of_period, one.price_no, one.recurring_minor, *(one.pool or (None, None))


def _made(row: asyncpg.Record) -> OfMembership:
    return OfMembership(
        row["membership_id"],
        Entitlement(
            plan_no=row["plan_no"],
            begins=row["begins"],
            ends=row["ends"],
            ground=Ground(row["ground"]),
            period_start=row["period_start"],
            period_end=row["period_end"],
            source=row["source"],
            taken_back=row["taken_back"],
            price_no=row["price_no"],
            recurring_minor=row["recurring_minor"],
            pool=None if row["payer"] is None else Pool(row["payer"], row["paid_by"]),
        ),
    )
