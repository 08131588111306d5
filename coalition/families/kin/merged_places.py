"""Merging: the place of who was enrolled twice goes to the survivor, with what both are to others.

Two members in groups of one kind are not merged: nobody could say whose place, share and lock-in
hold. What the merged member brought into a pot stays its, and counts for the survivor.
"""

from datetime import datetime
from uuid import UUID

from coalition.families.kin import places, sharing
from coalition.families.kin.group_refusals import MergeInTwoGroups
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_PLACES = """
SELECT group_id, no, kind, shares, joined_at FROM group_of_member
WHERE bucket = $1 AND member_id = $2 AND left_at IS NULL ORDER BY group_id, no
"""

_TAKE_PLACE = """
UPDATE group_member SET member_id = $4 WHERE bucket = $1 AND group_id = $2 AND no = $3
"""

_TAKE_GROUP = "UPDATE family_group SET head = $4 WHERE bucket = $1 AND id = $2 AND head = $3"

_END = """
UPDATE group_of_member SET left_at = $5
WHERE bucket = $1 AND member_id = $2 AND group_id = $3 AND no = $4
"""

_BELONG = """
INSERT INTO group_of_member (bucket, member_id, group_id, no, kind, shares, joined_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

# What both are to others is kept once, as the survivor declared it.
_RELATED = """
INSERT INTO relationship (bucket, member_id, other_id, relationship, by_other, declared_at,
    confirmed_at, evidence_asked_at, proved_at, ended_at)
SELECT $3, $4, other_id, relationship, by_other, declared_at, confirmed_at, evidence_asked_at,
       proved_at, ended_at
FROM relationship WHERE bucket = $1 AND member_id = $2 AND other_id <> $4
ON CONFLICT DO NOTHING
"""
_RELATED_GONE = "DELETE FROM relationship WHERE bucket = $1 AND member_id = $2"
_NAMED = """
UPDATE relationship SET other_id = $2 WHERE other_id = $1 AND member_id <> $2
  AND NOT EXISTS (SELECT FROM relationship AS kept
                  WHERE kept.bucket = relationship.bucket
                    AND kept.member_id = relationship.member_id AND kept.other_id = $2)
"""
_NAMED_TWICE = "DELETE FROM relationship WHERE other_id = $1"

_GUARDED = """
INSERT INTO guardianship (bucket, minor, guardian, since, until, source, turns_adult_on, frozen_at)
SELECT $3, $4, guardian, since, until, source, turns_adult_on, frozen_at
FROM guardianship WHERE bucket = $1 AND minor = $2 AND until IS NULL AND guardian <> $4
ON CONFLICT DO NOTHING
"""
_GUARDED_END = """
UPDATE guardianship SET until = greatest($3, since), frozen_at = NULL
WHERE bucket = $1 AND minor = $2 AND until IS NULL
"""
_GUARDS = """
UPDATE guardianship SET guardian = $2 WHERE guardian = $1 AND until IS NULL AND minor <> $2
"""

_INVITED = "UPDATE invitation SET state = 'withdrawn' WHERE member_id = $1 AND state = 'open'"

_ASKED = """
UPDATE group_act SET asked_member = $2, asked_by = 'member:' || $2::uuid::text
WHERE asked_member = $1 AND state = 'awaiting_payment'
"""
_PAYS = "UPDATE group_act SET payer = $2 WHERE payer = $1 AND state = 'awaiting_payment'"

# A limit counts persons: what both used, the survivor has used.
_USED = """
SELECT side, event, day, other, amount, times FROM family_usage WHERE bucket = $1 AND subject = $2
"""
_USE = """
INSERT INTO family_usage AS kept (bucket, subject, side, event, day, other, amount, times)
SELECT $1, $2, side, event, day, other, amount, times
FROM unnest($3::text[], $4::text[], $5::date[], $6::uuid[], $7::int8[], $8::int4[])
     AS used (side, event, day, other, amount, times)
ON CONFLICT (bucket, subject, side, event, day, other) DO UPDATE
SET amount = kept.amount + excluded.amount, times = kept.times + excluded.times
"""


async def take_over(
    connection: Connection, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Let the survivor belong where the merged member did. Raises `MergeInTwoGroups`."""
    gone, kept = (bucket_of(from_id), from_id), (bucket_of(into_id), into_id)
    theirs = await connection.fetch(_PLACES, *kept)
    kinds = {row["kind"] for row in theirs}
    for row in await connection.fetch(_PLACES, *gone):
        if row["kind"] in kinds:
            raise MergeInTwoGroups
        await _take_place(connection, row["group_id"], row["no"], from_id, into_id)
        await connection.execute(_END, *gone, row["group_id"], row["no"], at)
        await connection.execute(_BELONG, *kept, *tuple(row))
    await connection.execute(_RELATED, *gone, *kept)
    await connection.execute(_RELATED_GONE, *gone)
    await connection.execute(_NAMED, from_id, into_id)
    await connection.execute(_NAMED_TWICE, from_id)
    await connection.execute(_GUARDED, *gone, *kept)
    await connection.execute(_GUARDED_END, *gone, at)
    await connection.execute(_GUARDS, from_id, into_id)
    await connection.execute(_INVITED, from_id)
    await connection.execute(_ASKED, from_id, into_id)
    await connection.execute(_PAYS, from_id, into_id)
    used = await connection.fetch(_USED, *gone)
    if used:
        await connection.execute(_USE, *kept, *zip(*(tuple(row) for row in used), strict=True))
    await sharing.mark(connection, [from_id, into_id])


async def _take_place(
    connection: Connection, group: UUID, no: int, from_id: UUID, into_id: UUID
) -> None:
    await places.read_group(connection, group, is_to_be_locked=True)
    await connection.execute(_TAKE_PLACE, bucket_of(group), group, no, into_id)
    await connection.execute(_TAKE_GROUP, bucket_of(group), group, from_id, into_id)
