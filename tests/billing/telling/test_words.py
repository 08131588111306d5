"""Every kind of message has its words in every language, with the same facts in them."""

from datetime import UTC, datetime
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from billing.subscriptions.telling.telling import Each, Fact, Moment, Part, worded
from billing.subscriptions.telling.words import WORDS
from coalition.kernel.money import Money
from coalition.messages.saying import SUBJECT_MOST
from coalition.messages.wording import LANGUAGES, Wording

KINDS = sorted({key.partition(".")[0] for key in WORDS["en"] if key.endswith(".subject")})
LATE = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
FACTS: dict[str, Fact] = {
    **dict.fromkeys(("ends", "applies", "agree_by", "begins", "ended", "ordered"), LATE),
    **dict.fromkeys(("until", "done"), Moment(LATE)),
    **dict.fromkeys(("price", "old", "new"), Each(Money(9_900, "SEK"), "month")),
    **dict.fromkeys(("amount", "refund"), Money(123_456, "SEK")),
    "plan": "Plus",
    "months": 3,
    "version": "SE-2026-11",
    "text": "You may withdraw.\n\nWithin 14 days.",
    "trial": Part("order.trial", {"ends": LATE}),
    "withdrawal": "",
}


def wording(language: str) -> Wording:
    """Return the words of a language by the clock of Stockholm."""
    return Wording(language, WORDS[language], ZoneInfo("Europe/Stockholm"))


def facts(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_each_language_has_every_word_with_the_same_facts() -> None:
    english = WORDS["en"]
    assert tuple(WORDS) == ("en", "sv", "nb")
    assert set(WORDS) == set(LANGUAGES)
    for language, words in WORDS.items():
        assert words.keys() == english.keys(), language
        for key, text in words.items():
            assert facts(text) == facts(english[key]), (language, key)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_is_plain_short_and_whole(kind: str) -> None:
    for language in LANGUAGES:
        said = worded(wording(language), kind, FACTS)
        assert len(said.subject) < SUBJECT_MOST
        assert said.language == language
        assert "{" not in said.subject + said.body
        assert "\n\n\n" not in said.body


def test_amounts_and_days_are_those_of_the_member() -> None:
    english, swedish, norwegian = [
        worded(
            wording(language), "price_notice", FACTS | {"old": Each(Money(7_900, "NOK"), "year")}
        )
        for language in LANGUAGES
    ]
    # Half past eleven in the evening of UTC is the next year in Stockholm.
    assert english.subject == "A new price for Plus from 1 January 2027"
    assert "Until now: NOK\u00a079.00 a year" in english.body
    assert "From 1 January 2027: SEK\u00a099.00 a month" in english.body
    assert "Från den 1 januari 2027: 99,00\u00a0kr i månaden" in swedish.body
    assert "Hittil: 79,00\u00a0kr i året" in norwegian.body
    assert "Fra 1. januar 2027: 99,00\u00a0SEK i måneden" in norwegian.body
    told = worded(wording("sv"), "payment_failed", FACTS)
    assert "1\u00a0234,56\u00a0kr" in told.body
    assert "1 januari 2027 00:30" in told.body
