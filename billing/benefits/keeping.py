"""What benefits keep of a member: for its copy, for forgetting it, for its end and for merges.

Whoever leaves is entitled to nothing from then on. What was given and used stands in the books,
under an id that says nothing.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from billing.benefits import entitlement_rows, grants
from billing.benefits.refusals import PlanOfMerged
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members.privacy import Keeper, Piece

_USES = """
SELECT partner_no, receipt, benefit, first_minor AS saved_minor, saved_minor AS left_minor,
    currency, used_at, returned_at
FROM benefit_use_now WHERE bucket = $1 AND member_id = $2 ORDER BY used_at, partner_no, receipt
"""

_END = (
    "DELETE FROM benefit_entitlement WHERE bucket = $1 AND member_id = $2 AND begins >= $3",
    "UPDATE benefit_entitlement SET ends = $3 WHERE bucket = $1 AND member_id = $2 AND ends > $3",
)
_REST = "UPDATE benefit_schedule SET due_at = NULL WHERE bucket = $1 AND member_id = $2"

# What a member was entitled to stays, under an id that says nothing: by it the figures of months
# that are past are the same whoever is forgotten.
_FORGET = ("DELETE FROM benefit_schedule WHERE bucket = $1 AND member_id = $2",)


async def leave(connection: Connection, member_id: MemberId, at: datetime) -> None:
    """Let a member who leaves be entitled to nothing any more; its standings end with it."""
    for statement in _END:
        await connection.execute(statement, bucket_of(member_id), member_id, at)
    await connection.execute(_REST, bucket_of(member_id), member_id)


async def take_over(
    connection: Connection, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Let nobody be merged away whose plan still holds: it is billed to that member.

    What the merged member was given and used before stays with its postings. Raises `PlanOfMerged`.
    """
    held = await entitlement_rows.read(connection, from_id)
    if any(one.ends > at for _, one in held):
        raise PlanOfMerged(member_id=str(from_id), into=str(into_id))


async def _export(
    connection: Connection, member_id: MemberId, at: datetime
) -> AsyncIterator[Piece]:
    del at
    held = await entitlement_rows.read(connection, member_id)
    yield (
        "entitlements",
        [
            {
                "plan_no": one.plan_no,
                "begins": one.begins,
                "ends": one.ends,
                "ground": one.ground,
            }
            for _, one in held
        ],
    )
    yield (
        "benefit_points",
        [
            {
                "benefit": one.benefit,
                "points": one.points,
                "granted_at": one.granted_at,
                "taken_back_at": one.taken_back_at,
            }
            for one in await grants.of_member(connection, member_id)
        ],
    )
    rows = await connection.fetch(_USES, bucket_of(member_id), member_id)
    yield "benefit_uses", [dict(row) for row in rows]


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    del asked_at
    for statement in _FORGET:
        await connection.execute(statement, bucket_of(member_id), member_id)


KEEPER = Keeper("benefits", _export, _erase, leave)
