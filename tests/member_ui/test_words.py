"""Every language says everything that another says, with the same facts in it."""

from string import Formatter
from types import SimpleNamespace

import pytest

from member_ui.words import WORDS
from pages.rendering import environment


def facts(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_each_language_has_every_word_with_the_same_facts() -> None:
    english = WORDS["en"]
    for language, words in WORDS.items():
        assert words.keys() == english.keys(), language
        for key, text in words.items():
            assert facts(text) == facts(english[key]), (language, key)
            assert text.strip(), (language, key)


@pytest.mark.parametrize(
    ("state", "payment_url", "is_disputed", "shown"),
    [
        ("past_due", None, False, "renewing"),
        ("past_due", "https://pay.example", False, "past_due"),
        ("past_due", None, True, "past_due"),
        ("active", None, False, "active"),
    ],
)
def test_a_payment_is_said_to_have_failed_only_where_one_can_be_made(
    state: str, payment_url: str | None, *, is_disputed: bool, shown: str
) -> None:
    told = SimpleNamespace(state=state, payment_url=payment_url, is_disputed=is_disputed)
    parts = environment("member_ui").get_template("member_ui/parts.html").module
    assert str(parts.state_of(told)) == shown  # type: ignore[attr-defined]  # a macro
