"""Many lines posted together, of which one that the database itself refuses spoils none other."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from coalition.kernel.database import Connection
from coalition.kernel.errors import Invalid
from coalition.ledger.lots import LotCollisionError
from coalition.points.commands import Asked
from coalition.points.leases import Leases
from coalition.points.pooled import Planning
from coalition.points.service import LineAnswer, post
from coalition.points.terms import Terms


class RefusedByDatabase(Invalid):
    """The database refuses this line as it is; check its fields."""

    code, title = "refused_by_database", "Refused by the database"


# What the database or the ledger refuses for one line's sake, so that the others may go without it.
_OF_ONE_LINE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, LotCollisionError)


async def post_isolating(
    connection: Connection,
    asked: Sequence[Asked],
    *,
    terms: Terms,
    leases: Leases,
    card_key: bytes,
    at: datetime,
    planning: Planning,
) -> list[LineAnswer]:
    """Do as `post` without explaining, and isolate a line that the database itself refuses."""
    if not asked:
        return []
    await connection.execute("SAVEPOINT lines")
    try:
        answers = await post(
            connection,
            asked,
            terms=terms,
            leases=leases,
            card_key=card_key,
            at=at,
            explains=False,
            planning=planning,
        )
    except _OF_ONE_LINE:
        await connection.execute("ROLLBACK TO SAVEPOINT lines")
        if len(asked) == 1:
            return [RefusedByDatabase()]
    else:
        await connection.execute("RELEASE SAVEPOINT lines")
        return answers
    middle = len(asked) // 2
    halves = (asked[:middle], asked[middle:])
    return [
        answer
        for half in halves
        for answer in await post_isolating(
            connection,
            half,
            terms=terms,
            leases=leases,
            card_key=card_key,
            at=at,
            planning=planning,
        )
    ]
