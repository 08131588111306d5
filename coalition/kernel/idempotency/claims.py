"""Claims of idempotency keys, stored with the effect they stand for in one transaction."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.database.later import Executes
from coalition.kernel.errors import Conflict, Invalid, Refused
from coalition.kernel.ids import BUCKETS, buckets_of, digest16, digest_of, uuid_from_bytes

# OFFSET 0 keeps the planner from turning the look-up round: planned while the table was empty, as
# it is after each night's sweep, a plain join read the whole table for every key.
_FIND = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, digest), LATERAL (
    SELECT digest, body_hash, status, media_type, body FROM idempotency_claim
    WHERE bucket = wanted.bucket AND digest = wanted.digest
    OFFSET 0) AS kept
"""

_STORE = """
INSERT INTO idempotency_claim (bucket, digest, body_hash, status, media_type, body, claimed_at)
SELECT stored.*, $7
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int2[], $5::text[], $6::bytea[]) AS stored
"""

ONE_ANSWER = "a_key_has_one_answer"
"""The constraint that keeping the answer of a key which has one violates."""

_FORGET = "DELETE FROM idempotency_claim WHERE bucket BETWEEN $1 AND $2 AND claimed_at < $3"

_BUCKETS_AT_ONCE = 32


class KeyReused(Invalid):
    """The idempotency key was used with another body; take a new key for a new request."""

    code, title = "idempotency_key_reused", "Idempotency key reused"


class RequestInProgress(Conflict):
    """The first request with this idempotency key is still running; ask again in a moment."""

    code, title = "request_in_progress", "Request in progress"


class ClaimTakenError(Exception):
    """Another process committed the same key first; roll back, and its answer will be found."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A key of one client, for one address and body."""

    digest: UUID
    body_hash: UUID

    @classmethod
    def of(cls, client_no: int, key: str, address: str, body: bytes) -> "Claim":
        """Return the claim that `client_no` lays on `key` by sending `body` to `address`."""
        return cls(_id_of(str(client_no), key.encode()), _id_of(address, body))

    @classmethod
    def of_member(cls, member: UUID, key: str, address: str, body: bytes) -> "Claim":
        """Return the claim that a member lays on `key`, apart from those of clients."""
        return cls(
            uuid_from_bytes(digest16("member", member.bytes, key)),
            uuid_from_bytes(digest16(address, body)),
        )


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer as it goes over the wire."""

    status: int
    media_type: str
    body: bytes
    replayed: bool = False


def _id_of(first: str, second: bytes) -> UUID:
    """Return `digest16` of the two as an id; spelled out, as every act of a till needs two."""
    length = len(first) if first.isascii() else len(first.encode())
    begin = f"{length}:{first}{len(second)}:"
    return uuid_from_bytes(digest_of(begin.encode() + second))


async def find(connection: Connection, claims: Sequence[Claim]) -> dict[UUID, tuple[UUID, Answer]]:
    """Return, by digest, body hash and answer of each of `claims` that was answered before."""
    digests = [claim.digest for claim in claims]
    rows = await connection.fetch(_FIND, buckets_of(digests), digests)
    return {row[0]: (row[1], Answer(row[2], row[3], row[4], replayed=True)) for row in rows}


def replay(claim: Claim, found: dict[UUID, tuple[UUID, Answer]]) -> Answer | KeyReused | None:
    """Return the first answer of `claim`, the refusal of a reused key, or None for a new key."""
    kept = found.get(claim.digest)
    if kept is None:
        return None
    body_hash, answer = kept
    return answer if body_hash == claim.body_hash else KeyReused()


async def store(by: Executes, answers: Sequence[tuple[Claim, Answer]], at: datetime) -> None:
    """Keep `answers` (distinct keys) with the transaction's effect.

    Raises `ClaimTakenError` when one of the keys was answered before: the transaction is lost then.
    Who keeps them `Later` meets a violation of `ONE_ANSWER` instead, when it is written; see
    `one_answer_each`.
    """
    if not answers:
        return
    buckets = buckets_of([claim.digest for claim, _ in answers])
    rows = [
        (bucket, claim.digest.bytes, claim.body_hash, one.status, one.media_type, one.body)
        for bucket, (claim, one) in zip(buckets, answers, strict=True)
    ]
    rows.sort()  # by bucket and digest: so all sessions lock them
    with one_answer_each():
        await by.execute(_STORE, *zip(*rows, strict=True), at)


@contextmanager
def one_answer_each() -> Iterator[None]:
    """Raise `ClaimTakenError` where what is written here keeps the answer of a key that has one."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise ClaimTakenError from error


async def once(
    claim: Claim,
    at: datetime,
    work: Callable[[Connection], Awaitable[Answer]],
    *,
    patience_ms: int = 5_000,
) -> Answer:
    """Run `work` in a transaction with its claim, or give the first answer again.

    Raises `KeyReused` for another body, `RequestInProgress` when the first request holds the key
    for longer than `patience_ms`, and whatever `work` refuses; nothing is kept then.
    """

    async def attempt() -> Answer:
        async with transaction({"lock_timeout": f"{patience_ms}ms"}) as connection:
            known = await _first_answer(connection, claim)
            if known is not None:
                return known
            answer = await work(connection)
            try:
                await store(connection, [(claim, answer)], at)
            except asyncpg.LockNotAvailableError as error:
                raise RequestInProgress from error
            return answer

    while True:
        try:
            return await retrying(attempt)
        except ClaimTakenError:
            continue  # the other one has committed: the next look finds its answer
        except Refused:
            # The first request may have committed after this one looked, and its effect be what
            # this one was refused for: whoever saw the effect finds the answer.
            async with transaction() as connection:
                known = await _first_answer(connection, claim)
            if known is None:
                raise
            return known


async def _first_answer(connection: Connection, claim: Claim) -> Answer | None:
    known = replay(claim, await find(connection, [claim]))
    if isinstance(known, KeyReused):
        raise known
    return known


async def forget_before(before: datetime) -> int:
    """Drop the answers of keys that were claimed before `before`; return how many there were.

    Each range of buckets has a transaction of its own, so that a run that is killed keeps what it
    did and no transaction grows with the number of keys.
    """
    forgotten = 0
    for first in range(0, BUCKETS, _BUCKETS_AT_ONCE):

        async def forget(first: int = first) -> int:
            async with transaction() as connection:
                last = first + _BUCKETS_AT_ONCE - 1
                return int((await connection.execute(_FORGET, first, last, before)).split()[-1])

        forgotten += await retrying(forget)
    return forgotten
