"""Takes uploads in: posted in the request, or kept whole for the job; each under its key."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.access.queries import is_revoked
from coalition.kernel import jobs
from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.database.later import Executes, Later
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.kernel.idempotency import (
    Answer,
    Claim,
    ClaimTakenError,
    KeyReused,
    find,
    one_answer_each,
    replay,
    store,
)
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.ids import BatchId, uuid7
from coalition.kernel.jobs import JobRequest
from coalition.kernel.web.decoding import Media, encode
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from coalition.points.till import Tills
from partners.batches import chunks, queries, results
from partners.batches.lines import Decoded, LineDecoder
from partners.batches.queries import Sender, Stored, StoredChunk
from partners.batches.refusals import SenderRevoked, UnknownBatch
from partners.batches.upload import Received, unpacked
from partners.batches.views import (
    BatchAccepted,
    BatchPage,
    BatchState,
    BatchView,
    head_of,
    view_of,
)

JOB = "batches.run"
"""The name of the job that works a batch off; it is kept in the queue and never changes."""

POSTED_AT_ONCE = 2
"""How many batches one process posts at the same time: tills need the other connections."""

_POSTED, _ACCEPTED = 201, 202
_JOB_STORED = {"lock_timeout": "5s"}


class BatchJob(msgspec.Struct, frozen=True):
    """What the job is told."""

    batch_id: UUID


class Upload(NamedTuple):
    """An upload that came whole, and who sent it under which key."""

    sender: Sender
    claim: Claim
    media_type: str
    received: Received
    answer_media: Media


class Batches:
    """Takes the batches of one service process in, and works them off in a worker."""

    def __init__(self, tills: Tills) -> None:
        self._tills = tills
        self._posting = asyncio.Semaphore(POSTED_AT_ONCE)
        self._running: set[UUID] = set()

    @asynccontextmanager
    async def only_one(self, key: UUID) -> AsyncIterator[None]:
        """Refuse a second upload under `key` while the first is under way.

        This is a courtesy of one process; that there is one effect is the claim's doing.
        """
        if key in self._running:
            raise RequestInProgress
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    async def take(self, upload: Upload, clock: Clock) -> Answer:
        """Post a batch of few lines, or keep one of many for the job; or answer as the first time.

        Its time is that of its posting, not of a request whose body took long to come. Raises
        `KeyReused`. A body that was answered in the request is written anew from what is
        kept, byte for byte.
        """
        while True:
            try:
                if upload.received.spool is not None:
                    return await retrying(lambda: self._keep(upload, clock.now()))
                async with self._posting:
                    return await retrying(
                        lambda: self._tills.covered(lambda: self._post(upload, clock.now()))
                    )
            except ClaimTakenError:
                continue  # another process has just taken the same upload in: find its answer

    async def run(self, batch: BatchId, clock: Clock) -> None:
        """Work `batch` off, chunk by chunk, each in a transaction; begun again it goes on.

        Each chunk has its own time: a long job is not posted as if all at its start.
        """
        while await retrying(
            lambda: self._tills.covered(lambda: self.run_next(batch, clock.now()))
        ):
            pass

    async def run_next(self, batch: BatchId, at: datetime) -> bool:
        """Answer the next chunk of `batch`; tell whether there was one.

        A sender that was revoked meanwhile posts nothing more: each line left is refused.
        """
        await ensure_partition(at)
        may_not_post = await _sender_is_revoked(batch)
        last = Later()
        async with transaction(posting.PINNED_FOR_LINES, role=posting.POSTER_ROLE) as connection:
            waiting = await queries.lock_next(connection, batch)
            if waiting is None:
                return False
            records = await asyncio.to_thread(unpacked, waiting.records)
            if may_not_post:
                answered = await chunks.refuse_chunk(
                    SenderRevoked(), first_line=waiting.first_line, lines=len(records)
                )
            else:
                decoder = LineDecoder(waiting.media_type, waiting.columns)
                answered = await chunks.post_chunk(
                    connection,
                    self._tills,
                    decoder.decode(records),
                    sender=waiting.sender,
                    first_line=waiting.first_line,
                    at=at,
                    last=last,
                )
            await queries.answer_chunk(
                connection, batch, first_line=waiting.first_line, results=answered.packed
            )
            await queries.move_on(
                connection,
                _after(waiting.stored, lines=len(records), refused=answered.refused, at=at),
            )
        last.committed()
        return True

    async def _post(self, upload: Upload, at: datetime) -> Answer:
        decoder = LineDecoder(upload.media_type, upload.received.columns)
        await ensure_partition(at)
        # Two batches at a time nearly always meet in some member.
        batch, last = _new_batch(at), Later(locks_last=self._posting.locked())
        # All lines together: two sets of lots that one transaction locks one after the other are
        # in no order, so that two such batches, or a batch and a till, would wait in a circle.
        decoded: Decoded = []
        for chunk in upload.received.chunks:
            decoded += decoder.decode(chunk.records)
            await asyncio.sleep(0)
        async with transaction(posting.PINNED_FOR_LINES, role=posting.POSTER_ROLE) as connection:
            known = await _known(connection, upload)
            if known is not None:
                return known
            answered = await chunks.post_chunk(
                connection,
                self._tills,
                decoded,
                sender=upload.sender,
                first_line=1,
                at=at,
                last=last,
            )
            lines, refused = len(decoded), answered.refused
            done = BatchState.DONE.value
            stored = Stored(batch, done, lines, lines - refused, refused, at, at)
            kept = [StoredChunk(1, lines, None, answered.packed)]
            media_type, closing = upload.answer_media.value, Later()
            await _insert(closing, upload, stored, kept)
            await store(closing, [(upload.claim, Answer(_POSTED, media_type, batch.bytes))], at)
            with one_answer_each():
                await closing.write(connection)
        last.committed()
        return Answer(_POSTED, media_type, _written(stored, media_type, [answered.ndjson]))

    async def _keep(self, upload: Upload, at: datetime) -> Answer:
        """Store the lines and ask for the job, in one transaction: all of it or nothing."""
        batch = _new_batch(at)
        received = upload.received
        assert received.spool is not None, "what is for the job is on disk"
        async with transaction(_JOB_STORED) as connection:
            known = await _known(connection, upload)
            if known is not None:
                return known
            stored = Stored(batch, BatchState.QUEUED.value, received.lines, 0, 0, at, None)
            waiting = (
                StoredChunk(chunk.first_line, chunk.lines, chunk.packed, None)
                for chunk in received.spool
            )
            await _insert(connection, upload, stored, waiting)
            await jobs.enqueue(connection, [JobRequest(JOB, BatchJob(batch), f"batch:{batch}")])
            accepted = BatchAccepted(batch_id=batch, state=BatchState.QUEUED, lines=received.lines)
            media = upload.answer_media
            answer = Answer(_ACCEPTED, media.value, encode(accepted, media))
            await store(connection, [(upload.claim, answer)], at)
        return answer


async def show(batch: BatchId, *, partner_no: int) -> BatchView:
    """Return a batch of the partner as it stands. Raises `UnknownBatch`."""
    return view_of(await _read(batch, partner_no))


async def list_batches(*, partner_no: int, cursor: UUID | None, limit: int) -> BatchPage:
    """Return a page of the partner's batches."""
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        found = await queries.list_batches(
            connection, partner_no=partner_no, before=cursor, limit=limit + 1
        )
    page = [view_of(stored) for stored in found[:limit]]
    return BatchPage(page, page[-1].batch_id if len(found) > limit else None)


async def answers(batch: BatchId, *, partner_no: int, from_line: int) -> AsyncIterator[bytes]:
    """Yield as NDJSON, chunk by chunk, what is answered of a batch. Raises `UnknownBatch`."""
    await _read(batch, partner_no)
    line = from_line
    while True:
        async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
            chunk = await queries.read_answers(
                connection, batch, partner_no=partner_no, from_line=line
            )
        if chunk is None or chunk.results is None:
            return
        ndjson = await asyncio.to_thread(results.unpack, chunk.results)
        yield results.from_line(ndjson, line - chunk.first_line)
        line = chunk.first_line + chunk.lines


async def _known(connection: Connection, upload: Upload) -> Answer | None:
    """Return the first answer to the same upload; None when it is new."""
    known = replay(upload.claim, await find(connection, [upload.claim]))
    if isinstance(known, KeyReused):
        raise known
    if known is None or known.status == _ACCEPTED:
        return known
    # Of a batch that was answered in its request only the id is kept beside the claim.
    batch, partner_no = BatchId(UUID(bytes=known.body)), upload.sender.partner_no
    stored = await _read(batch, partner_no)
    kept = [ndjson async for ndjson in answers(batch, partner_no=partner_no, from_line=1)]
    return msgspec.structs.replace(known, body=_written(stored, known.media_type, kept))


async def _sender_is_revoked(batch: BatchId) -> bool:
    # In a transaction of its own: the role of postings may not look at clients.
    async with transaction() as connection:
        client_no = await queries.client_of(connection, batch)
        return client_no is not None and await is_revoked(connection, client_no)


async def _read(batch: BatchId, partner_no: int) -> Stored:
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        stored = await queries.read(connection, batch, partner_no=partner_no)
    if stored is None:
        raise UnknownBatch
    return stored


async def _insert(
    by: Executes, upload: Upload, stored: Stored, kept: Iterable[StoredChunk]
) -> None:
    await queries.insert(
        by,
        stored,
        kept,
        sender=upload.sender,
        media_type=upload.media_type,
        columns=upload.received.columns,
    )


def _new_batch(at: datetime) -> BatchId:
    return BatchId(uuid7(at))


def _written(stored: Stored, media_type: str, ndjson: list[bytes]) -> bytes:
    head = head_of(stored)
    if media_type == Media.MSGPACK.value:
        return results.as_msgpack(head, ndjson)
    return results.as_json(head, ndjson)


def _after(stored: Stored, *, lines: int, refused: int, at: datetime) -> Stored:
    """Return how far a batch is when a chunk of `lines` was answered."""
    posted = stored.posted + lines - refused
    refused += stored.refused
    is_done = posted + refused == stored.lines
    return stored._replace(
        posted=posted,
        refused=refused,
        state=(BatchState.DONE if is_done else BatchState.RUNNING).value,
        finished_at=at if is_done else None,
    )
