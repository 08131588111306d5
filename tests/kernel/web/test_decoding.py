"""Bodies: what is refused, with which words, and where the pointer points."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from coalition.kernel.errors import Invalid, Malformed, Refused, TooLarge
from coalition.kernel.web.decoding import (
    BodyDecoder,
    BodyTruncated,
    Media,
    QueryDecoder,
    media_of_answer,
    media_of_body,
    read_body,
)
from coalition.kernel.web.fields import (
    Body,
    CurrencyCode,
    Instant,
    PointsAmount,
    ReceiptText,
)
from coalition.kernel.web.problem import FieldError, UnsupportedMedia


class Line(Body, frozen=True):
    points: PointsAmount
    inner: tuple["Line", ...] = ()


class Sale(Body, frozen=True):
    receipt: ReceiptText = "r"
    lines: tuple[Line, ...] = ()
    currency: CurrencyCode = "SEK"
    occurred_at: Instant = datetime(2026, 11, 21, tzinfo=UTC)
    by_name: dict[str, int] | None = None


SALES = BodyDecoder(Sale)


def refusal_of(body: bytes, media: Media = Media.JSON) -> Refused:
    with pytest.raises(Refused) as caught:
        SALES.decode(body, media)
    return caught.value


def pointer_of(refused: Refused) -> str | None:
    errors = refused.facts["errors"]
    assert isinstance(errors, list)
    (error,) = errors
    assert isinstance(error, FieldError)
    return error.pointer


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"lines":[{"points":5.0}]}', "/lines/0/points"),
        (b'{"lines":[{"points":1},{"points":"5"}]}', "/lines/1/points"),
        (b'{"lines":[{"points":1e3}]}', "/lines/0/points"),
        (b'{"lines":[{"points":true}]}', "/lines/0/points"),
        (b'{"lines":[{"points":0}]}', "/lines/0/points"),
        (b'{"lines":[{"points":-1}]}', "/lines/0/points"),
        (b'{"lines":[{"points":2147483648}]}', "/lines/0/points"),
        (b'{"lines":[{"points":' + b"9" * 5000 + b"}]}", "/lines/0/points"),
        (b'{"lines":[{"points":1,"extra":1}]}', "/lines/0/extra"),
        (b'{"lines":[{}]}', "/lines/0/points"),
        (b'{"a/b~c":1}', "/a~1b~0c"),
        (b'{"by_name":{"x":"y"}}', "/by_name"),
        (b'{"receipt":""}', "/receipt"),
        (b'{"receipt":"' + b"1" * 65 + b'"}', "/receipt"),
        (b'{"receipt":"a\\u0000b"}', "/receipt"),
        (b'{"receipt":"a\\n"}', "/receipt"),
        (b'{"receipt":null}', "/receipt"),
        (b'{"currency":"sek"}', "/currency"),
        (b'{"currency":"SEK\\n"}', "/currency"),
        (b'{"occurred_at":"2026-11-21T12:00:00"}', "/occurred_at"),
        (b'{"occurred_at":"yesterday"}', "/occurred_at"),
        (b'{"occurred_at":1}', "/occurred_at"),
        (b"[]", ""),
        (b"null", ""),
    ],
)
def test_a_wrong_field_is_named_by_its_json_pointer(body: bytes, pointer: str) -> None:
    refused = refusal_of(body)
    assert (type(refused), pointer_of(refused)) == (Invalid, pointer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"receipt":"a"} x',
        b'{"lines":[{"points":NaN}]}',
        b'{"receipt":"\xff"}',
        b'{"receipt":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"lines":[' + b'{"points":1,"inner":[' * 100_000,
    ],
    ids=["empty", "cut", "trailing", "nan", "utf-8", "surrogate", "bom", "deep"],
)
def test_an_unreadable_body_is_malformed(body: bytes) -> None:
    assert type(refusal_of(body)) is Malformed


def test_the_last_of_two_equal_keys_counts() -> None:
    assert SALES.decode(b'{"receipt":"a","receipt":"b"}').receipt == "b"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Malformed),
        (b"\x81", Malformed),
        (b"\xc1", Malformed),
        (b"\x81\xa7receipt\xa1\xff", Malformed),
        (msgspec.msgpack.encode({b"receipt": "a"}), Invalid),
        (msgspec.msgpack.encode({"lines": [{"points": float("nan")}]}), Invalid),
        (msgspec.msgpack.encode({"lines": [{"points": 2**63}]}), Invalid),
        (b"\x81\xa5lines\x91\x81\xa6points\xc7\x01\x05a", Invalid),
    ],
)
def test_messagepack_is_judged_as_strictly(body: bytes, kind: type[Refused]) -> None:
    assert type(refusal_of(body, Media.MSGPACK)) is kind


def test_both_media_say_the_same() -> None:
    sale = Sale(lines=(Line(points=7),))
    assert SALES.decode(msgspec.json.encode(sale)) == sale
    assert SALES.decode(msgspec.msgpack.encode(sale), Media.MSGPACK) == sale


def test_the_content_type_says_how_a_body_is_written() -> None:
    assert media_of_body(b"") is Media.JSON
    assert media_of_body(b"Application/JSON; charset=utf-8") is Media.JSON
    assert media_of_body(b"application/vnd.msgpack") is Media.MSGPACK
    with pytest.raises(UnsupportedMedia):
        media_of_body(b"text/plain")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (b"", Media.JSON),
        (b"*/*", Media.JSON),
        (b"text/html", Media.JSON),
        (b"application/vnd.msgpack", Media.MSGPACK),
        (b"application/json, application/vnd.msgpack;q=0.5", Media.JSON),
        (b"application/json;q=0.5, Application/Vnd.Msgpack", Media.MSGPACK),
        (b"application/vnd.msgpack;q=0", Media.JSON),
        (b"application/vnd.msgpack;q=nonsense", Media.MSGPACK),
    ],
)
def test_the_answer_is_json_unless_messagepack_is_preferred(accept: bytes, media: Media) -> None:
    assert media_of_answer(accept) is media


class Wire:
    """An ASGI `receive` over the given chunks, which counts how often it was asked."""

    def __init__(self, *chunks: bytes, gone: bool = False) -> None:
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": gone or rest > 0}
            for rest, chunk in zip(reversed(range(len(chunks))), chunks, strict=True)
        ]
        if gone:
            self.messages.append({"type": "http.disconnect"})
        self.asked = 0

    async def __call__(self) -> Any:  # Any: an ASGI message
        self.asked += 1
        return self.messages[self.asked - 1]


async def test_a_body_comes_in_pieces() -> None:
    assert await read_body(Wire(b"ab", b"", b"cd"), limit_bytes=4) == b"abcd"
    assert await read_body(Wire(b""), limit_bytes=4) == b""


async def test_a_body_of_the_declared_length_is_whole_without_asking_on() -> None:
    wire = Wire(b"abcd", b"")
    assert await read_body(wire, limit_bytes=4, declared=b"4") == b"abcd"
    assert wire.asked == 1
    assert await read_body(Wire(b"ab", b"cd", b""), limit_bytes=4, declared=b"4") == b"abcd"


async def test_a_body_that_is_too_long_is_refused_while_it_is_read() -> None:
    wire = Wire(b"abc", b"def", b"ghi", b"jkl")
    with pytest.raises(TooLarge) as caught:
        await read_body(wire, limit_bytes=4)
    assert wire.asked == 2
    assert caught.value.facts == {"limit_bytes": 4}


@pytest.mark.parametrize("declared", [b"5", b"9" * 5000])
async def test_a_body_declared_too_long_is_refused_before_it_is_read(declared: bytes) -> None:
    wire = Wire(b"abcde")
    with pytest.raises(TooLarge):
        await read_body(wire, limit_bytes=4, declared=declared)
    assert wire.asked == 0


async def test_a_single_piece_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLarge):
        await read_body(Wire(b"abcde"), limit_bytes=4)
    with pytest.raises(TooLarge):
        await read_body(Wire(b"abc", b"de"), limit_bytes=4)


async def test_a_length_that_is_no_number_is_malformed() -> None:
    with pytest.raises(Malformed):
        await read_body(Wire(b"a"), limit_bytes=4, declared=b"-1")


@pytest.mark.parametrize("wire", [Wire(gone=True), Wire(b"a", gone=True)], ids=["at once", "later"])
async def test_a_body_that_breaks_off_is_refused(wire: Wire) -> None:
    with pytest.raises(BodyTruncated):
        await read_body(wire, limit_bytes=4)


class Page(Body, frozen=True):
    limit: PointsAmount = 50
    card: ReceiptText | None = None


def test_a_query_is_decoded_and_bounded() -> None:
    pages = QueryDecoder(Page)
    assert pages.decode(b"limit=7&card=a%20b") == Page(limit=7, card="a b")
    assert pages.decode(b"") == Page()


@pytest.mark.parametrize(
    ("query", "parameter"), [(b"limit=0", "limit"), (b"limit=x", "limit"), (b"nix=1", "nix")]
)
def test_a_wrong_parameter_is_named(query: bytes, parameter: str) -> None:
    with pytest.raises(Invalid) as caught:
        QueryDecoder(Page).decode(query)
    errors = caught.value.facts["errors"]
    assert isinstance(errors, list)
    assert [error.parameter for error in errors] == [parameter]


@pytest.mark.parametrize("query", [b"limit=1&limit=2", b"card=%ff", b"card=\xff", b"a=1&" * 51])
def test_an_unreadable_query_is_malformed(query: bytes) -> None:
    with pytest.raises(Malformed):
        QueryDecoder(Page).decode(query)
