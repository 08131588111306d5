"""Asking for jobs, and how many of them wait.

The queue goes by the database's clock, by which pgqueuer says what is due. No time machine moves
that, so what is told here is how long somebody has waited, wherever our own clock stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.jobs.kinds import NoPayload

_NO_PAYLOAD = NoPayload()
_AT_ONCE = timedelta(0)


@dataclass(frozen=True)
class JobRequest:
    """A job of the kind `name` that is wanted.

    While another with the same `dedupe_key` waits or runs, this one is not queued. `delay` counts
    from the transaction.
    """

    name: str
    payload: msgspec.Struct = _NO_PAYLOAD
    dedupe_key: str | None = None
    delay: timedelta = _AT_ONCE
    priority: int = 0


async def enqueue(connection: Connection, requests: Sequence[JobRequest]) -> None:
    """Queue `requests` in the transaction of `connection`: all of them, or none."""
    if not requests:
        return
    # It is heavy, and most of what only asks for jobs, such as a service, seldom does.
    from pgqueuer.db import AsyncpgDriver  # noqa: PLC0415 - see above
    from pgqueuer.queries import Queries  # noqa: PLC0415 - see above

    await Queries(AsyncpgDriver(connection)).enqueue(
        [request.name for request in requests],
        [msgspec.json.encode(request.payload) for request in requests],
        [request.priority for request in requests],
        [request.delay for request in requests],
        [request.dedupe_key for request in requests],
        on_conflict="skip",
    )


class Backlog(NamedTuple):
    """What has not been done: waiting or running, given up, and how late the oldest is."""

    open: int
    failed: int
    oldest_due_s: float


# When the server took this very statement, or the first that asked so in the transaction.
_HERE: Final = "(SELECT query_start FROM pg_stat_get_activity(pg_backend_pid()))"

_BACKLOG = f"""
SELECT count(*) FILTER (WHERE status <> 'failed') AS open,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       {_HERE} - min(execute_after) FILTER (WHERE status = 'queued') AS late
FROM pgqueuer
"""  # noqa: S608 - ours
_FORGET = (
    f"DELETE FROM pgqueuer_log WHERE created < {_HERE} - $1::interval AND aggregated",  # noqa: S608 - ours
    f"DELETE FROM pgqueuer_statistics WHERE created < {_HERE} - $1::interval",  # noqa: S608 - ours
)


async def backlog(connection: Connection) -> Backlog:
    """Return what waits in the queue now."""
    row = await connection.fetchrow(_BACKLOG)
    late_s = row["late"].total_seconds() if row["late"] else 0.0
    return Backlog(row["open"], row["failed"], max(late_s, 0.0))


async def forget_finished(connection: Connection, kept: timedelta) -> None:
    """Drop the queue's record of jobs that were finished longer ago than `kept`."""
    for statement in _FORGET:
        await connection.execute(statement, kept)
