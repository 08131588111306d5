"""The rows of events that came from Stripe: kept as they were signed, each once."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from billing.gateway.events import ReceivedEvent
from coalition.kernel.database import Connection

OTHER_MODE = "livemode"
"""Why an event is set aside that belongs to live payments here where test ones are, or back."""

# The first delivery is kept; each further one only counts. Sorted by id, so that two processes do
# not wait for each other in a circle.
_STORE = """
INSERT INTO stripe_event AS kept (id, kind, api_version, created_at, is_live, payload, target,
    set_aside, deliveries, received_at, due_at, handled_at)
SELECT id, kind, api_version, created_at, is_live, payload, target, set_aside, deliveries,
       $10::timestamptz, $10::timestamptz,
       CASE WHEN target IS NULL OR set_aside IS NOT NULL THEN $10::timestamptz END
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bool[], $6::bytea[],
            $7::text[], $8::text[], $9::int8[])
    AS given (id, kind, api_version, created_at, is_live, payload, target, set_aside, deliveries)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET deliveries = kept.deliveries + excluded.deliveries
"""

_KNOWN = "SELECT id FROM stripe_event WHERE id = ANY ($1)"

# All that waits for a target is taken with the first of it: one look answers them all. What another
# worker has just taken is skipped.
_CLAIM = """
WITH picked AS (
    SELECT id, target FROM stripe_event
    WHERE handled_at IS NULL AND due_at <= $1
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
), beside AS (
    SELECT id FROM stripe_event
    WHERE handled_at IS NULL AND due_at <= $1 AND target IN (SELECT target FROM picked)
    FOR UPDATE SKIP LOCKED
)
UPDATE stripe_event SET due_at = $2, attempts = attempts + 1
WHERE id IN (SELECT id FROM picked UNION SELECT id FROM beside)
RETURNING target, id, attempts
"""
_HANDLED = """
UPDATE stripe_event SET handled_at = $2, failure = NULL
WHERE id = ANY ($1) AND handled_at IS NULL
"""
_FAILED = """
UPDATE stripe_event SET due_at = coalesce($2::timestamptz, 'infinity'), failure = $3
WHERE id = ANY ($1) AND handled_at IS NULL
"""
_AGAIN = """
UPDATE stripe_event SET due_at = $2, attempts = 0
WHERE handled_at IS NULL AND failure IS NOT NULL AND ($1::text[] IS NULL OR id = ANY ($1))
RETURNING id
"""
_LIST = """
SELECT id, kind, target, created_at, received_at, deliveries, attempts, failure, set_aside,
       nullif(due_at, 'infinity') AS due_at, handled_at
FROM stripe_event
WHERE CASE WHEN $1 THEN failure IS NOT NULL AND handled_at IS NULL ELSE true END
ORDER BY received_at DESC, id LIMIT $2
"""
_EMPTY_OLD = """
UPDATE stripe_event SET payload = '' WHERE handled_at < $1 AND payload <> ''
"""
_EMPTY_NAMED = """
UPDATE stripe_event SET payload = '' WHERE position($1::bytea IN payload) > 0
"""
_DROP = "DELETE FROM stripe_event WHERE handled_at < $1"
_FIGURES = """
SELECT count(*) FILTER (WHERE failure IS NULL) AS waiting,
       count(*) FILTER (WHERE failure IS NOT NULL) AS failed,
       min(received_at) FILTER (WHERE due_at < 'infinity') AS oldest
FROM stripe_event WHERE handled_at IS NULL
"""


PAYLOADS_KEPT = timedelta(days=7)
"""So long the body of an event that was handled is kept: it may hold a person's name and address,
and nothing is decided by it."""

EVENTS_KEPT = timedelta(days=60)
"""So long it is known that an event came; Stripe sends and lists none older than 30 days."""


class Arrival(NamedTuple):
    """An event with its payload, and why it is set aside, if it is."""

    event: ReceivedEvent
    payload: bytes
    set_aside: str | None


class Taken(NamedTuple):
    """The events of one target that a worker has taken, and how often the first was tried."""

    target: str
    events: list[str]
    attempts: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An event as staff see it; `due_at` None is one that waits no more or was given up."""

    id: str
    kind: str
    target: str | None
    created_at: datetime | None
    received_at: datetime
    deliveries: int
    attempts: int
    failure: str | None
    set_aside: str | None
    due_at: datetime | None
    handled_at: datetime | None


class Figures(NamedTuple):
    """How many events wait and how many failed, and the age of the oldest in seconds."""

    waiting: int
    failed: int
    oldest_s: float


async def store(connection: Connection, arrivals: Iterable[Arrival], at: datetime) -> None:
    """Keep events, each once, in one statement; those that came before only count."""
    counts: dict[str, int] = {}
    firsts: dict[str, Arrival] = {}
    for one in arrivals:
        firsts.setdefault(one.event.id, one)
        counts[one.event.id] = counts.get(one.event.id, 0) + 1
    rows = [(*_columns(one), counts[one.event.id]) for one in firsts.values()]
    if rows:
        await connection.execute(_STORE, *map(list, zip(*rows, strict=True)), at)


def _columns(one: Arrival) -> tuple[object, ...]:
    event = one.event
    return (
        *(event.id, event.kind, event.api_version, event.created_at, event.is_live),
        *(one.payload, event.target, one.set_aside),
    )


async def unknown(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of `ids` that have never come."""
    known = {row[0] for row in await connection.fetch(_KNOWN, list(ids))}
    return set(ids) - known


async def claim(connection: Connection, at: datetime, *, until: datetime, most: int) -> list[Taken]:
    """Take events that are due, by target, so that nobody else handles them before `until`."""
    taken: dict[str, Taken] = {}
    for target, event, attempts in await connection.fetch(_CLAIM, at, until, most):
        one = taken.setdefault(target, Taken(target, [], attempts))
        one.events.append(event)
        taken[target] = one._replace(attempts=max(one.attempts, attempts))
    return list(taken.values())


async def handled(connection: Connection, events: Sequence[str], at: datetime) -> None:
    """Mark events as handled; what they told of is committed."""
    await connection.execute(_HANDLED, list(events), at)


async def failed(
    connection: Connection, events: Sequence[str], failure: str, again_at: datetime | None
) -> None:
    """Let events wait until `again_at`, or for staff when that is None."""
    await connection.execute(_FAILED, list(events), again_at, failure.replace("\0", "")[:500])


async def again(
    connection: Connection, at: datetime, events: Sequence[str] | None = None
) -> list[str]:
    """Let failed events be handled now, or those of `events` that failed; return their ids."""
    wanted = None if events is None else list(events)
    return [row[0] for row in await connection.fetch(_AGAIN, wanted, at)]


async def listed(connection: Connection, *, only_failed: bool, most: int) -> list[Row]:
    """Return events, the latest first."""
    rows = await connection.fetch(_LIST, only_failed, most)
    return [msgspec.convert(dict(row), Row) for row in rows]


async def tidy(connection: Connection, at: datetime) -> None:
    """Forget what was handled long ago: first the bodies, then that they came."""
    await connection.execute(_EMPTY_OLD, at - PAYLOADS_KEPT)
    await connection.execute(_DROP, at - EVENTS_KEPT)


async def forget(connection: Connection, customer_id: str) -> None:
    """Empty the bodies of all events that name a customer; what they are about stays known."""
    await connection.execute(_EMPTY_NAMED, customer_id.encode())


async def figures(connection: Connection, at: datetime) -> Figures:
    """Return how many events wait and since when."""
    waiting, failed_ones, oldest = await connection.fetchrow(_FIGURES)
    age_s = 0.0 if oldest is None else max((at - oldest).total_seconds(), 0.0)
    return Figures(waiting, failed_ones, age_s)
