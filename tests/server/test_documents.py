"""Files that people write: the core schema of YAML 1.2, bounds, and the line of every error."""

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from server import documents
from server.documents import BadDocumentError, reading


def plain(content: str) -> Any:  # Any: JSON
    return documents.read(content.encode()).plain()


def complaints(content: str | bytes) -> list[str]:
    """Return what is wrong with a file that cannot be read."""
    with pytest.raises(BadDocumentError) as raised:
        documents.read(content if isinstance(content, bytes) else content.encode())
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("2026-10-02", "2026-10-02"),
        ("2026-10-02T09:00:00+02:00", "2026-10-02T09:00:00+02:00"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("12", 12),
        ("-12", -12),
        ("0o17", 15),
        ("0xff", 255),
        ("017", 17),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_a_scalar_is_what_the_core_schema_says(text: str, value: object) -> None:
    read = plain(f"key: {text}\n")["key"]

    assert (read, type(read)) == (value, type(value))


def test_json_is_read_as_well() -> None:
    assert plain('{"a": [1, "2", null], "b": {"c": true}}') == {
        "a": [1, "2", None],
        "b": {"c": True},
    }


def test_a_value_knows_its_line_through_anchors() -> None:
    node = documents.read(b"first: &kept\n  - 1\n  - x: 2\nsecond: *kept\n")

    assert node.plain() == {"first": [1, {"x": 2}], "second": [1, {"x": 2}]}
    assert node.line_of(("first", 1, "x")) == 3
    assert node.line_of(("second",)) == 4
    assert node.line_of(("second", 7)) == 4
    assert node.line_of(("third",)) == 1


def test_keys_that_stand_twice_are_all_refused() -> None:
    assert complaints("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "line 2: b.c: this key stands already on line 2; keep one of them",
        "line 3: a: this key stands already on line 1; keep one of them",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "line 1: the file is empty"),
        ("# only words\n", "line 1: the file is empty"),
        ("a: [1,\n", "line 2: this is no YAML: "),
        ("a: 1\n\tb: 2\n", "line 2: this is no YAML: "),
        ("a: 1\n---\nb: 2\n", "line 2: one document is enough; remove this"),
        ("a: !!int 1\n", "line 1: a: tags such as tag:yaml.org,2002:int are not used"),
        ("a: !secret [1]\n", "line 1: a: tags such as !secret are not used"),
        ("a: *nobody\n", "line 1: a: there is no &nobody that is complete before this"),
        ("a: &a [*a]\n", "line 1: a[0]: there is no &a that is complete before this"),
        ("? [1, 2]\n: 3\n", "line 1: a key is text"),
        ("a:\n  b: " + "9" * 41 + "\n", "line 2: a.b: a number has at most 40 digits"),
        ("[" * 66 + "]" * 66, "line 1: [0]"),
        ("a: \x00\n", "line 1: this is no YAML: "),
        (b"a: 1\nb: \xff\n", "line 2: this is not UTF-8; save it as UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(content: str, complaint: str) -> None:
    (found,) = complaints(content)

    assert found.startswith(complaint)


def test_anchors_that_unfold_to_billions_are_refused() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]

    (found,) = complaints("\n".join(["l0: &l0 [lol, lol, lol, lol, lol]", *levels]))

    assert found.endswith("a file has at most 1,000,000 values, aliases unfolded")


def test_a_file_that_is_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BYTES_MOST", 3)

    assert complaints("a: 1\n") == ["line 1: a file has at most 3 bytes"]


@given(st.binary(max_size=200) | st.text(alphabet="ab:[]{},&*!|>-#\"' \n\t?1", max_size=80))
def test_whatever_a_file_has_in_it_is_read_or_refused(content: str | bytes) -> None:
    with contextlib.suppress(BadDocumentError):
        documents.read(content if isinstance(content, bytes) else content.encode()).plain()


class _Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class _Dot(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="dot"):
    x: int


class _Box(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="box"):
    width: Annotated[int, Meta(ge=1)]
    high: bool = False


class _Even(msgspec.Struct):
    of: int

    def __post_init__(self) -> None:
        if self.of % 2:
            raise ValueError("of is even")


class _Everything(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    text: Annotated[str, Meta(min_length=2, max_length=4)] = "none"
    form: Annotated[str, Meta(pattern="^[a-z]+$", description="small letters")] = "a"
    number: float = 0.0
    price: Decimal = Decimal(1)
    day: date | None = None
    instant: Annotated[datetime, Meta(tz=True)] | None = None
    colour: _Colour = _Colour.RED
    size: Literal["small", "large"] = "small"
    number_or_word: Annotated[int, Meta(ge=1)] | str = 1
    one: UUID | None = None
    shapes: Annotated[tuple[_Dot | _Box, ...], Meta(max_length=2)] = ()
    names: (
        Annotated[dict[Annotated[str, Meta(max_length=3)], int], Meta(min_length=1, max_length=2)]
        | None
    ) = None
    words: Annotated[list[str], Meta(min_length=1)] | None = None
    even: _Even | None = None
    anything: Any = None  # Any: on purpose


def made(content: str) -> _Everything:
    return documents.convert(documents.read(content.encode()), _Everything)


def wrong(content: str) -> list[str]:
    """Return what is wrong with a file whose values are not of their types."""
    with pytest.raises(BadDocumentError) as raised:
        made(content)
    return [str(problem) for problem in raised.value.problems]


def test_values_become_what_their_types_say() -> None:
    content = """
    {text: ab, form: abc, number: 2, price: "1.50", day: 2026-10-02, instant: 2026-10-02T09:00:00Z,
     colour: blue, size: large, number_or_word: seven, one: 00000000-0000-4000-8000-000000000001,
     shapes: [{kind: dot, x: 1}, {kind: box, width: 2, high: true}], names: {NO: 1}, words: [on],
     even: {of: 2}, anything: {a: [1]}}
    """

    assert made(content) == _Everything(
        text="ab",
        form="abc",
        number=2.0,
        price=Decimal("1.50"),
        day=date(2026, 10, 2),
        instant=datetime(2026, 10, 2, 9, tzinfo=UTC),
        colour=_Colour.BLUE,
        size="large",
        number_or_word="seven",
        one=UUID("00000000-0000-4000-8000-000000000001"),
        shapes=(_Dot(1), _Box(2, high=True)),
        names={"NO": 1},
        words=["on"],
        even=_Even(2),
        anything={"a": [1]},
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text: a", "text: expected 2 to 4 characters, and this is 'a'"),
        ("text: [a]", "text: expected text, and this is a list"),
        ("text: 12", 'text: expected text; write it in quotes: "12"'),
        ("text:", "text: expected text, and there is nothing"),
        ('text: "a\\eb"', "text: expected text without control characters, and this is 'a\\x1bb'"),
        ("form: A1", "form: expected text of the form ^[a-z]+$ (small letters), and this is 'A1'"),
        ("number: x", "number: expected a number, and this is 'x'"),
        ("number: true", "number: expected a number, and this is 'true'"),
        ("price: 1.5", 'price: expected a decimal in quotes: "1.5"'),
        (
            "price: dear",
            "price: expected a decimal in quotes such as \"0.0100\", and this is 'dear'",
        ),
        ("day: 2026-02-30", "day: expected a date such as 2026-10-31, and this is '2026-02-30'"),
        ("colour: green", "colour: expected one of red, blue, and this is 'green'"),
        ("size: [1]", "size: expected one of large, small, and this is a list"),
        ("one: 1", "one: expected a UUID, and this is '1'"),
        ("shapes: 3", "shapes: expected a list, and this is '3'"),
        ("shapes: [3]", "shapes[0]: expected keys and values, with kind, and this is '3'"),
        ("shapes: [{x: 1}]", "shapes[0].kind: is missing; it is one of dot, box"),
        ("shapes: [{kind: bx}]", "shapes[0].kind: 'bx' is not known; did you mean box?"),
        ("shapes: [{kind: {}}]", "shapes[0].kind: expected one of dot, box"),
        ("shapes: [{kind: dot}]", "shapes[0].x: is missing"),
        (
            "shapes: [{kind: box, width: 0}]",
            "shapes[0].width: expected a whole number from 1, and this is '0'",
        ),
        (
            "shapes: [{kind: box, width: 1, high: on}]",
            "shapes[0].high: expected true or false, and this is 'on'",
        ),
        ("names: [1]", "names: expected keys and values, and this is a list"),
        ("names: {long: 1}", "names.long: expected 0 to 3 characters, and this is 'long'"),
        ("names: {a: x}", "names.a: expected a whole number, and this is 'x'"),
        ("names: {}", "names: has at least 1 entries"),
        ("names: {a: 1, b: 2, c: 3}", "names: has at most 2 entries"),
        ("words: []", "words: has at least 1 items"),
        ("even: {of: 1}", "even: of is even"),
        ("even: 1", "even: expected keys and values, and this is '1'"),
        ("wrods: [a]", "wrods: there is no such field; did you mean words?"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(content: str, complaint: str) -> None:
    assert wrong(content) == [f"line 1: {complaint}"]


def test_a_text_may_have_several_lines() -> None:
    assert made("text: |\n  a\n  b\n").text == "a\nb\n"


def test_a_list_that_is_too_long_is_refused() -> None:
    dots = ", ".join(["{kind: dot, x: 1}"] * 3)

    assert wrong(f"shapes: [{dots}]") == ["line 1: shapes: has at most 2 items"]


def test_a_field_that_is_in_no_way_close_hears_of_all() -> None:
    (problem,) = wrong("zzz: 1")

    assert problem.startswith("line 1: zzz: there is no such field; known are text, form, ")


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    assert wrong("size: x\nday: 1\ntext: a\n") == [
        "line 1: size: expected one of large, small, and this is 'x'",
        "line 2: day: expected a date such as 2026-10-31, and this is '1'",
        "line 3: text: expected 2 to 4 characters, and this is 'a'",
    ]
