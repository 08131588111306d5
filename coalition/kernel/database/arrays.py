"""Arrays as parameters, written by the column: batches hand thousands of values over as arrays.

asyncpg asks of each element whether it is an array in turn, which costs more than the value itself.
Arrays here have one dimension, so theirs are written in a few steps, whatever their length. Ids may
come as their bytes, where nobody needs them as objects.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

_HEAD = struct.Struct(">iiI")
"""How many dimensions, whether there are NULLs, and the type of the elements."""
_DIMENSION = struct.Struct(">ii")
"""The length, and the number of the first element."""
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_LENGTHS = [_LENGTH.pack(length) for length in range(1024)]
_FEW = 128
"""How long an array may be for what depends on its length alone to be kept."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Instants are microseconds since then."""
_NOT_AN_ARRAY = "an array of one dimension is expected"

Values = Sequence[Any]  # Any: the elements, of the type that the codec is for


class _Element(NamedTuple):
    """How values of one type are written and read; lengths stand before them, big-endian."""

    array_name: str
    array_oid: int
    oid: int
    head: bytes
    """What an array without NULLs begins with."""
    write_all: Callable[[Values], bytes | bytearray]
    """Writes values of which none is NULL, each with its length before it."""
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


class Encoded(bytes):
    """An array as it is sent, written before there was time to send it."""


def encoded(element: str, values: Values) -> Values:
    """Return an array of `element`, a type such as int8, as it is sent.

    One of another type, or with a wrong value, is returned as it is: the driver tells of it.
    """
    write = _ENCODERS.get(element)
    try:
        return values if write is None else Encoded(write(values))
    except (AttributeError, OverflowError, TypeError, ValueError, struct.error):
        return values


def use_fast_arrays(connection: asyncpg.Connection) -> None:
    """Let `connection` write and read arrays of the usual types by these codecs.

    Nested arrays are refused as wrong input, which asyncpg's own codecs would take.
    """
    # asyncpg's public `set_type_codec` does the same and takes no arrays.
    settings = connection._protocol.get_settings()  # noqa: SLF001 - see above
    for element in _ELEMENTS:
        settings.add_python_codec(
            element.array_oid,
            element.array_name,
            "pg_catalog",
            [],
            "scalar",
            _ENCODERS[element.array_name.removeprefix("_")],
            partial(_decode, element),
            "binary",
        )


def _encoder(element: _Element) -> Callable[[Values], bytes]:
    """Return what writes arrays of this element; a closure, as a flush writes some seventy."""
    write_all, none = element.write_all, _HEAD.pack(0, 0, element.oid)
    heads = [element.head + _DIMENSION.pack(count, 1) for count in range(_FEW)]

    def encode(values: Values) -> bytes:
        if type(values) is not tuple and type(values) is not list:
            if type(values) is Encoded:
                return values
            values = _as_list(values)
        count = len(values)
        if not count:
            return none
        if values[0] is None:
            return _encode_one_by_one(element, values)
        head = heads[count] if count < _FEW else element.head + _DIMENSION.pack(count, 1)
        try:
            return head + write_all(values)
        except (TypeError, AttributeError, struct.error):
            return _encode_one_by_one(element, values)

    return encode


def _as_list(values: Values) -> Values:
    if isinstance(values, str | bytes):
        raise TypeError(_NOT_AN_ARRAY)
    return list(values)


def _encode_one_by_one(element: _Element, values: Values) -> bytes:
    """Encode what has a NULL, or an id as a text; what is of a wrong type fails here."""
    count, nulls = len(values), values.count(None)
    head = _HEAD.pack(1, int(nulls > 0), element.oid) + _DIMENSION.pack(count, 1)
    if nulls == count:
        return head + _NULL * count
    write = element.write
    pieces = [_NULL if value is None else _with_length(write(value)) for value in values]
    return head + b"".join(pieces)


def _decode(element: _Element, data: bytes) -> list[Any]:  # Any: of the element's type
    dimensions, _, _ = _HEAD.unpack_from(data)
    if not dimensions:
        return []
    if dimensions > 1:
        raise ValueError(_NOT_AN_ARRAY)
    count, _ = _DIMENSION.unpack_from(data, _HEAD.size)
    at = _HEAD.size + _DIMENSION.size
    values: list[Any] = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length < 0:
            values.append(None)
        else:
            values.append(element.read(data[at : at + length]))
            at += length
    return values


def _with_length(written: bytes) -> bytes:
    length = len(written)
    return (_LENGTHS[length] if length < len(_LENGTHS) else _LENGTH.pack(length)) + written


def _with_lengths(written: Sequence[bytes]) -> bytes:
    try:
        lengths = [_LENGTHS[len(one)] for one in written]
    except IndexError:
        lengths = [_LENGTH.pack(len(one)) for one in written]
    pieces = [b""] * (2 * len(written))
    pieces[::2] = lengths
    pieces[1::2] = written
    return b"".join(pieces)


def _numbers(code: str, size: int) -> Callable[[Values], bytearray]:
    """Return what writes integers of `size` bytes, which `struct` calls `code`, with lengths."""
    lengths, step = bytes((size,)) * _FEW, 4 + size
    kept: dict[int, Callable[..., bytes]] = {}

    def write(values: Values) -> bytearray:
        count = len(values)
        pack = kept.get(count)
        if pack is None:
            pack = struct.Struct(">" + f"4x{code}" * count).pack
            if count < _FEW:
                kept[count] = pack
        written = bytearray(pack(*values))
        written[3::step] = lengths[:count] if count < _FEW else lengths[:1] * count
        return written

    return write


_int8s = _numbers("q", 8)


def _instants(values: Values) -> bytearray:
    passed = [value - _EPOCH for value in values]
    return _int8s([(p.days * 86_400 + p.seconds) * 1_000_000 + p.microseconds for p in passed])


def _instant(value: datetime) -> bytes:
    return _microseconds(value).to_bytes(8, "big", signed=True)


def _microseconds(value: datetime) -> int:
    passed = value - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _read_instant(data: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=_integer(data))


def _uuids(values: Values) -> bytes:
    ids = values if isinstance(values[0], bytes) else [value.bytes for value in values]
    return _LENGTHS[16] + _LENGTHS[16].join(ids)


def _uuid(value: UUID | str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return UUID(value).bytes if isinstance(value, str) else value.bytes


def _texts(values: Values) -> bytes:
    return _with_lengths(list(map(str.encode, values)))


def _byteas(values: Values) -> bytes:
    return _with_lengths([one if type(one) is bytes else _bytes(one) for one in values])


def _bytes(value: bytes | bytearray | memoryview) -> bytes:
    return value if isinstance(value, bytes) else bytes(memoryview(value))


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _head(oid: int) -> bytes:
    return _HEAD.pack(1, 0, oid)


_ELEMENTS = (
    _Element("_int2", 1005, 21, _head(21), _numbers("h", 2), struct.Struct(">h").pack, _integer),
    _Element("_int4", 1007, 23, _head(23), _numbers("i", 4), struct.Struct(">i").pack, _integer),
    _Element("_int8", 1016, 20, _head(20), _int8s, struct.Struct(">q").pack, _integer),
    _Element("_timestamptz", 1185, 1184, _head(1184), _instants, _instant, _read_instant),
    _Element("_uuid", 2951, 2950, _head(2950), _uuids, _uuid, pgproto.UUID),
    _Element("_text", 1009, 25, _head(25), _texts, str.encode, bytes.decode),
    _Element("_bytea", 1001, 17, _head(17), _byteas, _bytes, bytes),
)
_ENCODERS = {element.array_name.removeprefix("_"): _encoder(element) for element in _ELEMENTS}
"""By type; the same that connections use."""
