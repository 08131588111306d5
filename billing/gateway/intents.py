"""Intents: what we are about to ask of Stripe, written down before we ask.

The row is committed with its key before the call, and the answer kept after it. A crash in between
leaves an intent without answer: whoever makes the same call again, with the same key, makes the one
that Stripe knows by it, so that nothing is made or charged twice. See docs/adr/0059.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog

from billing.gateway.promises import Promise
from billing.gateway.refusals import IntentReused, StripeRefused, StripeUnavailable
from coalition.kernel.database import Connection, retrying, transaction

Answer = TypeVar("Answer")
Request = Mapping[str, Any]  # Any: JSON of the kind, without personal data

KEPT_AT_STRIPE = timedelta(hours=24)
"""For how long Stripe knows a key at least; a later call under it might be done a second time."""

LEFT_ALONE = timedelta(minutes=2)
"""So long an intent without answer is its caller's."""

_BEGIN = """
INSERT INTO stripe_intent AS kept (key, kind, request, begun_at, tried_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (key) DO UPDATE
SET tried_at = greatest(kept.tried_at, excluded.tried_at), attempts = kept.attempts + 1
RETURNING kind, request = $3 AS is_same, answer, refusal
"""
_PROMISE = """
INSERT INTO stripe_intent (key, kind, request, begun_at, tried_at, attempts)
VALUES ($1, $2, $3, $4, $4, 0) ON CONFLICT (key) DO NOTHING
"""
_TRY = """
UPDATE stripe_intent
SET begun_at = CASE attempts WHEN 0 THEN $2 ELSE begun_at END, attempts = attempts + 1
WHERE key = $1 AND answered_at IS NULL
"""
_ANSWER = """
UPDATE stripe_intent SET answered_at = $2, answer = $3 WHERE key = $1 AND answered_at IS NULL
"""
_REFUSE = """
UPDATE stripe_intent SET answered_at = $2, refusal = $3 WHERE key = $1 AND answered_at IS NULL
"""
_BEGUN = """
SELECT key, kind, request, begun_at FROM stripe_intent WHERE key = $1 AND refusal IS NULL
"""
_OF_SUBSCRIPTION = """
SELECT key, kind, request, begun_at FROM stripe_intent
WHERE request ->> 'subscription' = $1 AND kind = ANY ($2) AND refusal IS NULL
  AND (answered_at IS NOT NULL OR tried_at > $3)
"""
_REQUEST = "SELECT request FROM stripe_intent WHERE key = $1"
_PROMISES = """
SELECT request, begun_at, refusal,
    answered_at IS NULL AND attempts > 0 AND begun_at <= $3 AS is_lost
FROM stripe_intent WHERE request ->> 'subscription' = $1 AND kind = $2 ORDER BY begun_at, key
"""
_IS_KNOWN = "SELECT true FROM stripe_intent WHERE key = $1"
_IS_ANSWERED = "SELECT answer IS NOT NULL FROM stripe_intent WHERE key = $1"
_UNANSWERED = """
SELECT key, kind, request, begun_at FROM stripe_intent
WHERE answered_at IS NULL AND tried_at <= $1 AND (begun_at > $2 OR attempts = 0)
ORDER BY tried_at LIMIT $3
"""
_LOST = """
SELECT count(*) FROM stripe_intent WHERE answered_at IS NULL AND begun_at <= $1 AND attempts > 0
"""

_logger = structlog.get_logger(__name__)


class Refusal(msgspec.Struct, frozen=True):
    """What Stripe said no with, as it is kept."""

    reason: str
    decline_code: str | None
    message: str


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An intent without answer."""

    key: str
    kind: str
    request: dict[str, Any]  # Any: JSON of the kind
    begun_at: datetime


async def perform(
    kind: str,
    key: str,
    request: Request,
    call: Callable[[], Awaitable[Answer]],
    *,
    answer: type[Answer],
    at: datetime,
) -> Answer:
    """Return what `call` answers, asked of Stripe once for each `key`.

    `call` passes the same key to Stripe. An intent that was answered before answers the same again,
    also with a no. `request` is all that makes the call this one, without personal data. Raises
    `IntentReused` for another request under the key, and what `call` does.
    """
    written = msgspec.json.encode(request).decode()

    async def begin() -> tuple[str, bool, str | None, str | None]:
        async with transaction() as connection:
            row = await connection.fetchrow(_BEGIN, key, kind, written, at)
            return row["kind"], row["is_same"], row["answer"], row["refusal"]

    known_kind, is_same, known_answer, refusal = await retrying(begin)
    if known_kind != kind or not is_same:
        raise IntentReused
    if refusal is not None:
        raise StripeRefused(*msgspec.structs.astuple(msgspec.json.decode(refusal, type=Refusal)))
    if known_answer is not None:
        return msgspec.json.decode(known_answer, type=answer)
    try:
        answered = await call()
    except StripeRefused as refused:
        told = Refusal(refused.reason, refused.decline_code, refused.message)
        await _keep(_REFUSE, key, at, told)
        raise
    await _keep(_ANSWER, key, at, answered)
    return answered


async def promise(
    connection: Connection, kind: str, key: str, request: Request, *, at: datetime
) -> None:
    """Write down in the caller's transaction what is to be asked, by `perform` or by `recover`.

    So that nothing of several acts is left undone by whoever dies between them, or what follows
    from a transaction is asked once that is committed.
    """
    await connection.execute(_PROMISE, key, kind, msgspec.json.encode(request).decode(), at)


async def is_promised(connection: Connection, key: str) -> bool:
    """Tell whether anything was written down under `key`, whatever came of it."""
    return bool(await connection.fetchval(_IS_KNOWN, key))


async def begun(key: str) -> Intent | None:
    """Return what was written down under `key` and not refused; None for nothing.

    Whoever asks again goes on with it without judging it anew: Stripe may have done it.
    """
    async with transaction() as connection:
        row = await connection.fetchrow(_BEGUN, key)
    return None if row is None else _intent(row)


async def request_of(key: str) -> dict[str, Any] | None:  # Any: JSON of the kind
    """Return what was written down under `key`, whatever came of it; None for nothing."""
    async with transaction() as connection:
        written = await connection.fetchval(_REQUEST, key)
    return None if written is None else _read(written)


async def of_subscription(
    connection: Connection, subscription: str, kinds: Collection[str], at: datetime
) -> list[Intent]:
    """Return what of `kinds` Stripe was asked of a subscription, and did or is about to do."""
    earliest = at - LEFT_ALONE
    rows = await connection.fetch(_OF_SUBSCRIPTION, subscription, list(kinds), earliest)
    return [_intent(row) for row in rows]


async def promises(
    connection: Connection, subscription: str, kind: str, at: datetime
) -> list[Promise]:
    """Return all that was promised of a kind about a subscription, whatever came of it."""
    rows = await connection.fetch(_PROMISES, subscription, kind, at - KEPT_AT_STRIPE)
    return [
        Promise(
            request=_read(row["request"]),
            begun_at=row["begun_at"],
            refusal=None
            if row["refusal"] is None
            else msgspec.json.decode(row["refusal"], type=Refusal).message,
            is_lost=row["is_lost"],
        )
        for row in rows
    ]


async def is_answered(key: str) -> bool:
    """Tell whether Stripe has said yes to the intent under `key`."""
    async with transaction() as connection:
        return bool(await connection.fetchval(_IS_ANSWERED, key))


async def recover(
    calls: Mapping[str, Callable[[Intent], Awaitable[object]]], at: datetime, *, most: int = 100
) -> int:
    """Ask again for intents that were left without answer; return how many have one now.

    `calls` say how, by kind; intents of other kinds wait for their callers. Those older than Stripe
    remembers keys are left to the reconciliation, which sees what they have done.
    """
    answered = 0
    for one in await unanswered(at, most=most):
        call = calls.get(one.kind)
        if call is None:
            continue
        async with transaction() as connection:
            await connection.execute(_TRY, one.key, at)
        try:
            await _keep(_ANSWER, one.key, at, await call(one))
        except StripeRefused as refused:
            told = Refusal(refused.reason, refused.decline_code, refused.message)
            await _keep(_REFUSE, one.key, at, told)
        except StripeUnavailable:
            _logger.warning("intent_waits", kind=one.kind)
            continue
        answered += 1
    return answered


async def unanswered(at: datetime, *, most: int = 100) -> Sequence[Intent]:
    """Return intents whose callers are gone, while Stripe still knows their keys."""
    async with transaction() as connection:
        rows = await connection.fetch(_UNANSWERED, at - LEFT_ALONE, at - KEPT_AT_STRIPE, most)
    return [_intent(row) for row in rows]


async def count_lost(at: datetime) -> int:
    """Return how many intents nobody will hear of any more."""
    async with transaction() as connection:
        return int(await connection.fetchval(_LOST, at - KEPT_AT_STRIPE))


def _intent(row: Mapping[str, Any]) -> Intent:
    return Intent(
        key=row["key"],
        kind=row["kind"],
        request=_read(row["request"]),
        begun_at=row["begun_at"],
    )


def _read(written: str) -> dict[str, Any]:  # Any: JSON of a kind
    return msgspec.json.decode(written, type=dict[str, Any])


async def _keep(statement: str, key: str, at: datetime, told: object) -> None:
    written = msgspec.json.encode(told).decode()

    async def keep() -> None:
        async with transaction() as connection:
            await connection.execute(statement, key, at, written)

    await retrying(keep)
