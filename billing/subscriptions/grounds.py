"""What entitles without a subscription: months given, granted by staff, or paid by a partner."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from billing.benefits.entitlements import Ground
from billing.plans.catalogue import Plans
from billing.subscriptions.states import Given
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of, uuid7

_ADD = """
INSERT INTO membership_ground (bucket, id, member_id, membership_id, ground, plan_no, begins, ends,
    source, made_by, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (bucket, member_id, source) DO NOTHING
RETURNING true
"""
_TAKE_BACK = """
UPDATE membership_ground SET taken_back_at = $4
WHERE bucket = $1 AND member_id = $2 AND source = $3 AND taken_back_at IS NULL
RETURNING membership_id
"""
_OF_MEMBERSHIP = """
SELECT ground, plan_no, begins, ends, source, taken_back_at, unpaid_from, unpaid_for_good
FROM membership_ground WHERE bucket = $1 AND membership_id = $2 ORDER BY begins, source
"""
_UNPAID = """
UPDATE membership_ground SET unpaid_from = $4, unpaid_for_good = $5
WHERE bucket = $1 AND member_id = $2 AND source = $3
    AND (unpaid_from, unpaid_for_good) IS DISTINCT FROM ($4::timestamptz, $5::bool)
RETURNING membership_id
"""
_RESTS = """
SELECT count(*) FROM membership_ground
WHERE bucket = $1 AND member_id = $2 AND unpaid_from IS NOT NULL AND NOT unpaid_for_good
"""
_OF_SOURCE = """
SELECT unpaid_from, unpaid_for_good FROM membership_ground
WHERE bucket = $1 AND member_id = $2 AND source = $3
"""


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """Months of a plan for a member, from `begins` until just before `ends`.

    `source` names what they come from, such as a gift's id: one source gives once.
    """

    ground: Ground
    plan_no: int
    begins: datetime
    ends: datetime
    source: str
    made_by: str


async def add(
    connection: Connection, gift: Gift, *, member: MemberId, membership_id: UUID, at: datetime
) -> bool:
    """Store what is given as a ground of a membership; return False where it was given before."""
    bucket = bucket_of(member)
    return bool(
        await connection.fetchval(
            _ADD,
            *(bucket, uuid7(at, bucket), member, membership_id, gift.ground, gift.plan_no),
            *(gift.begins, gift.ends, gift.source, gift.made_by, at),
        )
    )


async def take_back(
    connection: Connection, source: str, *, member: MemberId, at: datetime
) -> UUID | None:
    """Let a ground end now; return its membership, None where nothing is left to take back."""
    found: UUID | None = await connection.fetchval(
        _TAKE_BACK, bucket_of(member), member, source, at
    )
    return found


async def unpaid(
    connection: Connection,
    source: str,
    *,
    member: MemberId,
    since: datetime | None,
    for_good: bool,
) -> UUID | None:
    """Write down since when a ground is not paid for, None while it is; return its membership.

    None where that is known already.
    """
    place = bucket_of(member), member, source
    found: UUID | None = await connection.fetchval(_UNPAID, *place, since, for_good)
    return found


async def rests(connection: Connection, member: MemberId) -> bool:
    """Tell whether a member was given something whose money a bank holds back."""
    return bool(await connection.fetchval(_RESTS, bucket_of(member), member))


async def unpaid_since(
    connection: Connection, source: str, member: MemberId
) -> tuple[datetime | None, bool] | None:
    """Return since when a ground is not paid for, and whether for good; None where it is none."""
    row = await connection.fetchrow(_OF_SOURCE, bucket_of(member), member, source)
    return None if row is None else (row["unpaid_from"], row["unpaid_for_good"])


async def of_membership(connection: Connection, membership_id: UUID, plans: Plans) -> list[Given]:
    """Return what was given to a membership, as its entitlements need it."""
    rows = await connection.fetch(_OF_MEMBERSHIP, bucket_of(membership_id), membership_id)
    return [_given(row, plans) for row in rows]


def _given(row: asyncpg.Record, plans: Plans) -> Given:
    cuts = [cut for cut in (row["taken_back_at"], row["unpaid_from"]) if cut is not None]
    first_cut = min(cuts, default=None)
    begins, ends = row["begins"], row["ends"]
    is_taken = row["unpaid_for_good"] or (
        row["taken_back_at"] is not None and row["taken_back_at"] < ends
    )
    return Given(
        ground=Ground(row["ground"]),
        plan_no=row["plan_no"],
        rank=plans.plan(row["plan_no"]).document.rank,
        begins=begins,
        ends=ends if first_cut is None else max(begins, min(ends, first_cut)),
        source=row["source"],
        # What goes back before it has begun was nothing, and has nothing to take back.
        taken_back=is_taken and first_cut is not None and first_cut >= begins,
    )
