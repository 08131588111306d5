"""Asking for jobs, and how many of them wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

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


_BACKLOG = """
SELECT count(*) FILTER (WHERE status <> 'failed') AS open,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       min(execute_after) FILTER (WHERE status = 'queued') AS oldest
FROM pgqueuer
"""
_FORGET = (
    "DELETE FROM pgqueuer_log WHERE created < $1 AND aggregated",
    "DELETE FROM pgqueuer_statistics WHERE created < $1",
)


async def backlog(connection: Connection, at: datetime) -> Backlog:
    """Return what waits in the queue at `at`."""
    row = await connection.fetchrow(_BACKLOG)
    age_s = (at - row["oldest"]).total_seconds() if row["oldest"] else 0.0
    return Backlog(row["open"], row["failed"], max(age_s, 0.0))


async def forget_finished(connection: Connection, before: datetime) -> None:
    """Drop the queue's record of jobs that were finished before `before`."""
    for statement in _FORGET:
        await connection.execute(statement, before)
