"""Events: written as plain rows in the transaction of the change that they tell of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Executes
from coalition.kernel.ids import uuid7

_APPEND = """
INSERT INTO outbox (id, shard, kind, payload, occurred_at, committed_at)
SELECT given.*, $6
FROM unnest($1::uuid[], $2::int2[], $3::text[], $4::jsonb[], $5::timestamptz[]) AS given
"""
_WAITING = "SELECT count(*), min(committed_at) FROM outbox"

_encoder = msgspec.json.Encoder()


class Event(NamedTuple):
    """Something that happened: its kind ("points.posted") and its facts, without personal data.

    `occurred_at` is the business time where that is not the time of the transaction; `shard` is
    that of the rows the event is about.
    """

    kind: str
    payload: Mapping[str, Any]  # Any: facts of the kind, as JSON
    occurred_at: datetime | None = None
    shard: int = 0


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event as its subscribers get it; `id` is the same however often it comes."""

    id: UUID
    kind: str
    payload: dict[str, Any]  # Any: facts of the kind, as JSON
    occurred_at: datetime
    committed_at: datetime


async def append(connection: Executes, events: Sequence[Event], at: datetime) -> list[UUID]:
    """Write `events` in the transaction of `connection`, in one statement; return their ids."""
    if not events:
        return []
    ids = [uuid7(at) for _ in events]
    await connection.execute(
        _APPEND,
        ids,
        [event.shard for event in events],
        [event.kind for event in events],
        [_encoder.encode(event.payload).decode() for event in events],
        [event.occurred_at or at for event in events],
        at,
    )
    return ids


async def waiting(connection: Connection, at: datetime) -> tuple[int, float]:
    """Return how many events wait for the relay, and the age in seconds of the oldest."""
    number, oldest = await connection.fetchrow(_WAITING)
    return number, max((at - oldest).total_seconds(), 0.0) if oldest else 0.0
