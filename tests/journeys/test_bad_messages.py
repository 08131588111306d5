"""Bodies that cannot be read, of a wrong kind or too long, and keys that are none."""

import json
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from tests.journeys.world import Scene, assert_refused

ISSUE = "/v1/points/issue"
JSON = "application/json"
MSGPACK = "application/vnd.msgpack"
BOUND_BYTES = 1_000_000

NOT_JSON = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "the beginning": b'{"points": 5, "rec',
    "an open object": b'{"points": 5',
    "a last comma": b'{"points": 5,}',
    "single quotes": b"{'points': 5}",
    "a bare word": b"points",
    "invalid UTF-8": b'{"receipt": "\xff\xfe"}',
    "UTF-8 of a surrogate": b'{"receipt": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"receipt": "\xc0\x80"}',
    "cut UTF-8": b'{"receipt": "\xc3"}',
    "a byte order mark": b'\xef\xbb\xbf{"points": 5}',
    "UTF-16": '{"points": 5}'.encode("utf-16"),
    "UTF-32": '{"points": 5}'.encode("utf-32"),
    "NUL before": b'\x00{"points": 5}',
    "a form": b"points=5&receipt=1",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><points>5</points>',
    "MessagePack": msgspec.msgpack.encode({"points": 5}),
}
NOT_AN_OBJECT = {
    "null": b"null",
    "a list": b"[]",
    "a text": b'"points"',
    "a number": b"5",
    "a deep list": b"[" * 500_000,
}
NOT_MSGPACK = {
    "nothing": b"",
    "cut": msgspec.msgpack.encode({"receipt": "abcdef"})[:-2],
    "a byte that is never used": b"\xc1",
    "a map of four billion": b"\xdf\xff\xff\xff\xff",
    "a text of four gigabytes": b"\x81\xa7receipt\xdb\xff\xff\xff\xff",
    "invalid UTF-8": b"\x81\xa7receipt\xa2\xff\xfe",
}
NOT_A_MAP = {
    "nil": b"\xc0",
    "a deep list": b"\x91" * 500_000,
    "a list of four billion": b"\xdd\xff\xff\xff\xff",
    "JSON": b'{"points": 5}',
}
BEHIND = {"a second object": b"{}", "a comment": b"// five", "NUL": b"\x00", "a word": b"true"}
WRONG_IN_MSGPACK: dict[str, dict[str, object]] = {
    "/points": {
        "a whole float": 5.0,
        "not a number": float("nan"),
        "text": "5",
        "true": True,
        "2 to the 64th less 1": 2**64 - 1,
        "negative": -(2**63),
        "a list": [5],
    },
    "/receipt": {
        "bytes": b"receipt",
        "an extension": msgspec.msgpack.Ext(5, b"receipt"),
        "NUL": "\x00",
        "nil": None,
        "a map": {},
    },
    "/occurred_at": {
        "seconds": 1_795_262_400,
        "naive": "2026-11-21T12:00:00",
        "an extension": msgspec.msgpack.Ext(5, b"now"),
    },
    "/member_id": {"short bytes": b"abc", "text": "me", "long bytes": bytes(17)},
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
async def test_what_is_not_json_is_refused(standing: Scene, body: bytes) -> None:
    await _refuse(standing, body, JSON, 400, "malformed")


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("media_type", [JSON, MSGPACK])
async def test_what_stands_behind_a_body_is_not_passed_over(
    standing: Scene, media_type: str, behind: bytes
) -> None:
    body = standing.grocer.payment(standing.member, 5)
    encode = msgspec.json.encode if media_type == JSON else msgspec.msgpack.encode
    await _refuse(standing, encode(body) + behind, media_type, 400, "malformed")


@pytest.mark.parametrize("body", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
async def test_json_that_is_no_object_is_refused(standing: Scene, body: bytes) -> None:
    await _refuse(standing, body, JSON, 422, "invalid", pointer="")


@pytest.mark.parametrize("body", NOT_MSGPACK.values(), ids=NOT_MSGPACK)
async def test_what_is_not_messagepack_is_refused(standing: Scene, body: bytes) -> None:
    await _refuse(standing, body, MSGPACK, 400, "malformed")


@pytest.mark.parametrize("body", NOT_A_MAP.values(), ids=NOT_A_MAP)
async def test_messagepack_that_is_no_map_is_refused(standing: Scene, body: bytes) -> None:
    await _refuse(standing, body, MSGPACK, 422, "invalid", pointer="")


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        pytest.param(pointer, value, id=f"{pointer} is {what}")
        for pointer, values in WRONG_IN_MSGPACK.items()
        for what, value in values.items()
    ],
)
async def test_messagepack_is_held_to_the_same_fields(
    standing: Scene, pointer: str, value: object
) -> None:
    body = standing.grocer.payment(standing.member, 5) | {pointer[1:]: value}
    encoded = msgspec.msgpack.encode(body)
    await _refuse(standing, encoded, MSGPACK, 422, "invalid", pointer=pointer)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json, text/plain",
        "application/jsonp",
        "application/problem+json",
        "application/x-ndjson",
        "*/*",
        "json",
    ],
)
async def test_a_body_of_another_kind_is_refused(standing: Scene, content_type: str) -> None:
    body = json.dumps(standing.grocer.payment(standing.member, 5)).encode()
    await _refuse(standing, body, content_type, 415, "unsupported_media_type")


async def test_two_content_types_are_refused(standing: Scene) -> None:
    headers = [
        *standing.grocer.headers.items(),
        ("idempotency-key", "two"),
        ("content-type", JSON),
        ("content-type", MSGPACK),
    ]
    sending = standing.http.post(ISSUE, content=b"{}", headers=headers)
    await assert_refused(sending, 400, "malformed")


async def test_a_body_above_the_bound_is_refused_before_it_is_read(standing: Scene) -> None:
    body = json.dumps({"receipt": "r" * BOUND_BYTES}).encode()
    answer = await _refuse(standing, body, JSON, 413, "too_large")
    assert answer.json()["limit_bytes"] == BOUND_BYTES


@pytest.mark.parametrize(
    "length", ["9" * 5000, "-1", "1e3", "0x10", "+5", "5, 5", "five", "\u0665"]
)
async def test_a_length_that_is_none_or_too_much_is_refused(standing: Scene, length: str) -> None:
    headers = standing.grocer.headers | {"idempotency-key": "length"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw += [(b"content-length", length.encode())]
    sending = standing.http.post(ISSUE, content=b"{}", headers=raw)
    status, code = (413, "too_large") if length.startswith("9") else (400, "malformed")
    await assert_refused(sending, status, code)


@pytest.mark.parametrize("chunk_bytes", [1000, 1_000_001])
async def test_a_body_in_chunks_is_bounded_too(standing: Scene, chunk_bytes: int) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent <= 10 * BOUND_BYTES:
            sent += chunk_bytes
            yield b" " * chunk_bytes

    headers = standing.grocer.headers | {"idempotency-key": "chunks", "content-type": JSON}
    sending = standing.http.post(ISSUE, content=endless(), headers=headers)
    await assert_refused(sending, 413, "too_large")
    assert sent <= BOUND_BYTES + 2 * chunk_bytes, "nobody reads on"


KEYS = {
    "missing": None,
    "empty": b"",
    "blank": b"  ",
    "a tab": b"\t",
    "256 characters": b"k" * 256,
    "a megabyte": b"k" * 1_000_000,
    "not ASCII": "nyckel-å".encode(),
    "Latin-1": "nyckel-å".encode("latin-1"),
    "NUL": b"key\x00",
    "a line break": b"key\nx-evil: 1",
    "DEL": b"key\x7f",
}
WRITES = {
    "issue": "/v1/points/issue",
    "redeem": "/v1/points/redeem",
    "hold": "/v1/points/holds",
    "capture": "/v1/points/holds/{hold}/capture",
    "void": "/v1/points/holds/{hold}/void",
    "reverse": "/v1/postings/{posting}/reverse",
    "enrol": "/v1/members",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_a_key_is_1_to_255_visible_characters(standing: Scene, key: bytes | None) -> None:
    await assert_refused(_keyed(standing, ISSUE, key), 400, "idempotency_key_missing")


@pytest.mark.parametrize("address", WRITES.values(), ids=WRITES)
async def test_whatever_writes_needs_a_key(standing: Scene, address: str) -> None:
    named = address.format(hold=standing.hold, posting=standing.posting)
    await assert_refused(_keyed(standing, named, None), 400, "idempotency_key_missing")


async def test_two_keys_are_refused(standing: Scene) -> None:
    headers = [*standing.grocer.headers.items(), ("idempotency-key", "1"), ("idempotency-key", "2")]
    sending = standing.http.post(ISSUE, json={}, headers=headers)
    await assert_refused(sending, 400, "malformed")


async def _keyed(standing: Scene, address: str, key: bytes | None) -> httpx.Response:
    body = standing.grocer.payment(standing.member, 5)
    headers = [(name.encode(), value.encode()) for name, value in standing.grocer.headers.items()]
    if key is not None:
        headers.append((b"idempotency-key", key))
    return await standing.http.post(address, json=body, headers=headers)


async def _refuse(
    standing: Scene,
    body: bytes,
    media_type: str,
    status: int,
    code: str,
    *,
    pointer: str | None = None,
) -> httpx.Response:
    sending = standing.grocer.send(ISSUE, body, media_type)
    return await assert_refused(sending, status, code, pointer=pointer)
