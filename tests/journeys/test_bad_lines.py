"""A bad line of a file is refused as its single request would be, and spoils no other."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from coalition.kernel.ids import random_id
from tests.journeys.world import Scene

NDJSON, CSV = "application/x-ndjson", "text/csv"
LINE_MOST_BYTES = 32_768

Body = dict[str, Any]  # Any: a JSON object

BAD_LINES: dict[str, tuple[bytes, int, str, str | None]] = {
    "not JSON": (b"{", 400, "malformed", None),
    "a word": (b"issue", 400, "malformed", None),
    "not UTF-8": (b'{"receipt": "\xff"}', 400, "malformed", None),
    "half a surrogate pair": (b'{"receipt": "\\ud800 "}', 400, "malformed", None),
    "NUL": (b"\x00", 400, "malformed", None),
    "two objects": (b"{} {}", 400, "malformed", None),
    "a list": (b"[]", 422, "invalid", ""),
    "null": (b"null", 422, "invalid", ""),
    "an unknown kind": (b'{"kind": "steal"}', 422, "invalid", "/kind"),
    "a kind that is a number": (b'{"kind": 1}', 422, "invalid", "/kind"),
    "a deep list": (b"[" * 20_000, 422, "invalid", ""),
    "a deep field": (b'{"a":' + b"[" * 20_000, 400, "malformed", None),
    "nothing in it": (b"{}", 422, "invalid", "/receipt"),
    "too long": (
        b" " + b'{"receipt": "' + b"r" * LINE_MOST_BYTES + b'"}',
        413,
        "line_too_long",
        None,
    ),
    "a reversal of nothing": (b'{"kind": "reverse"}', 422, "invalid", "/posting_id"),
    "a reversal of nobody's": (
        b'{"kind": "reverse", "posting_id": "01a1fdfa-4600-7000-8000-0000000003ff"}',
        404,
        "posting_not_found",
        None,
    ),
}


async def test_a_line_without_end_is_not_kept_in_memory_but_counted_as_one(standing: Scene) -> None:
    member = await _new_member(standing)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b'{"receipt": "' + b"r" * 1_000_000
        yield b'"}\n' + json.dumps(standing.grocer.payment(member, 5)).encode()

    headers = standing.grocer.headers | {"idempotency-key": "endless", "content-type": NDJSON}
    answer = await standing.http.post("/v1/batches", content=endless(), headers=headers)
    assert answer.status_code == 201, answer.text
    codes = [result.get("code") for result in answer.json()["results"]]
    assert codes == ["line_too_long", None]


@pytest.mark.parametrize(("line", "status", "code", "pointer"), BAD_LINES.values(), ids=BAD_LINES)
async def test_a_bad_line_is_refused_alone(
    standing: Scene, line: bytes, status: int, code: str, pointer: str | None
) -> None:
    member = await _new_member(standing)
    good = [json.dumps(standing.grocer.payment(member, 5)).encode() for _ in range(2)]
    content = b"\n".join((good[0], line, good[1]))
    answer = await standing.grocer.send("/v1/batches", content, NDJSON)
    assert answer.status_code == 201, answer.text
    first, refused, last = answer.json()["results"]
    assert (first["status"], last["status"]) == (201, 201)
    assert (refused["line"], refused["status"], refused["code"]) == (2, status, code)
    pointers = [error["pointer"] for error in refused.get("errors", [])]
    assert pointers == ([] if pointer is None else [pointer])
    assert await standing.grocer.balance(member) == 10


async def test_the_second_of_two_equal_receipts_of_a_file_is_refused(standing: Scene) -> None:
    member = await _new_member(standing)
    line = json.dumps(standing.grocer.payment(member, 5)).encode()
    answer = await standing.grocer.send("/v1/batches", b"\n".join([line] * 3), NDJSON)
    codes = [result.get("code") for result in answer.json()["results"]]
    assert codes == [None, "duplicate_receipt", "duplicate_receipt"]
    assert await standing.grocer.balance(member) == 5


async def test_the_lines_of_a_file_spend_no_more_than_there_is(standing: Scene) -> None:
    member = await _new_member(standing)
    await standing.grocer.issue(member, 70)
    lines = [{"kind": "redeem"} | standing.grocer.payment(member, 30) for _ in range(4)]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    answer = await standing.grocer.send("/v1/batches", content, NDJSON)
    codes = [result.get("code") for result in answer.json()["results"]]
    assert codes == [None, None, "not_enough_points", "not_enough_points"]
    assert await standing.grocer.balance(member) == 10


CELLS = {
    "points": [
        "5.0",
        "1e1",
        "+5",
        "-5",
        "0",
        " 5",
        "0x5",
        "\u0665",
        "true",
        "9" * 30,
        "2147483648",
    ],
    "receipt": ["a\x00b", "\u202e", "r" * 65],
    "occurred_at": ["2026-11-21", "2026-11-21T12:00:00", "46347", "1900-01-01T00:00:00Z"],
    "member_id": ["me", "'", "NULL"],
}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        pytest.param(column, cell, id=f"{column} {cell[:20]!a}")
        for column, cells in CELLS.items()
        for cell in cells
    ],
)
async def test_a_wrong_cell_is_refused_by_its_column(
    standing: Scene, column: str, cell: str
) -> None:
    member = await _new_member(standing)
    body = standing.grocer.payment(member, 5)
    rows = [body, body | {"receipt": standing.grocer.new_key()[-9:]} | {column: cell}]
    answer = await standing.grocer.send("/v1/batches", _csv(rows), CSV)
    good, refused = answer.json()["results"]
    assert (good["status"], refused["status"]) == (201, 422), answer.text
    assert [error["pointer"] for error in refused["errors"]] == [f"/{column}"]
    assert await standing.grocer.balance(member) == 5


ROWS = {
    "a cell too few": b"1,2,3",
    "a cell too many": b"1,2,3,4,5",
    "an open quote": b'1,2,3,"4',
    "text behind a quote": b'1,2,3,"4"5',
    "not UTF-8": b"\xff,2,3,4",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_a_row_that_is_none_is_refused_alone(standing: Scene, row: bytes) -> None:
    member = await _new_member(standing)
    bodies = [standing.grocer.payment(member, 5) for _ in range(2)]
    head, first, last = _csv(bodies).splitlines()
    answer = await standing.grocer.send("/v1/batches", b"\n".join((head, first, row, last)), CSV)
    statuses = [result["status"] for result in answer.json()["results"]]
    assert statuses == [201, 400, 201], answer.text


async def _new_member(standing: Scene) -> str:
    """Return a member of this test alone, so that nothing of others shows in the balance."""
    return await standing.grocer.new_member(random_id().hex)


def _csv(bodies: list[Body]) -> bytes:
    columns = ["member_id", "receipt", "occurred_at", "points"]
    rows = [",".join(str(body[column]) for column in columns) for body in bodies]
    return "\r\n".join([",".join(columns), *rows]).encode()
