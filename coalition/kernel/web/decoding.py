"""Bodies in and out: JSON or MessagePack, strictly decoded, bounded while they are read.

Strict means: no string or float for an integer, no unknown field, no number that overflows. What is
wrong is told with a JSON pointer (RFC 6901) to the field.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from enum import Enum
from typing import Any, Generic, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from litestar.types import Receive

from coalition.kernel.errors import Invalid, Malformed, TooLarge
from coalition.kernel.web.problem import FieldError, UnsupportedMedia

T = TypeVar("T")

MSGPACK_MEDIA_TYPE = "application/vnd.msgpack"
JSON_MEDIA_TYPE = "application/json"


class Media(Enum):
    """The two ways a message may be written."""

    JSON = JSON_MEDIA_TYPE
    MSGPACK = MSGPACK_MEDIA_TYPE


class BodyTruncated(Malformed):
    """The body ends before it is whole; nothing was done, so send it again."""

    code, title = "body_truncated", "Body truncated"


_JSON, _MSGPACK = Media  # looked up once: a member of an Enum's class costs more than a call
_JSON_ENCODER = msgspec.json.Encoder()
_MSGPACK_ENCODER = msgspec.msgpack.Encoder()
_ACCEPTED = {
    b"": _JSON,
    b"application/json": _JSON,
    b"application/vnd.msgpack": _MSGPACK,
}


def media_of_body(content_type: bytes) -> Media:
    """Return how a body of that Content-Type is written; JSON when none is said.

    Raises `UnsupportedMedia`.
    """
    media = _ACCEPTED.get(content_type)
    if media is None:
        media = _ACCEPTED.get(content_type.partition(b";")[0].strip().lower())
    if media is None:
        raise UnsupportedMedia
    return media


def media_of_answer(accept: bytes) -> Media:
    """Return how to write the answer: MessagePack where the client prefers it, else JSON."""
    if not accept or b"msgpack" not in accept.lower():
        return _JSON
    weights = dict(_preferences(accept))
    wanted = weights.get(b"application/vnd.msgpack", 0.0)
    is_preferred = wanted > 0 and wanted >= weights.get(b"application/json", 0.0)
    return _MSGPACK if is_preferred else _JSON


def _preferences(accept: bytes) -> Iterable[tuple[bytes, float]]:
    for entry in accept.lower().split(b","):
        name, _, parameters = entry.partition(b";")
        quality = re.search(rb"\bq\s*=\s*(0(?:\.\d*)?|1(?:\.0*)?)", parameters)
        yield name.strip(), float(quality[1]) if quality else 1.0


def encode(value: object, media: Media) -> bytes:
    """Return `value` (a Struct or builtins) written as `media`."""
    return (_MSGPACK_ENCODER if media is _MSGPACK else _JSON_ENCODER).encode(value)


def declared_length(declared: bytes, *, limit_bytes: int) -> int | None:
    """Return the Content-Length as a number, None where there is none.

    Raises `TooLarge`, `Malformed`.
    """
    if not declared:
        return None
    if not declared.isdigit():
        raise Malformed("Content-Length must be a whole number")
    # Compared by length first: int() refuses thousands of digits with an error of its own.
    if len(declared) > 18 or (length_bytes := int(declared)) > limit_bytes:
        raise too_large(limit_bytes)
    return length_bytes


async def read_body(receive: Receive, *, limit_bytes: int, declared: bytes = b"") -> bytes:
    """Return the whole body; refuse it as soon as it is known to be longer than `limit_bytes`.

    `declared` is the Content-Length, where there is one.
    Raises `TooLarge`, `Malformed`, `BodyTruncated`.
    """
    length_bytes = declared_length(declared, limit_bytes=limit_bytes)
    message: Any = await receive()  # Any: an ASGI message
    if message["type"] == "http.disconnect":
        raise BodyTruncated
    body: bytes = message.get("body", b"")
    # A body that is all there needs no message more, which says no more than that it has ended.
    if not message.get("more_body") or len(body) == length_bytes:
        if len(body) > limit_bytes:
            raise too_large(limit_bytes)
        return body
    return await _read_rest(
        cast("Callable[[], Awaitable[dict[str, Any]]]", receive), body, limit_bytes
    )


async def _read_rest(
    receive: Callable[[], Awaitable[dict[str, Any]]], first: bytes, limit_bytes: int
) -> bytes:
    body = bytearray(first)
    more = True
    while more:
        if len(body) > limit_bytes:
            raise too_large(limit_bytes)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyTruncated
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > limit_bytes:
        raise too_large(limit_bytes)
    return bytes(body)


def too_large(limit_bytes: int) -> TooLarge:
    """Return the refusal of a body that is longer than `limit_bytes`."""
    return TooLarge(f"The body may have at most {limit_bytes} bytes", limit_bytes=limit_bytes)


class BodyDecoder(Generic[T]):
    """Decodes bodies into one type, from either media."""

    def __init__(self, body_type: type[T]) -> None:
        """Prepare to decode into `body_type`, a Struct made of `fields`."""
        self._json = msgspec.json.Decoder(body_type)
        self._msgpack = msgspec.msgpack.Decoder(body_type)

    def decode(self, body: bytes, media: Media = Media.JSON) -> T:
        """Return the decoded `body`.

        Raises `Malformed` when it cannot be read, `Invalid` with a JSON pointer when it is wrong.
        """
        try:
            return (self._msgpack if media is _MSGPACK else self._json).decode(body)
        except msgspec.ValidationError as error:
            raise invalid(error) from error
        except RecursionError as error:
            raise Malformed("The body is nested too deeply") from error
        except UnicodeDecodeError as error:
            raise Malformed("The body is not valid UTF-8") from error
        except msgspec.DecodeError as error:
            detail = str(error) if body else "The body is empty"
            raise Malformed(detail) from error


class QueryDecoder(Generic[T]):
    """Decodes the query of an address into a Struct; numbers and times come as text there."""

    def __init__(self, query_type: type[T]) -> None:
        """Prepare to decode into `query_type`, a Struct that forbids unknown fields."""
        self._type = query_type
        self._empty: T | None = None
        with suppress(msgspec.ValidationError):
            self._empty = msgspec.convert({}, query_type)

    def decode(self, query: bytes) -> T:
        """Return the decoded `query`.

        Raises `Malformed`, or `Invalid` with the name of the parameter.
        """
        if not query and self._empty is not None:
            return self._empty
        try:
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
            )
        except ValueError as error:
            raise Malformed("The query of the address cannot be read") from error
        given = dict(pairs)
        if len(given) != len(pairs):
            raise Malformed("A parameter of the query is given twice")
        try:
            decoded = msgspec.convert(given, self._type, strict=False)
        except msgspec.ValidationError as error:
            field = _field_error(error)
            name = (field.pointer or "").removeprefix("/")
            raise Invalid(
                "A parameter of the query is not valid",
                errors=[FieldError(detail=field.detail, parameter=name)],
            ) from error
        for name, text in given.items():
            value = getattr(decoded, name)
            # msgspec takes 5.0, 1e1 and 05 for numbers here, as it must take text at all.
            if type(value) is int and str(value) != text:
                raise Invalid(
                    "A parameter of the query is not valid",
                    errors=[FieldError(detail="Expected digits alone", parameter=name)],
                )
        return decoded


def invalid(error: msgspec.ValidationError) -> Invalid:
    """Return the refusal of a body that msgspec finds invalid, with a JSON pointer."""
    return Invalid("A field of the body is not valid", errors=[_field_error(error)])


_UNKNOWN_OR_MISSING = re.compile(r"^Object (?:contains unknown|missing required) field `(.*)`")
_SAID_AGAIN_MOST = 200
_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]")


def _field_error(error: msgspec.ValidationError) -> FieldError:
    message = str(error)
    detail, _, place = message.rpartition(" - at ") if " - at " in message else (message, "", "")
    # `$.lines[0].points` -> /lines/0/points; a key of a map is shown as [...], and has no pointer.
    path = place.rpartition(" in ")[2].strip("`").partition("[...]")[0]
    steps = [name or index for name, index in _STEP.findall(path)]
    if named := _UNKNOWN_OR_MISSING.match(detail):
        steps.append(_shortened(named[1]))
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    if detail.startswith("Expected `str` matching regex"):
        detail = "Contains characters that are not allowed here"
    return FieldError(detail=_shortened(detail), pointer=pointer)


def _shortened(text: str) -> str:
    # The name of an unknown field may be a megabyte, and a refusal would say it twice.
    return text if len(text) <= _SAID_AGAIN_MOST else text[:_SAID_AGAIN_MOST] + "…"
