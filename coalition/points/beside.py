"""What is read of members in the round trip that asks for the version of the terms."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import database_id
from coalition.points import terms as business
from coalition.points.commands import Asked, HoldBody, IssueBody, RedeemBody
from coalition.points.terms import Beside, Terms


async def refresh_beside(
    connection: Connection,
    held: Terms | None,
    asked: Sequence[Asked],
    at: datetime,
    *,
    may_lock: bool,
) -> Beside:
    """Return the terms of now, and what is read of members who are named by their id.

    They are those who are given points, or, where all that is asked takes points of members named
    so, these: they are locked then, if the caller `may_lock`. Else whoever pays is locked later.
    """
    payers = _payers(asked) if may_lock else None
    if payers:
        return await business.refresh_locking(connection, held, payers)
    receivers = []
    for one in asked:
        command = one.command
        if type(command) is IssueBody and command.member_id is not None:
            receivers.append((database_id(command.member_id), command.occurred_at))
    return await business.refresh_beside(connection, held, receivers, at)


def _payers(asked: Sequence[Asked]) -> set[UUID] | None:
    """Return whose points are taken, where that is all, and they are all named by their id."""
    payers = set()
    for one in asked:
        command = one.command
        if (
            type(command) is RedeemBody or type(command) is HoldBody
        ) and command.member_id is not None:
            payers.add(database_id(command.member_id))
        else:
            return None
    return payers
