"""Uploads are told apart into lines, however the network cuts them, in bounded memory."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.batches.refusals import BatchTruncated, BatchUnreadable
from partners.batches.splitting import (
    LINE_MOST_BYTES,
    MSGPACK,
    NDJSON,
    MsgpackSplitter,
    Records,
    splitter_of,
)

VALUES = st.dictionaries(
    st.text(max_size=5),
    st.none()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text()
    | st.binary()
    | st.lists(st.booleans()),
    max_size=4,
)
CUTS = st.lists(st.integers(0, 5000), max_size=8)


def split(media_type: str, content: bytes, cuts: Sequence[int] = ()) -> Records:
    """Feed `content` in pieces that end at `cuts`; return its lines."""
    splitter = splitter_of(media_type)
    ends = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    records: Records = []
    for begin, end in pairwise(ends):
        records += splitter.feed(content[begin:end])
    return records + splitter.finish()


@given(values=st.lists(VALUES, min_size=1), cuts=CUTS, in_array=st.booleans())
def test_messagepack_is_split_where_its_values_end(
    values: list[dict[str, object]], cuts: list[int], *, in_array: bool
) -> None:
    written = [msgspec.msgpack.encode(value) for value in values]
    content = msgspec.msgpack.encode(values) if in_array else b"".join(written)
    assert split(MSGPACK, content, cuts) == written


@given(st.lists(VALUES, min_size=1), st.integers(1, 200))
def test_messagepack_that_was_cut_is_refused(values: list[dict[str, object]], cut: int) -> None:
    content = msgspec.msgpack.encode(values)
    if cut < len(content):
        with pytest.raises(BatchTruncated):
            split(MSGPACK, content[:-cut])


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), min_size=1), CUTS)
def test_text_is_split_at_line_breaks(lines: list[bytes], cuts: list[int]) -> None:
    content = b"\n".join([b"{}", *lines, b"{}\n"])
    expected = [line for line in (line.strip(b" \t\r") for line in lines) if line]
    assert split(NDJSON, content, cuts) == [b"{}", *expected, b"{}"]


@pytest.mark.parametrize("step", [1000, 32_768, 100_000, 10**6])
def test_a_line_that_is_too_long_is_dropped_while_it_comes(step: int) -> None:
    long = b'{"a":"' + b"x" * 200_000 + b'"}'
    content = b"{}\n" + long + b"\n{}\n" + long
    cuts = range(0, len(content), step)
    assert split(NDJSON, content, cuts) == [b"{}", None, b"{}", None]
    packed = msgspec.msgpack.encode({"a": ["x" * 100] * 2000})
    assert len(packed) > LINE_MOST_BYTES
    content = b"\x80" + packed + b"\x80" + packed
    assert split(MSGPACK, content, range(0, len(content), step)) == [b"\x80", None, b"\x80", None]


def test_a_value_that_claims_gigabytes_is_refused_before_it_is_kept() -> None:
    splitter = MsgpackSplitter()
    splitter.feed(b"\x81\xa1a\xdb\xff\xff\xff\xff")
    with pytest.raises(BatchUnreadable):
        splitter.feed(b"x" * 2_000_000)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert split(NDJSON, b"\xef\xbb\xbf{}\n", cuts=[1, 2]) == [b"{}"]


@pytest.mark.parametrize("cut", [b'{"a', b'{"a":"b', b'{"a":[1,', b"{", b"tru"])
def test_a_last_line_that_ends_in_the_middle_means_a_cut(cut: bytes) -> None:
    with pytest.raises(BatchTruncated):
        split(NDJSON, b"{}\n" + cut)
    assert split(NDJSON, b"{}\n" + cut + b"\n") == [b"{}", cut]


@pytest.mark.parametrize("bad", [b"nonsense", b"{}}", b"\xff", b"[" * 5000 + b"]" * 5000])
def test_a_last_line_that_is_wrong_is_a_line(bad: bytes) -> None:
    assert split(NDJSON, b"{}\n" + bad) == [b"{}", bad]
