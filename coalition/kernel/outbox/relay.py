"""The relay: turns each committed event into one job for each subscriber, and removes it, at once.

Both happen in one transaction, so an event is handed over exactly once; the jobs are then done at
least once. Several relays may run: each takes rows that no other one holds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog

from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import is_passing
from coalition.kernel.jobs import JobKind, JobRequest, enqueue
from coalition.kernel.jobs.stopping import is_set_within
from coalition.kernel.outbox.events import Delivery

POLL_S = 0.2
AT_ONCE = 500
"""How many events one transaction hands over."""

TOGETHER = 100
"""How many events a gathering subscriber gets in one job, at most."""

_LOST_DATABASE_PAUSE_S = 1.0
_TAKE = """
DELETE FROM outbox
USING (SELECT id FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) AS taken
WHERE outbox.id = taken.id
RETURNING outbox.id, kind, payload, occurred_at, committed_at
"""

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subscriber:
    """Somebody who wants to know of events of `kinds`.

    `handle(delivery, at)` may get the same delivery again and must not mind. `name` is kept in the
    queue: it never changes.
    """

    name: str
    kinds: frozenset[str]
    handle: Callable[[Delivery, datetime], Awaitable[None]]
    attempts: int = 10
    first_pause_s: float = 1.0


class Deliveries(msgspec.Struct, frozen=True):
    """Events that were handed over together, the oldest first."""

    events: list[Delivery]


@dataclass(frozen=True)
class GatheringSubscriber:
    """Somebody who wants events of `kinds` together: one job for what one look found.

    So its work is sets, and the more there is the fewer jobs for each event. The jobs of one name
    are done one at a time. `handle(deliveries, at)` may get the same again and must not mind.
    """

    name: str
    kinds: frozenset[str]
    handle: Callable[[Sequence[Delivery], datetime], Awaitable[None]]
    attempts: int = 10
    first_pause_s: float = 1.0


AnySubscriber = Subscriber | GatheringSubscriber


class _Undecoded(msgspec.Struct):
    """A delivery whose facts go through the relay as the text they are."""

    id: object
    kind: str
    payload: msgspec.Raw
    occurred_at: datetime
    committed_at: datetime


class _UndecodedTogether(msgspec.Struct):
    events: list[_Undecoded]


def job_kinds(subscribers: Sequence[AnySubscriber]) -> list[JobKind[Any]]:  # Any: of each its own
    """Return the kinds of jobs by which a worker delivers to `subscribers`."""
    return [
        _gathering(subscriber)
        if isinstance(subscriber, GatheringSubscriber)
        else JobKind(
            name=_job_name(subscriber),
            handle=subscriber.handle,
            payload=Delivery,
            attempts=subscriber.attempts,
            first_pause_s=subscriber.first_pause_s,
        )
        for subscriber in subscribers
    ]


def _gathering(subscriber: GatheringSubscriber) -> JobKind[Deliveries]:
    async def handle(deliveries: Deliveries, at: datetime) -> None:
        await subscriber.handle(deliveries.events, at)

    return JobKind(
        name=_job_name(subscriber),
        handle=handle,
        payload=Deliveries,
        attempts=subscriber.attempts,
        first_pause_s=subscriber.first_pause_s,
        one_at_a_time=True,
    )


async def hand_over(subscribers: Sequence[AnySubscriber], *, limit: int = AT_ONCE) -> int:
    """Hand at most `limit` events over to the queue; return how many there were."""
    async with transaction() as connection:
        rows = await connection.fetch(_TAKE, limit)
        events = [
            _Undecoded(
                row["id"],
                row["kind"],
                msgspec.Raw(row["payload"].encode()),
                row["occurred_at"],
                row["committed_at"],
            )
            for row in sorted(rows, key=lambda row: row["id"])
        ]
        requests = [request for one in subscribers for request in _requests(one, events)]
        await enqueue(connection, requests)
    return len(rows)


def _requests(subscriber: AnySubscriber, events: Sequence[_Undecoded]) -> list[JobRequest]:
    wanted = [event for event in events if event.kind in subscriber.kinds]
    name = _job_name(subscriber)
    if isinstance(subscriber, Subscriber):
        return [JobRequest(name, event) for event in wanted]
    starts = range(0, len(wanted), TOGETHER)
    return [
        JobRequest(name, _UndecodedTogether(wanted[start : start + TOGETHER])) for start in starts
    ]


def _unseen() -> None:
    """Tell nobody."""


async def run_relay(
    subscribers: Sequence[AnySubscriber],
    *,
    stop: asyncio.Event,
    poll_s: float = POLL_S,
    looked: Callable[[], None] = _unseen,
) -> None:
    """Hand events over until `stop` is set, looking every `poll_s` while there are none.

    `looked` is called after each look, also one for which the database was away: as long as it is,
    the relay does not hang.
    """
    while not stop.is_set():
        try:
            pause_s = poll_s if await hand_over(subscribers) == 0 else 0.0
        except Exception as error:
            if not is_passing(error):
                raise
            _logger.warning("relay_lost_database", error=type(error).__name__)
            pause_s = _LOST_DATABASE_PAUSE_S
        looked()
        if pause_s:
            await is_set_within(stop, pause_s)


def _job_name(subscriber: AnySubscriber) -> str:
    return f"event.{subscriber.name}"
