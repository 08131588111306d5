"""The SQL of batches: stored with their chunks, worked off chunk by chunk, read by partners."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Executes
from coalition.kernel.ids import BatchId, bucket_of

_INSERT = """
INSERT INTO batch (bucket, id, partner_no, client_no, store_no, scopes, media_type, columns, state,
                   lines, posted, refused, received_at, finished_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""

_INSERT_CHUNK = """
INSERT INTO batch_chunk (bucket, batch, first_line, lines, partner_no, records, results)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

# One worker at a time: a second one waits here, and then goes on with the next chunk.
_LOCK = """
SELECT partner_no, client_no, store_no, scopes, media_type, columns,
       id, state, lines, posted, refused, received_at, finished_at
FROM batch WHERE bucket = $1 AND id = $2 FOR NO KEY UPDATE
"""

_NEXT = """
SELECT first_line, records FROM batch_chunk
WHERE bucket = $1 AND batch = $2 AND results IS NULL ORDER BY bucket, batch, first_line LIMIT 1
"""

_ANSWER_CHUNK = """
UPDATE batch_chunk SET results = $4, records = NULL
WHERE bucket = $1 AND batch = $2 AND first_line = $3 AND results IS NULL
"""

_MOVE_ON = """
UPDATE batch SET posted = $3, refused = $4, state = $5, finished_at = $6
WHERE bucket = $1 AND id = $2
"""

_COLUMNS = "SELECT id, state, lines, posted, refused, received_at, finished_at FROM batch "

_READ = _COLUMNS + "WHERE bucket = $1 AND id = $2 AND partner_no = $3"

_PAGE = (
    _COLUMNS + "WHERE partner_no = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
)

_RESULTS = """
SELECT first_line, lines, results FROM batch_chunk
WHERE bucket = $1 AND batch = $2 AND partner_no = $3 AND first_line + lines > $4
  AND results IS NOT NULL
ORDER BY bucket, batch, first_line LIMIT 1
"""


_NOT_DONE = """
SELECT count(*) AS number, min(received_at) AS oldest FROM batch WHERE state <> 'done'
"""


_CLIENT = "SELECT client_no FROM batch WHERE bucket = $1 AND id = $2"


class Sender(NamedTuple):
    """Who sent a batch, and what that caller may do."""

    partner_no: int
    client_no: int
    store_no: int | None
    scopes: frozenset[str]


class Stored(NamedTuple):
    """A batch as its partner may see it."""

    id: UUID
    state: str
    lines: int
    posted: int
    refused: int
    received_at: datetime
    finished_at: datetime | None


class StoredChunk(NamedTuple):
    """A chunk with either the packed lines that wait or the packed answers."""

    first_line: int
    lines: int
    records: bytes | None
    results: bytes | None


class Waiting(NamedTuple):
    """A batch whose row is locked, with its first chunk that waits."""

    stored: Stored
    sender: Sender
    media_type: str
    columns: Sequence[str]
    first_line: int
    records: bytes


async def insert(
    by: Executes,
    stored: Stored,
    chunks: Iterable[StoredChunk],
    *,
    sender: Sender,
    media_type: str,
    columns: Sequence[str],
) -> None:
    """Store a batch with its chunks."""
    bucket = bucket_of(stored.id)
    await by.execute(
        _INSERT,
        bucket,
        stored.id,
        sender.partner_no,
        sender.client_no,
        sender.store_no,
        sorted(sender.scopes),
        media_type,
        list(columns),
        *stored[1:],
    )
    for first_line, lines, records, results in chunks:
        await by.execute(
            _INSERT_CHUNK,
            bucket,
            stored.id,
            first_line,
            lines,
            sender.partner_no,
            records,
            results,
        )


async def lock_next(connection: Connection, batch: BatchId) -> Waiting | None:
    """Lock the batch and return its first chunk that waits; None when every line is answered."""
    bucket = bucket_of(batch)
    row = await connection.fetchrow(_LOCK, bucket, batch)
    if row is None or row["state"] == "done":
        return None
    chunk = await connection.fetchrow(_NEXT, bucket, batch)
    assert chunk is not None, "a batch that is not done has a chunk that waits"
    partner_no, client_no, store_no, scopes, media_type, columns, *stored = row
    sender = Sender(partner_no, client_no, store_no, frozenset(scopes))
    return Waiting(Stored(*stored), sender, media_type, columns, *chunk)


async def answer_chunk(
    connection: Connection, batch: UUID, *, first_line: int, results: bytes
) -> None:
    """Keep the answers of a chunk in place of its lines; the batch's row is locked."""
    done = await connection.execute(_ANSWER_CHUNK, bucket_of(batch), batch, first_line, results)
    assert done == "UPDATE 1", "a chunk of a locked batch is answered once"


async def move_on(connection: Connection, stored: Stored) -> None:
    """Write how far the batch is; its row is locked."""
    await connection.execute(
        _MOVE_ON,
        bucket_of(stored.id),
        stored.id,
        stored.posted,
        stored.refused,
        stored.state,
        stored.finished_at,
    )


async def read(connection: Connection, batch: BatchId, *, partner_no: int) -> Stored | None:
    """Return a batch of the partner; None when it has no such batch."""
    row = await connection.fetchrow(_READ, bucket_of(batch), batch, partner_no)
    return None if row is None else Stored(*row)


async def list_batches(
    connection: Connection, *, partner_no: int, before: UUID | None, limit: int
) -> list[Stored]:
    """Return at most `limit` batches of the partner, the latest first, older than `before`."""
    return [Stored(*row) for row in await connection.fetch(_PAGE, partner_no, before, limit)]


async def client_of(connection: Connection, batch: BatchId) -> int | None:
    """Return the number of the client that sent the batch; None when there is no such batch."""
    client_no: int | None = await connection.fetchval(_CLIENT, bucket_of(batch), batch)
    return client_no


async def not_done(connection: Connection) -> tuple[int, datetime | None]:
    """Return how many batches are not worked off, and when the oldest of them came."""
    number, oldest = await connection.fetchrow(_NOT_DONE)
    return number, oldest


async def read_answers(
    connection: Connection, batch: BatchId, *, partner_no: int, from_line: int
) -> StoredChunk | None:
    """Return the first chunk with answers to `from_line` or later lines; None where none is."""
    row = await connection.fetchrow(_RESULTS, bucket_of(batch), batch, partner_no, from_line)
    return None if row is None else StoredChunk(row[0], row[1], None, row[2])
