"""Which language a visitor gets, and how amounts and days are written in it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from coalition.kernel.money import Money
from pages.languages import Wording, asked_for

AT = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "otherwise"),
        (None, "de, en;q=0", "otherwise"),
        (None, "sv-SE,sv;q=0.9,en;q=0.8", "sv"),
        (None, "de, no;q=0.7, en;q=0.3", "nb"),
        (None, "nn-NO", "nb"),
        (None, "en;q=0.1, sv;q=0.9", "sv"),
        (None, "sv;q=nonsense, nb;q=0.2", "nb"),
        (None, ";;;,,,q=", "otherwise"),
        ("nb", "sv", "nb"),
        ("xx", "sv", "sv"),
    ],
)
def test_the_language_is_what_was_chosen_or_else_accepted(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert asked_for(chosen, accepted, "otherwise") == language


def test_amounts_and_days_are_written_as_people_of_the_language_do() -> None:
    swedish = Wording("sv", {}, ZoneInfo("Europe/Stockholm"))
    assert swedish.money(Money(123456, "SEK")) == "1\xa0234,56\xa0kr"
    assert swedish.money(Money(500, "JPY")).startswith("500")
    assert swedish.day(AT) == "22 november 2026"
    assert swedish.short_day(AT) == "22 nov. 2026"
    english = Wording("en", {}, ZoneInfo("UTC"))
    assert english.money(Money(-7900, "SEK")) == "-SEK\xa079.00"
    assert english.money(Money(799, "EUR")) == "€7.99"
    assert english.instant(AT) == "21 November 2026 23:30"
    assert english.number(1234567) == "1,234,567"
