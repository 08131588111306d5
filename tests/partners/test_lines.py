"""Lines of CSV: what a row says, and what is wrong with a header or a row."""

import pytest

from coalition.kernel.errors import Invalid, Malformed
from coalition.points.commands import PurchaseLine
from partners.batches.lines import IssueLine, LineDecoder, columns_of, is_cut
from partners.batches.refusals import BatchHeaderInvalid
from partners.batches.splitting import CSV

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
