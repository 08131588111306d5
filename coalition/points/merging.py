"""What points have to do when a member is merged: nothing is earned twice over, nothing is lost.

What the merged member has had of capped rules counts for the survivor, and bonuses that the member
was given go over. The purchases stay with the postings that they belong to.
"""

from datetime import datetime

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_USED = "SELECT rule_no, period, points FROM earning_usage WHERE bucket = $1 AND member = $2"

# The holders are locked, as for every change of a counter.
_COUNT = """
INSERT INTO earning_usage AS kept (bucket, member, rule_no, period, points)
SELECT $1, $2, rule_no, period, points
FROM unnest($3::int4[], $4::text[], $5::int8[]) AS used (rule_no, period, points)
ON CONFLICT (bucket, member, rule_no, period) DO UPDATE SET points = kept.points + excluded.points
"""

_GIVEN = """
SELECT source, kind, factor, points, partner_no, category, funding, valid_from, valid_until,
       ended_at, made_at, name
FROM earning_bonus WHERE bucket = $1 AND holder = $2
"""

# What both were given from one source is kept once: it was meant for one person.
_GIVE = """
INSERT INTO earning_bonus (bucket, holder, source, kind, factor, points, partner_no, category,
    funding, valid_from, valid_until, ended_at, made_at, name)
SELECT $1, $2, given.*
FROM unnest($3::text[], $4::text[], $5::numeric[], $6::int4[], $7::int4[], $8::text[], $9::text[],
            $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
            $14::text[])
     AS given
ON CONFLICT (bucket, holder, source) DO NOTHING
"""


async def take_over(
    connection: Connection, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Let the survivor stand where both stood with capped rules, with the bonuses of both."""
    del at
    for read, write in ((_USED, _COUNT), (_GIVEN, _GIVE)):
        rows = await connection.fetch(read, bucket_of(from_id), from_id)
        if rows:
            columns = zip(*(tuple(row) for row in rows), strict=True)
            await connection.execute(write, bucket_of(into_id), into_id, *columns)
