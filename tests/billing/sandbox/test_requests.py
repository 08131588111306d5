"""Forms as Stripe's own client encodes them, read back, and what parameters mean."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from stripe._encode import _api_encode

from billing.sandbox.documents import previous_attributes, visible
from billing.sandbox.errors import Invalid
from billing.sandbox.requests import Params, decode_body, decode_form

_NAMES = some.text("abcdefgh_", min_size=1, max_size=8)
_TEXTS = some.text(max_size=12)
_VALUES = some.recursive(
    _TEXTS,
    lambda inner: (
        some.lists(inner, min_size=1, max_size=12)
        | some.dictionaries(_NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(some.dictionaries(_NAMES, _VALUES, max_size=4))
def test_what_stripes_client_encodes_is_read_back(values: dict[str, Any]) -> None:
    assert decode_form(urlencode(list(_api_encode(values)))) == values


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[0][b]=1&a[1][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}),
        ("a[10]=k&a[9]=j", {"a": ["j", "k"]}),
        ("a=", {"a": ""}),
        ("m[0x]=1&m[1]=2", {"m": {"0x": "1", "1": "2"}}),
    ],
)
def test_forms_written_by_hand_are_read_too(form: str, values: dict[str, Any]) -> None:
    assert decode_form(form) == values


@pytest.mark.parametrize("form", ["a=1&a[b]=2", "a[b]=1&a[b][c]=2"])
def test_a_name_that_is_a_value_and_holds_values_is_refused(form: str) -> None:
    with pytest.raises(Invalid):
        decode_form(form)


def test_json_is_taken_where_it_is_said() -> None:
    assert decode_body("application/json", b'{"a": [1, true]}') == {"a": [1, True]}
    with pytest.raises(Invalid):
        decode_body("application/json", b"[]")


def test_parameters_are_read_by_type_and_what_is_absent_is_none() -> None:
    params = Params(decode_form("n=7&f=true&d=1.5&t=x&o[a]=1&l[0][b]=2&u="))
    assert (params.integer("n"), params.flag("f"), params.number("d")) == (7, True, Decimal("1.5"))
    assert (params.text("t"), params.nested("o").integer("a")) == ("x", 1)
    assert [each.integer("b") for each in params.each("l")] == [2]
    assert params.unsets("u")
    assert not params.unsets("t")
    assert params.text("none") is None
    assert params.each("none") == []


@pytest.mark.parametrize(
    ("form", "read", "param"),
    [
        ("l[0][n]=x", lambda params: params.each("l")[0].integer("n"), "l[0][n]"),
        ("f=yes", lambda params: params.flag("f"), "f"),
        ("d=x", lambda params: params.number("d"), "d"),
        ("w=c", lambda params: params.choice("w", {"a", "b"}), "w"),
        ("o=x", lambda params: params.nested("o"), "o"),
        ("l=x", lambda params: params.each("l"), "l"),
        ("l=x", lambda params: params.texts("l"), "l"),
        ("t[a]=x", lambda params: params.text("t"), "t"),
        ("", lambda params: params.required.text("t"), "t"),
        ("t=", lambda params: params.required.text("t"), "t"),
    ],
    ids=["number", "truth", "decimal", "word", "object", "list", "texts", "text", "none", "empty"],
)
def test_a_wrong_parameter_is_refused_by_its_whole_name(form: str, read: Any, param: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(Params(decode_form(form)))
    assert refused.value.param == param


def test_metadata_is_merged_unset_by_key_and_cleared_as_a_whole() -> None:
    before = {"a": "1", "b": "2"}
    assert Params(decode_form("metadata[b]=&metadata[c]=3")).merged_metadata(before) == {
        "a": "1",
        "c": "3",
    }
    assert Params(decode_form("metadata=")).merged_metadata(before) == {}
    assert Params({}).merged_metadata(before) == before
    with pytest.raises(Invalid, match="50 keys"):
        Params({"metadata": {str(n): "x" for n in range(51)}}).merged_metadata()


def test_former_values_are_told_nested_and_lists_as_a_whole() -> None:
    before = {"a": 1, "same": 2, "deep": {"x": 1, "y": 2}, "list": [1, 2], "gone": 3}
    after = {"a": 2, "same": 2, "deep": {"x": 1, "y": 3}, "list": [1, 3], "new": 4}
    assert previous_attributes(before, after) == {
        "a": 1,
        "deep": {"y": 2},
        "gone": 3,
        "list": [1, 2],
        "new": None,
    }


def test_what_is_the_sandboxes_own_is_never_shown() -> None:
    assert visible({"a": 1, "_b": 2, "c": [{"_d": 3, "e": 4}]}) == {"a": 1, "c": [{"e": 4}]}
