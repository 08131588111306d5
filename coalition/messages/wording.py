"""Words, amounts and dates in the language of whoever reads them."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

from coalition.kernel.money import Money, exponent

LANGUAGES = ("en", "sv", "nb")
"""The languages in which people are spoken to; a coalition speaks the first until told another."""

_LOCALES = {"en": "en_GB", "sv": "sv_SE", "nb": "nb_NO"}
_UNSPACED = re.compile(r"^(-?[A-Z]{3})(?=\d)")
"""A code without its space, as in SEK79.00."""


class Wording:
    """Words, amounts and dates in one language and zone."""

    def __init__(self, language: str, words: Mapping[str, str], zone: ZoneInfo) -> None:
        """Keep what is needed; `words` has every key that is asked for."""
        self.language, self._words, self._zone = language, words, zone
        self._locale = _LOCALES[language]

    def say(self, key: str, **facts: object) -> str:
        """Return the words of `key` with `facts` put in."""
        return self._words[key].format(**facts)

    def knows(self, key: str) -> bool:
        """Tell whether there are words of `key`."""
        return key in self._words

    def money(self, amount: Money) -> str:
        """Return an amount as people write it, such as 99,00 kr."""
        value = Decimal(amount.amount_minor).scaleb(-exponent(amount.currency))
        text = format_currency(value, amount.currency, locale=self._locale)
        return _UNSPACED.sub("\\1\u00a0", text)

    def number(self, value: int) -> str:
        """Return a whole number with its groups."""
        return format_decimal(value, locale=self._locale)

    def day(self, at: date | datetime) -> str:
        """Return the day of `at` in the zone, such as 21 November 2026."""
        if isinstance(at, datetime):
            at = at.astimezone(self._zone).date()
        return format_date(at, format="long", locale=self._locale)

    def short_day(self, at: date | datetime) -> str:
        """Return the day of `at` in the zone for a table, such as 21 Nov 2026."""
        if isinstance(at, datetime):
            at = at.astimezone(self._zone).date()
        return format_date(at, format="medium", locale=self._locale)

    def instant(self, at: datetime) -> str:
        """Return day and time of `at` in the zone."""
        return format_datetime(
            at.astimezone(self._zone), format="d MMMM y HH:mm", locale=self._locale
        )
