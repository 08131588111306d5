"""What the guards keep about members: told on a member's request, and made nameless by erasure."""

from collections.abc import AsyncIterator
from datetime import datetime

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members.privacy import Keeper, Piece
from coalition.points.guards import cases

_CASES = """
SELECT guard_case.id, rule.name AS rule, guard_case.subject, guard_case.state, guard_case.opened_at,
       guard_case.last_hit_at, guard_case.decided_at
FROM guard_case JOIN guard_rule AS rule ON rule.no = guard_case.rule_no
WHERE guard_case.member_id = $1 ORDER BY guard_case.opened_at, guard_case.id
"""


async def export(connection: Connection, member_id: MemberId, at: datetime) -> AsyncIterator[Piece]:
    """Yield the cases about a member, without what staff noted in them."""
    del at

    async def rows() -> AsyncIterator[dict[str, object]]:
        for row in await connection.fetch(_CASES, member_id):
            yield dict(row)

    yield "guard_cases", rows()


async def erase(connection: Connection, member_id: MemberId, at: datetime) -> None:
    """Forget the member's cards in cases. Counts hold digests only, and go with their windows."""
    del at
    await cases.erase(connection, member_id)


KEEPER = Keeper("guards", export, erase)
