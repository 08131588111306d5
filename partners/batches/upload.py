"""Reads an upload: bounded, split into chunks, in memory while it is small and on disk after."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, cast

import msgspec

from coalition.kernel.web.decoding import declared_length, too_large
from coalition.kernel.web.hot import Upload
from partners.batches import results
from partners.batches.lines import columns_of, is_cut
from partners.batches.refusals import BatchEmpty, BatchTruncated, TooManyLines
from partners.batches.splitting import CSV, LINES_MOST, Records, splitter_of

CHUNK_LINES = 5_000
CHUNK_MOST_BYTES = 4_000_000
AT_ONCE_LINES = 10_000
"""Up to so many lines are answered in the request, unless they are unusually long."""
AT_ONCE_BYTES = 16_000_000

_STEP_BYTES = 1_000_000


class Chunk(msgspec.Struct, frozen=True):
    """Lines that are read together; `first_line` counts from 1. A job posts each by itself."""

    first_line: int
    records: Records


class PackedChunk(msgspec.Struct, frozen=True):
    """A chunk as it is kept for the job."""

    first_line: int
    lines: int
    packed: bytes


class Received(msgspec.Struct, frozen=True):
    """An upload that came whole: in memory, or on disk when it is for the job."""

    digest: bytes
    columns: list[str]
    lines: int
    chunks: list[Chunk]
    spool: "Spool | None"


class Binary(Protocol):
    """A file that was opened for bytes."""

    def write(self, data: bytes, /) -> int:
        """Append `data`."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes."""
        ...

    def seek(self, position: int, /) -> int:
        """Go to `position`."""
        ...

    def close(self) -> None:
        """Close the file, which removes it."""
        ...


class Spool:
    """Packed chunks in a file without a name: whatever happens, nothing of it is left behind."""

    def __init__(self) -> None:
        self._file = cast("Binary", tempfile.TemporaryFile())  # noqa: SIM115 - closed by `close`
        self._sizes: list[tuple[int, int, int]] = []

    async def add(self, chunk: Chunk) -> None:
        """Append `chunk`."""
        packed = await asyncio.to_thread(_packed, chunk.records)
        self._file.write(packed)
        self._sizes.append((chunk.first_line, len(chunk.records), len(packed)))

    def __iter__(self) -> Iterator[PackedChunk]:
        """Give the chunks back in order."""
        self._file.seek(0)
        for first_line, lines, size in self._sizes:
            yield PackedChunk(first_line, lines, self._file.read(size))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def _packed(records: Records) -> bytes:
    return results.pack(msgspec.msgpack.encode(records))


def unpacked(packed: bytes) -> Records:
    """Return the lines of a chunk that was kept."""
    return msgspec.msgpack.decode(results.unpack(packed), type=Records)


class _Reader:
    """Collects lines into chunks, and moves to disk when they become too many."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.spool: Spool | None = None
        self.lines = 0
        self._records: Records = []
        self._bytes = 0
        self._all_bytes = 0

    async def add(self, records: Records) -> None:
        size = sum([len(record) for record in records if record is not None])
        if (
            len(self._records) + len(records) < CHUNK_LINES
            and self._bytes + size < CHUNK_MOST_BYTES
        ):
            self._records += records
            self._bytes += size
            return
        for record in records:
            self._records.append(record)
            self._bytes += len(record or b"")
            if len(self._records) >= CHUNK_LINES or self._bytes >= CHUNK_MOST_BYTES:
                await self._end_chunk()

    async def finish(self) -> None:
        if self._records:
            await self._end_chunk()
        if not self.lines:
            raise BatchEmpty

    async def _end_chunk(self) -> None:
        chunk = Chunk(self.lines + 1, self._records)
        self.lines += len(self._records)
        self._all_bytes += self._bytes
        self._records, self._bytes = [], 0
        if self.lines > LINES_MOST:
            raise TooManyLines(limit=LINES_MOST)
        self.chunks.append(chunk)
        if self.spool is None and (self.lines > AT_ONCE_LINES or self._all_bytes > AT_ONCE_BYTES):
            self.spool = Spool()
        if self.spool is not None:
            for kept in self.chunks:
                await self.spool.add(kept)
            self.chunks.clear()


async def receive(upload: Upload, *, limit_bytes: int) -> Received:
    """Read `upload` to its end; the caller closes the spool of what is returned.

    Raises `TooLarge`, `TooManyLines`, `BatchEmpty`, `BatchTruncated`, `BatchUnreadable`,
    `BatchHeaderInvalid`. Nothing is kept then.
    """
    reader = _Reader()
    try:
        digest, columns = await _read_all(upload, reader, limit_bytes)
    except BaseException:
        if reader.spool is not None:
            reader.spool.close()
        raise
    return Received(digest, columns, reader.lines, reader.chunks, reader.spool)


async def _read_all(upload: Upload, reader: _Reader, limit_bytes: int) -> tuple[bytes, list[str]]:
    splitter = splitter_of(upload.media_type)
    digest = hashlib.blake2b(digest_size=16)
    has_header = upload.media_type == CSV
    columns: list[str] = []
    ends = False
    pieces = _pieces(upload, limit_bytes)
    while not ends:
        piece = await anext(pieces, None)
        ends = piece is None
        digest.update(piece or b"")
        records = splitter.finish() if piece is None else splitter.feed(piece)
        if has_header and not columns and records:
            columns = columns_of(records.pop(0))
        if columns and ends and is_cut(records, columns):
            raise BatchTruncated("The last line ends in the middle; nothing of the upload was kept")
        await reader.add(records)
    await reader.finish()
    return digest.digest(), columns


async def _pieces(upload: Upload, limit_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body in pieces that do not hold the event loop up."""
    expected = declared_length(upload.declared_bytes, limit_bytes=limit_bytes)
    came = 0
    more = True
    while more:
        message = cast("dict[str, Any]", await upload.receive())  # Any: an ASGI message
        if message["type"] == "http.disconnect":
            raise BatchTruncated
        body: bytes = message.get("body", b"")
        came += len(body)
        if came > limit_bytes:
            raise too_large(limit_bytes)
        for start in range(0, len(body), _STEP_BYTES):
            yield body[start : start + _STEP_BYTES]
            await asyncio.sleep(0)
        more = message.get("more_body", False)
    if expected is not None and came < expected:
        raise BatchTruncated(f"{came} of {expected} bytes came; nothing of the upload was kept")
