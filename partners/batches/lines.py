"""What a line of a batch says: one single request, with its kind beside it.

Lines are decoded some hundreds at a time, which takes two thirds of the time. Where one of them is
not as it should be, each is decoded alone and gets its own refusal: a bad line spoils nothing.
"""

import csv
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal
from uuid import UUID

import msgspec

from coalition.kernel.errors import Invalid, Malformed, Refused
from coalition.kernel.web.decoding import BodyDecoder, Media, invalid
from coalition.points.commands import IssueBody, RedeemBody, ReverseBody
from partners.batches.refusals import BatchHeaderInvalid, LineTooLong
from partners.batches.splitting import CSV, LINE_MOST_BYTES, MSGPACK, NDJSON, Records


class IssueLine(IssueBody, frozen=True, tag_field="kind", tag="issue"):
    """A line that issues points; the kind may be left out."""


class RedeemLine(RedeemBody, frozen=True, tag_field="kind", tag="redeem"):
    """A line that takes points as payment."""


class ReverseLine(ReverseBody, frozen=True, kw_only=True, tag_field="kind", tag="reverse"):
    """A line that reverses a posting, whole or in part."""

    posting_id: UUID


Line = IssueLine | RedeemLine | ReverseLine
Decoded = list[Line | Refused]


class _Kind(msgspec.Struct):
    """The one field that is looked at first; the others are the business of the kind."""

    kind: Literal["issue", "redeem", "reverse"] = "issue"


_TYPES: Mapping[str, type[Line]] = {
    "issue": IssueLine,
    "redeem": RedeemLine,
    "reverse": ReverseLine,
}
_KIND = BodyDecoder(_Kind)
_BODIES = {kind: BodyDecoder(line) for kind, line in _TYPES.items()}

_TOGETHER = 250
"""How many lines are decoded at once, so that one bad line does not cost a whole chunk."""
_JSON_LINES = msgspec.json.Decoder(Line)
_JSON_ISSUES = msgspec.json.Decoder(IssueLine)
"""Also of lines that do not say their kind: only issues may leave it out."""
_MSGPACK_LINES = msgspec.msgpack.Decoder(list[Line])
_MSGPACK_ISSUES = msgspec.msgpack.Decoder(list[IssueLine])
_ARRAY_HEAD = struct.Struct(">BI")
_ARRAY_OF_MANY = 0xDD
_NOT_AS_IT_SHOULD_BE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Row = list[str]


class LineDecoder:
    """Decodes the lines of one batch; `columns` are those of its CSV header."""

    def __init__(self, media_type: str, columns: Sequence[str] = ()) -> None:
        readers: dict[str, Callable[[bytes], Line]] = {
            NDJSON: _json_line,
            MSGPACK: _msgpack_line,
            CSV: self._csv_line,
        }
        self._read = readers[media_type]
        self._read_all = _TOGETHER_BY_MEDIA_TYPE.get(media_type)
        self._columns = columns

    def decode(self, records: Records) -> Decoded:
        """Return what each line says, or why it cannot be understood."""
        decoded: Decoded = []
        for start in range(0, len(records), _TOGETHER):
            decoded += self._some(records[start : start + _TOGETHER])
        return decoded

    def _some(self, records: Records) -> Sequence[Line | Refused]:
        lines: list[Line] | None = None
        present = [record for record in records if record is not None]
        if self._read_all is not None and len(present) == len(records):
            with suppress(*_NOT_AS_IT_SHOULD_BE):
                lines = self._read_all(present)
        return lines if lines is not None else [self._one(record) for record in records]

    def _one(self, record: bytes | None) -> Line | Refused:
        if record is None:
            return LineTooLong(limit_bytes=LINE_MOST_BYTES)
        try:
            return self._read(record)
        except Refused as refusal:
            return refusal

    def _csv_line(self, record: bytes) -> Line:
        try:
            rows = list(csv.reader([record.decode()], strict=True))
        except UnicodeDecodeError as error:
            raise Malformed("The line is not valid UTF-8") from error
        except csv.Error as error:
            raise Malformed(f"The line is not CSV: {error}") from error
        return self._line_of(rows[0])

    def _line_of(self, row: Row) -> Line:
        if len(row) != len(self._columns):
            raise Malformed(f"The line has {len(row)} cells, the header {len(self._columns)}")
        given: dict[str, object] = {}
        for column, cell in zip(self._columns, row, strict=True):
            if cell:
                _put(given, column, cell)
        kind = str(given.get("kind", "issue"))
        if kind not in _TYPES:
            raise Invalid(errors=[{"pointer": "/kind", "detail": f"One of {', '.join(_TYPES)}"}])
        try:
            line: Line = msgspec.convert(given, _TYPES[kind])
        except msgspec.ValidationError as error:
            raise invalid(error) from error
        return line


_PURCHASE = {
    "amount_minor": "amount_minor",
    "currency": "currency",
    "purchase.amount_minor": "amount_minor",
    "purchase.currency": "currency",
}
_NUMBERS = frozenset({"points", "amount_minor", "purchase.amount_minor"})
_COLUMNS = {
    "kind": None,
    **dict.fromkeys(
        field for line in _TYPES.values() for field in line.__struct_fields__ if field != "purchase"
    ),
    **_PURCHASE,
}
_NUMBER_MOST_DIGITS = 18
_NESTED = frozenset({"lines", "measures"})
"""Columns whose cells are JSON: a list and a map have no other place in a row."""


def columns_of(header: bytes | None) -> list[str]:
    """Return the columns that a CSV header names. Raises `BatchHeaderInvalid`."""
    if header is None:
        raise BatchHeaderInvalid(known=list(_COLUMNS))
    try:
        rows = list(csv.reader([header.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BatchHeaderInvalid(known=list(_COLUMNS)) from error
    columns = [name.strip() for name in rows[0]]
    meant = [_PURCHASE.get(name, name) for name in columns]
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown or len(set(meant)) != len(meant):
        raise BatchHeaderInvalid(unknown=unknown, known=list(_COLUMNS))
    return columns


def is_cut(last: Records, columns: Sequence[str]) -> bool:
    """Tell whether the last line, which no line break ended, lacks cells or an end of a quote."""
    if not last or last[0] is None:
        return False
    try:
        rows = list(csv.reader([last[0].decode()], strict=True))
    except UnicodeDecodeError:
        return False
    except csv.Error:
        return True
    return len(rows[0]) < len(columns)


def _put(given: dict[str, object], column: str, cell: str) -> None:
    value: object = cell
    if column in _NUMBERS and cell.isascii() and cell.isdigit():
        value = int(cell) if len(cell) <= _NUMBER_MOST_DIGITS else cell
    elif column in _NESTED:
        value = _nested(column, cell)
    field = _PURCHASE.get(column)
    if field is None:
        given[column] = value
    else:
        purchase = given.setdefault("purchase", {})
        assert isinstance(purchase, dict), "no column is called purchase"
        purchase[field] = value


def _nested(column: str, cell: str) -> object:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError) as error:
        detail = f"A cell of {column} is JSON as in a request"
        raise Invalid(errors=[{"pointer": f"/{column}", "detail": detail}]) from error


def _json_line(record: bytes) -> Line:
    return _BODIES[_KIND.decode(record).kind].decode(record)


def _msgpack_line(record: bytes) -> Line:
    kind = _KIND.decode(record, Media.MSGPACK).kind
    return _BODIES[kind].decode(record, Media.MSGPACK)


def _json_lines(records: list[bytes]) -> list[Line] | None:
    """Return what `records` say, or None where one might be more or less than a value.

    Each begins with a brace and ends with one, so no value goes on in the next line: within a value
    something stands between a closing and an opening brace. So as many values as lines are one
    value in each line.
    """
    text = b"\n".join(records)
    if text.count(b"}\n{") != len(records) - 1 or text[:1] != b"{" or text[-1:] != b"}":
        return None
    says_kind = b'"kind"' in records[0]
    lines = [*(_JSON_LINES if says_kind else _JSON_ISSUES).decode_lines(text)]
    return lines if len(lines) == len(records) else None


def _msgpack_lines(records: list[bytes]) -> list[Line]:
    """Return what `records` say; each is one value, of which it is known where it ends."""
    says_kind = b"\xa4kind" in records[0]
    array = _ARRAY_HEAD.pack(_ARRAY_OF_MANY, len(records)) + b"".join(records)
    return [*(_MSGPACK_LINES if says_kind else _MSGPACK_ISSUES).decode(array)]


_TOGETHER_BY_MEDIA_TYPE: Mapping[str, Callable[[list[bytes]], list[Line] | None]] = {
    NDJSON: _json_lines,
    MSGPACK: _msgpack_lines,
}
