"""Points that memberships have given, in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

# The next number of a month is the primary key's: two who give at once cannot both have it.
_ADD = """
INSERT INTO benefit_grant (bucket, member_id, membership_id, month, no, plan_no, benefit, funder_no,
    points, posting, granted_at)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int4[], $6::int4[],
    $7::text[], $8::int4[], $9::int4[], $10::uuid[], $11::timestamptz[])
"""

_READ = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[], $3::uuid[]) AS wanted (bucket, member_id, membership_id),
LATERAL (
    SELECT member_id, membership_id, month, no, plan_no, benefit, funder_no, points, posting,
        granted_at, taken_back_at
    FROM benefit_grant
    WHERE bucket = wanted.bucket AND member_id = wanted.member_id
        AND membership_id = wanted.membership_id
    OFFSET 0) AS kept
ORDER BY kept.member_id, kept.membership_id, kept.month, kept.no
"""

_OF_MEMBER = """
SELECT member_id, membership_id, month, no, plan_no, benefit, funder_no, points, posting,
    granted_at, taken_back_at
FROM benefit_grant WHERE bucket = $1 AND member_id = $2
ORDER BY granted_at, membership_id, month, no
"""

_TAKEN_BACK = """
UPDATE benefit_grant AS kept SET taken_back_at = $6
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int4[])
    AS told (bucket, member_id, membership_id, month, no)
WHERE kept.bucket = told.bucket AND kept.member_id = told.member_id
    AND kept.membership_id = told.membership_id AND kept.month = told.month AND kept.no = told.no
    AND kept.taken_back_at IS NULL
"""


class Grant(NamedTuple):
    """Points that a benefit of a plan gave in a month of a membership, paid for by one funder."""

    member: MemberId
    membership_id: UUID
    month: int
    no: int
    plan_no: int
    benefit: str
    funder_no: int
    points: int
    posting: UUID
    granted_at: datetime
    taken_back_at: datetime | None = None


async def add(connection: Connection, made: Sequence[Grant]) -> None:
    """Write down what was given."""
    if made:
        rows = [(bucket_of(one.member), *one[:-1]) for one in made]
        await connection.execute(_ADD, *zip(*rows, strict=True))


async def read(
    connection: Connection, memberships: Collection[tuple[MemberId, UUID]]
) -> dict[tuple[MemberId, UUID], list[Grant]]:
    """Return what each membership has given, in the order of months."""
    if not memberships:
        return {}
    rows = [(bucket_of(member), member, membership) for member, membership in memberships]
    found: dict[tuple[MemberId, UUID], list[Grant]] = {}
    for row in await connection.fetch(_READ, *zip(*rows, strict=True)):
        grant = Grant._make(row)
        found.setdefault((grant.member, grant.membership_id), []).append(grant)
    return found


async def of_member(connection: Connection, member: MemberId) -> list[Grant]:
    """Return all that a member was given, in order of time."""
    return [
        Grant._make(row) for row in await connection.fetch(_OF_MEMBER, bucket_of(member), member)
    ]


async def note_taken_back(connection: Connection, back: Sequence[Grant], at: datetime) -> None:
    """Write down that grants were taken back."""
    if back:
        rows = [(bucket_of(one.member), *one[:4]) for one in back]
        await connection.execute(_TAKEN_BACK, *zip(*rows, strict=True), at)
