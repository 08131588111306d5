"""The drain: events that wait are looked at, by target, until what they tell of is committed.

A storm of events about one target costs one look. Events are taken for a while, not deleted: a
worker that dies loses nothing, and another takes them over. What fails is tried again with pauses
that double, and left for staff in the end; the reconciliation sees to it all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from billing.gateway import inbox
from billing.gateway.inbox import Taken
from coalition.kernel.clock import Clock
from coalition.kernel.database import retrying, transaction
from coalition.kernel.jobs.stopping import is_set_within

Handle = Callable[[str, datetime], Awaitable[object]]
"""Looks at a target (the id of a subscription, an invoice, a payment or a checkout) at a time."""

POLL_S = 0.5
AT_ONCE = 50
SIDE_BY_SIDE = 4
LEASE = timedelta(minutes=5)
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 3600.0
ATTEMPTS_MOST = 15
"""After so many, which is some four hours, an event waits for staff."""

_logger = structlog.get_logger(__name__)


async def drain(at: datetime, handle: Handle, *, most: int = AT_ONCE) -> int:
    """Look at what is due; return how many targets were looked at, however it went.

    Raises nothing that `handle` does: it is kept with the event.
    """

    async def take() -> list[Taken]:
        async with transaction() as connection:
            return await inbox.claim(connection, at, until=at + LEASE, most=most)

    taken = await retrying(take)
    gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def look(one: Taken) -> None:
        async with gate:
            await _look(one, at, handle)

    async with asyncio.TaskGroup() as group:
        for one in taken:
            group.create_task(look(one))
    return len(taken)


async def drain_all(at: datetime, handle: Handle) -> int:
    """Look at all that is due by `at`; return how many targets there were."""
    looked = 0
    while some := await drain(at, handle):
        looked += some
    return looked


async def run(stop: asyncio.Event, clock: Clock, handle: Handle, *, poll_s: float = POLL_S) -> None:
    """Drain until `stop` is set, looking every `poll_s`; failures are logged and end nothing."""
    failures = 0
    while not stop.is_set():
        try:
            looked = await drain(clock.now(), handle)
        except Exception as error:
            failures += 1
            pause_s = pause_after(failures)
            _logger.warning("event_drain_failed", pause_s=pause_s, exc_info=error)
        else:
            failures = 0
            pause_s = 0.0 if looked else poll_s
        await is_set_within(stop, pause_s)


def pause_after(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)


async def _look(one: Taken, at: datetime, handle: Handle) -> None:
    try:
        await handle(one.target, at)
    except Exception as error:  # noqa: BLE001 - it is kept with the event, whatever it is
        await _failed(one, at, error)
        return

    async def done() -> None:
        async with transaction() as connection:
            await inbox.handled(connection, one.events, at)

    await retrying(done)


async def _failed(one: Taken, at: datetime, error: Exception) -> None:
    is_given_up = one.attempts >= ATTEMPTS_MOST
    pause_s = pause_after(one.attempts)
    again_at = None if is_given_up else at + timedelta(seconds=pause_s)
    _logger.warning(
        "event_failed", target=one.target, attempts=one.attempts, pause_s=pause_s, exc_info=error
    )

    async def keep() -> None:
        async with transaction() as connection:
            failure = f"{type(error).__name__}: {error}"
            await inbox.failed(connection, one.events, failure, again_at)

    await retrying(keep)
