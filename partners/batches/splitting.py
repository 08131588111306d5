"""Tells an upload apart into lines while it comes in, without looking into them.

What is too long for a line is dropped while it is read, so memory stays bounded whatever comes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgpack  # type: ignore[import-untyped]  # it ships no types
import msgspec

from partners.batches.refusals import BatchTruncated, BatchUnreadable, TooManyLines

LINE_MOST_BYTES = 32_768
LINES_MOST = 1_000_000

NDJSON = "application/x-ndjson"
CSV = "text/csv"
MSGPACK = "application/vnd.msgpack"

Records = list[bytes | None]
"""Lines as they came; None stands for one that was too long."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_STEP_BYTES = 65_536
_STRING_MOST_BYTES = 1_000_000
_ARRAY_HEADER_MOST_BYTES = 5


class Splitter(Protocol):
    """Takes an upload piece by piece."""

    def feed(self, data: bytes) -> Records:
        """Return the lines that `data` ends."""
        ...

    def finish(self) -> Records:
        """Return the last line, if it was not ended. Raises `BatchTruncated`."""
        ...


class LineSplitter:
    """Splits text at line breaks; blank lines do not count."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_too_long = False
        self._is_first = True

    def feed(self, data: bytes) -> Records:
        """Return the lines that `data` ends."""
        pieces = data.split(b"\n")
        pieces[0] = self._rest + pieces[0]
        rest = pieces.pop()
        records: Records = []
        if pieces and self._is_too_long:
            del pieces[0]
            records.append(None)
            self._is_too_long = False
        records += self._lines(pieces)
        if len(rest) > LINE_MOST_BYTES:
            self._is_too_long, rest = True, b""
        self._rest = b"" if self._is_too_long else rest
        return records

    def finish(self) -> Records:
        """Return the last line, if no line break ended it."""
        if self._is_too_long:
            return [None]
        records = self._lines([self._rest])
        self._rest = b""
        return records

    def _lines(self, pieces: list[bytes]) -> Records:
        if self._is_first and pieces:
            pieces[0] = pieces[0].removeprefix(_BYTE_ORDER_MARK)
            self._is_first = False
        stripped = (piece.strip(b" \t\r") for piece in pieces)
        return [line if len(line) <= LINE_MOST_BYTES else None for line in stripped if line]


class JsonSplitter(LineSplitter):
    """Splits NDJSON, and knows from an unfinished last line that the upload was cut."""

    def finish(self) -> Records:
        """Return the last line, if no line break ended it."""
        records = super().finish()
        if records and records[0] is not None and _is_cut(records[0]):
            raise BatchTruncated("The last line ends in the middle; nothing of the upload was kept")
        return records


class MsgpackSplitter:
    """Splits a stream of MessagePack maps, or the one array that holds them."""

    def __init__(self) -> None:
        # The unpacker only finds where values end; what is between is kept here.
        self._unpacker = msgpack.Unpacker(max_buffer_size=_STRING_MOST_BYTES)
        self._kept = bytearray()
        self._kept_from = 0
        self._count = 0
        self._expected: int | None = None
        self._is_begun = False
        self._is_too_long = False

    def feed(self, data: bytes) -> Records:
        """Return the lines that `data` ends."""
        records: Records = []
        with self._told_as_refusals():
            for start in range(0, len(data), _STEP_BYTES):
                self._step(data[start : start + _STEP_BYTES], records)
        return records

    def finish(self) -> Records:
        """Return nothing: a value of MessagePack knows its own end."""
        records: Records = []
        if not self._is_begun and self._kept:
            with self._told_as_refusals():
                self._begin_values()
                self._split(records)
        if self._kept or self._is_too_long:
            raise BatchTruncated(
                f"Line {self._count + 1} ends in the middle; nothing of the upload was kept"
            )
        if self._expected is not None and self._count < self._expected:
            raise BatchTruncated(
                f"The array has {self._expected} lines and {self._count} of them came; "
                "nothing of the upload was kept"
            )
        return records

    @contextmanager
    def _told_as_refusals(self) -> Iterator[None]:
        """Raise `BatchUnreadable` for what is not MessagePack while the block runs."""
        try:
            yield
        except msgpack.BufferFull as error:
            raise BatchUnreadable(
                f"Line {self._count + 1} holds a value of more than a million bytes"
            ) from error
        except ValueError as error:  # FormatError and StackError are of this kind
            raise BatchUnreadable(f"Line {self._count + 1} is not MessagePack") from error

    def _step(self, data: bytes, records: Records) -> None:
        self._unpacker.feed(data)
        self._kept += data
        if not self._is_begun:
            if len(self._kept) < _ARRAY_HEADER_MOST_BYTES:
                return
            self._begin_values()
        self._split(records)
        if len(self._kept) > LINE_MOST_BYTES:
            self._is_too_long = True
        if self._is_too_long:
            self._kept_from += len(self._kept)
            self._kept.clear()

    def _begin_values(self) -> None:
        self._is_begun = True
        first = self._kept[0]
        if 0x90 <= first <= 0x9F or first in (0xDC, 0xDD):
            try:
                self._expected = self._unpacker.read_array_header()
            except msgpack.OutOfData as error:  # only at the end: a head has at most five bytes
                raise BatchTruncated(
                    "The head of the array ends in the middle; nothing of the upload was kept"
                ) from error
            if self._expected > LINES_MOST:
                raise TooManyLines(limit=LINES_MOST)
            self._drop_until(self._unpacker.tell())

    def _split(self, records: Records) -> None:
        while True:
            try:
                self._unpacker.skip()
            except msgpack.OutOfData:
                return
            end = self._unpacker.tell()
            line = bytes(self._kept[: end - self._kept_from])
            fits = not self._is_too_long and len(line) <= LINE_MOST_BYTES
            records.append(line if fits else None)
            self._is_too_long = False
            self._count += 1
            self._drop_until(end)
            if self._expected is not None and self._count > self._expected:
                raise BatchUnreadable("There is more after the end of the array")

    def _drop_until(self, end: int) -> None:
        del self._kept[: end - self._kept_from]
        self._kept_from = end


def splitter_of(media_type: str) -> Splitter:
    """Return what splits an upload of this media type."""
    return _SPLITTERS[media_type]()


_SPLITTERS: dict[str, type[Splitter]] = {
    NDJSON: JsonSplitter,
    CSV: LineSplitter,
    MSGPACK: MsgpackSplitter,
}


def _is_cut(line: bytes) -> bool:
    """Tell whether `line` is the beginning of a JSON text, and nothing worse."""
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        return str(error).startswith("Input data was truncated")
    except (UnicodeDecodeError, RecursionError):
        return False
    return False
