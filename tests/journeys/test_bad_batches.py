"""Files that are cut, garbled or too long are refused whole, and nothing of them is kept."""

import json
from typing import Any

import msgspec
import pytest

from tests.journeys.world import Scene, assert_refused
from tests.support.http import Shop

NDJSON, CSV, MSGPACK = "application/x-ndjson", "text/csv", "application/vnd.msgpack"

Body = dict[str, Any]  # Any: a JSON object
pack = msgspec.msgpack.encode

NOT_WHOLE = {
    "NDJSON, nothing": (NDJSON, b"", 422, "batch_empty"),
    "NDJSON, blank lines": (NDJSON, b"\n \r\n\t\n", 422, "batch_empty"),
    "NDJSON, a byte order mark": (NDJSON, b"\xef\xbb\xbf", 422, "batch_empty"),
    "NDJSON, cut in a text": (NDJSON, b'{}\n{"receipt": "12', 400, "batch_truncated"),
    "NDJSON, cut in an object": (NDJSON, b'{}\n{"points": 5', 400, "batch_truncated"),
    "NDJSON, cut in a list": (NDJSON, b'{}\n{"points": [5, ', 400, "batch_truncated"),
    "NDJSON, cut after a colon": (NDJSON, b'{}\n{"points":', 400, "batch_truncated"),
    "CSV, nothing": (CSV, b"", 422, "batch_empty"),
    "CSV, a header alone": (CSV, b"receipt,points\n", 422, "batch_empty"),
    "CSV, an unknown column": (CSV, b"receipt,colour\n1,red\n", 422, "batch_header_invalid"),
    "CSV, a column twice": (CSV, b"receipt,receipt\n1,1\n", 422, "batch_header_invalid"),
    "CSV, a column by two names": (
        CSV,
        b"currency,purchase.currency\nSEK,SEK\n",
        422,
        "batch_header_invalid",
    ),
    "CSV, a header of NUL": (CSV, b"\x00\n1\n", 422, "batch_header_invalid"),
    "CSV, a header that is not UTF-8": (CSV, b"\xff\n1\n", 422, "batch_header_invalid"),
    "CSV, a header that is too long": (CSV, b"a" * 40_000 + b"\n1\n", 422, "batch_header_invalid"),
    "CSV, an open quote in the header": (CSV, b'"receipt\n1\n', 422, "batch_header_invalid"),
    "CSV, cut in a line": (CSV, b"receipt,points\n1,5\n2", 400, "batch_truncated"),
    "CSV, cut in a quote": (CSV, b'receipt,points\n1,5\n"2', 400, "batch_truncated"),
    "MessagePack, nothing": (MSGPACK, b"", 422, "batch_empty"),
    "MessagePack, an empty array": (MSGPACK, pack([]), 422, "batch_empty"),
    "MessagePack, cut in a map": (MSGPACK, pack({"a": 1})[:-1], 400, "batch_truncated"),
    "MessagePack, cut in an array": (MSGPACK, pack([{}, {}])[:-1], 400, "batch_truncated"),
    "MessagePack, an array's head": (MSGPACK, b"\xdd\x00\x00", 400, "batch_truncated"),
    "MessagePack, more than the array": (MSGPACK, pack([{}]) + pack({}), 400, "batch_unreadable"),
    "MessagePack, a byte never used": (MSGPACK, pack({}) + b"\xc1", 400, "batch_unreadable"),
    "MessagePack, a deep list": (
        MSGPACK,
        b"\x81\xa1a" + b"\x91" * 100_000,
        400,
        "batch_unreadable",
    ),
    "MessagePack, four billion lines": (MSGPACK, b"\xdd\xff\xff\xff\xff", 413, "too_many_lines"),
    "MessagePack, a text of gigabytes": (
        MSGPACK,
        b"\x81\xa1a\xdb\xff\xff\xff\xff" + b"a" * 2_000_000,
        400,
        "batch_unreadable",
    ),
    "JSON": ("application/json", b"[]", 415, "unsupported_media_type"),
    "a form": ("application/x-www-form-urlencoded", b"a=b", 415, "unsupported_media_type"),
    "a zip": ("application/zip", b"PK\x03\x04", 415, "unsupported_media_type"),
    "no kind": ("", b"{}", 415, "unsupported_media_type"),
}


@pytest.mark.parametrize(
    ("media_type", "content", "status", "code"), NOT_WHOLE.values(), ids=NOT_WHOLE
)
async def test_a_file_that_cannot_be_told_apart_into_lines_is_refused_whole(
    standing: Scene, media_type: str, content: bytes, status: int, code: str
) -> None:
    await assert_refused(standing.grocer.send("/v1/batches", content, media_type), status, code)


@pytest.mark.parametrize("media_type", [NDJSON, CSV, MSGPACK])
async def test_a_file_with_good_lines_that_is_cut_posts_none_of_them(
    standing: Scene, media_type: str
) -> None:
    content = _file(standing, media_type)
    for length in (len(content) - 9, len(content) - 3, len(content) // 2 + 7):
        sending = standing.grocer.send("/v1/batches", content[:length], media_type)
        await assert_refused(sending, 400, "batch_truncated")


async def test_a_file_of_more_than_a_million_lines_is_refused(standing: Scene) -> None:
    content = b"{}\n" * 1_000_001
    answer = await assert_refused(
        standing.grocer.send("/v1/batches", content, NDJSON), 413, "too_many_lines"
    )
    assert answer.json()["limit"] == 1_000_000


def _file(standing: Scene, media_type: str) -> bytes:
    bodies = [_payment(standing.grocer, standing.member, number) for number in range(3)]
    if media_type == CSV:
        return _csv(bodies)
    if media_type == MSGPACK:
        return b"".join(map(pack, bodies))
    return b"\n".join(json.dumps(body).encode() for body in bodies)


def _payment(shop: Shop, member: str, number: int) -> Body:
    return shop.payment(member, 5, receipt=f"file-{number}")


def _csv(bodies: list[Body]) -> bytes:
    columns = ["member_id", "receipt", "occurred_at", "points"]
    rows = [",".join(str(body[column]) for column in columns) for body in bodies]
    return "\r\n".join([",".join(columns), *rows]).encode()
