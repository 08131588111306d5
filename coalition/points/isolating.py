"""Many lines posted together, of which one that the database itself refuses spoils none other."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import asyncpg

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.errors import Invalid
from coalition.ledger import receipts
from coalition.ledger.lots import LotCollisionError
from coalition.ledger.waiting import Waiting
from coalition.points.commands import Asked
from coalition.points.leases import Leases
from coalition.points.pooled import Planning
from coalition.points.service import LineAnswer, Told, post
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
    last: Later,
    told: Told | None = None,
) -> list[LineAnswer]:
    """Do as `post` without explaining, and isolate a line that the database itself refuses.

    `told` is called with the answers while the server writes what was posted: where that does not
    fail they are those that are returned, in the same list. `last` hears of the commit, and tells
    whether locks come last.
    """
    if not asked:
        return []
    posting = partial(
        post,
        connection,
        asked,
        terms=terms,
        leases=leases,
        card_key=card_key,
        at=at,
        explains=False,
        planning=planning,
        told=told or _nothing,
    )
    answers = await _posted_together(connection, posting, last)
    if answers is not None:
        return answers
    if len(asked) == 1:
        return [RefusedByDatabase()]
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
            last=last,
        )
    ]


async def _posted_together(
    connection: Connection, posting: Callable[..., Awaitable[list[LineAnswer]]], last: Later
) -> list[LineAnswer] | None:
    """Return what `posting` answers, or None where the database refuses a line: nothing is done.

    Where a receipt proves to be used it posts once more without trust.
    """
    for trusts in (True, False):
        waiting = Waiting(
            defers=True, trusts_ahead=trusts, counts=False, locks_last=last.locks_last
        )
        await connection.execute("SAVEPOINT lines")
        try:
            async with waiting.later.in_parts():
                answers = await posting(waiting=waiting)
        except _OF_ONE_LINE as error:
            await connection.execute("ROLLBACK TO SAVEPOINT lines")
            if trusts and _is_used(error):
                continue
            return None
        await connection.execute("RELEASE SAVEPOINT lines")
        last.when_committed(waiting.later.committed)
        return answers
    raise AssertionError("without trust no receipt is found used")


def _is_used(error: Exception) -> bool:
    """Tell whether a receipt was used before that was trusted to be unused."""
    return getattr(error, "constraint_name", None) == receipts.USED_ONCE


def _nothing(_: Sequence[LineAnswer]) -> None:
    """Do nothing: of a part nobody is told."""
