"""Lines: what each says by itself, many decoded at once; of CSV also what its header says."""

import json
from collections.abc import Iterable
from uuid import UUID

import msgspec
import pytest

from coalition.kernel.errors import Invalid, Malformed, Refused
from coalition.points.commands import PurchaseLine
from partners.batches.lines import (
    IssueLine,
    Line,
    LineDecoder,
    RedeemLine,
    ReverseLine,
    columns_of,
    is_cut,
)
from partners.batches.refusals import BatchHeaderInvalid, LineTooLong
from partners.batches.splitting import CSV, MSGPACK, NDJSON

COLUMNS = ["kind", "receipt", "points"]


@pytest.mark.parametrize(
    "header",
    [None, b"\xff", b'receipt,"', b"receipt,colour", b"amount_minor,purchase.amount_minor"],
)
def test_a_header_names_known_columns_once(header: bytes | None) -> None:
    with pytest.raises(BatchHeaderInvalid) as refused:
        columns_of(header)
    assert "receipt" in refused.value.facts["known"]  # type: ignore[operator]  # a list of names


def test_a_header_may_have_spaces_and_quotes() -> None:
    assert columns_of(b'kind, receipt ,"points"') == COLUMNS


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (b"issue,\xff,1", Malformed),
        (b"issue,a\rb,1", Malformed),
        (b"issue,a\0b,1", Invalid),
        (b'issue,"a,1', Malformed),
        (b"issue,a", Malformed),
        (b"issue,a,1,2", Malformed),
        (b"gift,a,1", Invalid),
        (b"issue,a,1", Invalid),
        (b"redeem,a," + b"9" * 5000, Invalid),
        (b"redeem,a,-1", Invalid),
        ("redeem,a,٣".encode(), Invalid),
    ],
)
def test_a_row_that_is_wrong_is_refused_alone(row: bytes, kind: type[Exception]) -> None:
    (refused,) = LineDecoder(CSV, COLUMNS).decode([row])
    assert isinstance(refused, kind)


def test_cells_of_lines_and_measures_are_json() -> None:
    columns = ["receipt", "occurred_at", "amount_minor", "currency", "lines", "measures"]
    row = (
        b"r1,2026-11-21T12:00:00Z,500,SEK,"
        b'"[{""amount_minor"":300,""category"":""fruit""}]","{""visits"":1}"'
    )
    (line,) = LineDecoder(CSV, columns).decode([row])
    assert isinstance(line, IssueLine)
    assert line.lines == [PurchaseLine(amount_minor=300, category="fruit")]
    assert line.measures == {"visits": 1}


@pytest.mark.parametrize("cell", ["fruit", '"[{]"', "[" * 5000, '"{""amount_minor"":1}"'])
def test_a_cell_of_lines_that_is_no_list_in_json_is_refused_by_its_name(cell: str) -> None:
    (refused,) = LineDecoder(CSV, ["receipt", "lines"]).decode([f"r1,{cell}".encode()])
    assert isinstance(refused, Invalid)


@pytest.mark.parametrize(
    ("last", "is_whole"),
    [
        (b"issue,a,1", True),
        (b"issue,a", False),
        (b'issue,"a', False),
        (b"issue,\xff", True),
        (None, True),
    ],
)
def test_a_last_row_without_its_cells_means_a_cut(last: bytes | None, *, is_whole: bool) -> None:
    assert is_cut([last], COLUMNS) is not is_whole
    assert not is_cut([], COLUMNS)


ISSUE = {"receipt": "r", "occurred_at": "2026-11-21T12:00:00Z", "points": 5, "card": "abcd"}
REDEEM = {"kind": "redeem", **ISSUE}
REVERSE = {"points": 5, "posting_id": str(UUID(int=7)), "kind": "reverse"}


def written(lines: Iterable[object], media_type: str) -> list[bytes]:
    encode = msgspec.msgpack.encode if media_type == MSGPACK else msgspec.json.encode
    return [encode(line) for line in lines]


def told(decoded: Iterable[Line | Refused]) -> list[object]:
    """Return lines as they are, and of refusals what the sender hears."""
    return [
        (type(line), line.detail, line.facts) if isinstance(line, Refused) else line
        for line in decoded
    ]


@pytest.mark.parametrize("media_type", [NDJSON, MSGPACK])
def test_many_lines_of_all_kinds_are_told_apart(media_type: str) -> None:
    given = [ISSUE, REDEEM, REVERSE, {"kind": "issue", **ISSUE}] * 200
    for lines in (given, given[1:], [ISSUE] * 300):
        decoded = LineDecoder(media_type).decode([*written(lines, media_type)])
        kinds = {"redeem": RedeemLine, "reverse": ReverseLine}
        assert [type(one) for one in decoded] == [
            kinds.get(str(line.get("kind")), IssueLine) for line in lines
        ]


@pytest.mark.parametrize("media_type", [NDJSON, MSGPACK])
def test_one_bad_line_among_many_is_refused_alone(media_type: str) -> None:
    records: list[bytes | None] = [*written([ISSUE] * 600, media_type)]
    records[300] = written([ISSUE | {"points": 0}], media_type)[0]
    records[400] = None
    decoded = LineDecoder(media_type).decode(records)
    assert {position: type(one) for position, one in enumerate(decoded)} == {
        position: {300: Invalid, 400: LineTooLong}.get(position, IssueLine)
        for position in range(600)
    }


GOOD = json.dumps(ISSUE).encode()


@pytest.mark.parametrize(
    "records",
    [
        [GOOD + GOOD, GOOD[:-1], b"}"],
        [GOOD + b"," + GOOD, GOOD[:-1] + b',"lines":[{"amount_minor":1}', b'{"amount_minor":1}]}'],
        [GOOD + b" " + GOOD, GOOD[:-1] + b',"measures":{"a":1}', b"}"],
        [GOOD[:-1] + b',"cashier":"}', b'{"}', GOOD + GOOD],
        [GOOD[:-1], b',"cashier":"a"}', GOOD + b" " + GOOD],
        [b"[" + GOOD, GOOD + b"]", GOOD],
        [b"", GOOD, GOOD],
        [GOOD + GOOD, b" ", GOOD],
        [GOOD[:-1] + b',"kind":"redeem"}', GOOD[:-1] + b',"kind":"issue","kind":"redeem"}'],
    ],
)
def test_no_line_is_mended_or_broken_by_the_lines_around_it(records: list[bytes]) -> None:
    together = LineDecoder(NDJSON).decode([*records])
    alone = [LineDecoder(NDJSON).decode([record])[0] for record in records]
    assert told(together) == told(alone)
