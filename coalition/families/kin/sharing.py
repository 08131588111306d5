"""The mark that makes a till ask for a member's pool before points of it are posted.

It stands on members of groups whose points are spent or earned together, and on minors whose
spending a guardian has stopped. Everybody else costs a till nothing.
"""

from collections.abc import Collection
from uuid import UUID

from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger import shares

POOLING = frozenset(
    {
        Mechanism.POOL_VIEW,
        Mechanism.POOL_ACCOUNT,
        Mechanism.SWEEP_TO_HEAD,
        Mechanism.LINKED_WALLET,
    }
)
"""The mechanisms by which members spend or earn for each other at the till."""

_SHARES = """
SELECT wanted.member_id,
    EXISTS (SELECT FROM group_of_member AS belongs
            WHERE belongs.bucket = wanted.bucket AND belongs.member_id = wanted.member_id
              AND belongs.left_at IS NULL AND belongs.shares)
    OR EXISTS (SELECT FROM guardianship
               WHERE guardianship.bucket = wanted.bucket AND guardianship.minor = wanted.member_id
                 AND until IS NULL AND frozen_at IS NOT NULL) AS shares
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id)
"""


async def mark(connection: Connection, members: Collection[UUID]) -> None:
    """Set or take the mark of each of `members`, who are locked, as they stand now."""
    wanted = list(members)
    rows = await connection.fetch(_SHARES, [bucket_of(one) for one in wanted], wanted)
    await shares.mark(connection, {row[0]: row[1] for row in rows})
