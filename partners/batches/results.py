"""The answer to each line, written once: kept as NDJSON, given as NDJSON, JSON or MessagePack."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from coalition.kernel.errors import Refused
from coalition.kernel.web.problem import FieldError
from coalition.points.commands import PostingAnswer, ReversalAnswer

_FAST = 1
"""The level of zlib: lines repeat themselves, so more effort gains little."""


class LineResult(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of a line: its posting, or `code` and `detail` of the refusal with its facts.

    Lines count from 1. `status` is what the single request would have been answered with.
    """

    line: int
    status: int
    posting_id: UUID | None = None
    member_id: UUID | None = None
    points: int | None = None
    debt: int = 0
    """Points of a reversed issue that are owed since they had been spent."""
    code: str | None = None
    detail: str | None = None
    errors: list[FieldError] | None = None


_JSON = msgspec.json.Encoder(enc_hook=str)
_MSGPACK = msgspec.msgpack.Encoder()
_LINES = msgspec.json.Decoder()


class Written(msgspec.Struct, frozen=True):
    """The answers of a chunk: how many lines were refused, and all answers as NDJSON."""

    refused: int
    ndjson: bytes


def write(first_line: int, answers: Sequence[PostingAnswer | Refused]) -> Written:
    """Write the answers to the lines that begin with number `first_line`."""
    refused = 0
    results: list[object] = []
    for line, answer in enumerate(answers, first_line):
        if isinstance(answer, Refused):
            refused += 1
            results.append(_refusal(line, answer))
        else:
            results.append(_answered(line, answer))
    return Written(refused, _JSON.encode_lines(results))


def pack(data: bytes) -> bytes:
    """Return `data` as it is kept."""
    return zlib.compress(data, _FAST)


def unpack(data: bytes) -> bytes:
    """Return what `pack` was given."""
    return zlib.decompress(data)


def from_line(ndjson: bytes, skipped: int) -> bytes:
    """Return NDJSON without its first `skipped` lines."""
    return ndjson if skipped <= 0 else ndjson.split(b"\n", skipped)[-1]


def as_json(head: msgspec.Struct, chunks: Iterable[bytes]) -> bytes:
    """Return `head` as JSON with the lines of `chunks` as its `results`."""
    # Within JSON a line break is always written as \n, so these are the ends of lines.
    lines = b",".join(chunk.rstrip(b"\n").replace(b"\n", b",") for chunk in chunks)
    return _JSON.encode(head)[:-1] + b',"results":[' + lines + b"]}"


def as_msgpack(head: msgspec.Struct, chunks: Iterable[bytes]) -> bytes:
    """Return `head` as MessagePack with the lines of `chunks` as its `results`."""
    content: dict[str, Any] = msgspec.to_builtins(head)  # Any: a message
    content["results"] = [line for chunk in chunks for line in _LINES.decode_lines(chunk)]
    return _MSGPACK.encode(content)


def as_msgpack_stream(ndjson: bytes) -> bytes:
    """Return the lines of `ndjson` as MessagePack maps, one after the other."""
    return b"".join(_maps(ndjson))


def _maps(ndjson: bytes) -> Iterator[bytes]:
    return (_MSGPACK.encode(line) for line in _LINES.decode_lines(ndjson))


def _answered(line: int, answer: PostingAnswer) -> LineResult:
    status = 200 if answer.posting_id is None else 201
    debt = answer.debt if isinstance(answer, ReversalAnswer) else 0
    return LineResult(line, status, answer.posting_id, answer.member_id, answer.points, debt)


def _refusal(line: int, refused: Refused) -> dict[str, object]:
    own: dict[str, object] = {
        "line": line,
        "status": refused.status,
        "code": refused.code,
        "detail": refused.detail,
    }
    return own | {name: fact for name, fact in refused.facts.items() if name not in own}
