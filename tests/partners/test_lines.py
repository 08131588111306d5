"""Lines of CSV: what a row says, and what is wrong with a header or a row."""

import pytest

from coalition.kernel.errors import Invalid, Malformed
from partners.batches.lines import LineDecoder, columns_of, is_cut
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
