"""Forms: what is read of them, and from where they may come."""

import pytest

from coalition.kernel.errors import Malformed, TooLarge
from pages import forms

HOME = "https://points.example"


def test_a_form_is_read_with_its_blanks_cut() -> None:
    assert forms.read(forms.MEDIA_TYPE, b"email=+a%40b.example+&next=") == {
        "email": "a@b.example",
        "next": "",
    }


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        (forms.MEDIA_TYPE, b"a=1&a=2"),
        (forms.MEDIA_TYPE, b"a=%00"),
        (forms.MEDIA_TYPE, b"a=%ff"),
        (forms.MEDIA_TYPE, b"\xff=1"),
        (forms.MEDIA_TYPE, b"nothing"),
        (forms.MEDIA_TYPE, b"&".join(b"f%d=1" % n for n in range(41))),
    ],
    ids=["json", "twice", "nul", "not utf-8", "bytes", "no pair", "too many"],
)
def test_what_is_no_form_of_ours_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        forms.read(content_type, body)


def test_a_long_form_is_refused() -> None:
    with pytest.raises(TooLarge):
        forms.read(forms.MEDIA_TYPE, b"a=" + b"x" * forms.MOST_BYTES)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": HOME},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": HOME},
        {"sec-fetch-site": "none", "origin": HOME},
    ],
    ids=["origin", "site", "both", "typed in"],
)
def test_a_form_of_our_own_pages_is_let_in(headers: dict[str, str]) -> None:
    forms.check_origin(headers, HOME)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": HOME},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none", "origin": "https://evil.example"},
    ],
    ids=["nothing", "another", "null", "cross-site", "same-site", "none of another"],
)
def test_a_form_of_others_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(forms.ForeignForm):
        forms.check_origin(headers, HOME)
