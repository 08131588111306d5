"""The terms of a country as they are written in its file, and which terms a country has."""

import functools
import hashlib
import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from importlib import resources
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
import yaml
from msgspec import Meta

from billing.plans.documents import Currency

ELSEWHERE: Final = "EU"
"""The terms of every country without a file of its own."""

Days = Annotated[int, Meta(ge=0, le=120)]
CountryCode = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2, or EU")]
LanguageCode = Annotated[str, Meta(pattern="^[a-z]{2}$")]
Said = Annotated[str, Meta(min_length=1, max_length=60)]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How buttons read in one language, and what is disclosed before an order."""

    order_button: Said
    cancel_button: Said
    cancel_confirm: Said
    withdraw_button: Said
    withdraw_confirm: Said
    disclosure: Annotated[str, Meta(min_length=1, max_length=5_000)]
    """Numbers of the same file stand in it as {withdrawal_days} and {trial_end_notice_days}."""


class PriceRise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many days before a rise members are told, and whether each must agree to it."""

    notice_days: Days
    consent: bool


class CountryDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The terms of a country; the first language of `words` is the one of who names none."""

    country: CountryCode
    timezone: str
    currency: Currency
    withdrawal_days: Days
    withdrawal_without_login: bool = False
    cancel_without_login: bool = False
    trial_end_notice_days: Days
    renewal_notice_days: Days
    """Before a yearly renewal."""
    price_rise: PriceRise
    disclosure_version: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    """Changes whenever a text does: an order accepts the present one."""
    words: dict[LanguageCode, Words]

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which its days are counted."""
        return ZoneInfo(self.timezone)

    def language(self, wanted: str) -> str:
        """Return the wanted language where there are words in it, else the country's first."""
        return wanted if wanted in self.words else next(iter(self.words))

    def disclosure(self, wanted: str) -> str:
        """Return what is disclosed before an order, with its numbers."""
        text = self.words[self.language(wanted)].disclosure
        numbers = {
            "withdrawal_days": self.withdrawal_days,
            "trial_end_notice_days": self.trial_end_notice_days,
        }
        for name, number in numbers.items():
            text = text.replace("{" + name + "}", str(number))
        return text

    def withdrawal_until(self, ordered_at: datetime) -> datetime | None:
        """Return the first instant after the days in which an order may be withdrawn from.

        The day of the order does not count, and the last day counts whole. None: never.
        """
        if not self.withdrawal_days:
            return None
        ordered_on: date = ordered_at.astimezone(self.zone).date()
        after = ordered_on + timedelta(days=self.withdrawal_days + 1)
        return datetime.combine(after, time(), self.zone).astimezone(ordered_at.tzinfo)


class CountryLike(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A country with the terms of another one, but by its own clock, in its own money.

    Who asks for no language, or for one that those terms are not written in, reads `language`.
    """

    country: CountryCode
    like: CountryCode
    timezone: str
    currency: Currency | None = None
    language: LanguageCode | None = None

    def terms(self, other: CountryDocument) -> CountryDocument:
        """Return the terms of this country, which are those of `other` else."""
        words = other.words
        if self.language is not None and self.language in words:
            words = {self.language: words[self.language]} | words
        return msgspec.structs.replace(
            other,
            country=self.country,
            timezone=self.timezone,
            currency=self.currency or other.currency,
            words=words,
        )


Written = CountryDocument | CountryLike


class Countries:
    """The terms of all countries; it is never changed once made."""

    def __init__(self, written: Iterable[Written]) -> None:
        """Keep the terms; the last file of a country counts."""
        self._written = {one.country: one for one in written}
        whole = {
            code: one for code, one in self._written.items() if isinstance(one, CountryDocument)
        }
        assert ELSEWHERE in whole, "some terms hold where none are written"
        self._by_code = {
            code: one if isinstance(one, CountryDocument) else one.terms(whole[one.like])
            for code, one in self._written.items()
        }

    def of(self, country: str | None) -> CountryDocument:
        """Return the terms of a country, or those of every other."""
        return self._by_code.get(country or "", self._by_code[ELSEWHERE])

    def all(self) -> tuple[CountryDocument, ...]:
        """Return all terms that are written, by country."""
        return tuple(self._by_code[code] for code in sorted(self._by_code))

    def over(self, written: Iterable[Written]) -> "Countries":
        """Return the same with an operator's own files laid over them.

        A country that is like another one has what the operator wrote for that.
        """
        return Countries((*self._written.values(), *written))


def digest_of(text: str) -> bytes:
    """Return the SHA-256 by which a text that was shown is known."""
    return hashlib.sha256(text.encode()).digest()


def complaints(document: CountryDocument) -> list[tuple[tuple[str | int, ...], str]]:
    """Return what is wrong with terms beyond their form: where, and what would be right."""
    found = _complaints_of(document.timezone)
    if not document.words:
        found.append((("words",), "name the buttons in one language at least"))
    for language, words in document.words.items():
        left = re.findall(r"\{(\w*)\}", words.disclosure)
        for name in left:
            if name not in {"withdrawal_days", "trial_end_notice_days"}:
                text = f"{{{name}}} is no number of this file; write it out"
                found.append((("words", language, "disclosure"), text))
    return found


def complaints_of_like(
    one: CountryLike, among: Iterable[Written]
) -> list[tuple[tuple[str | int, ...], str]]:
    """Return what is wrong with a country that is like another one of `among`."""
    found = _complaints_of(one.timezone)
    whole = {other.country: other for other in among if isinstance(other, CountryDocument)}
    other = whole.get(one.like)
    if other is None:
        found.append((("like",), f"{one.like} has no terms of its own; write {ELSEWHERE}"))
    elif one.language is not None and one.language not in other.words:
        said = ", ".join(other.words)
        found.append((("language",), f"{one.like} is written in {said}; write one of them"))
    return found


def _complaints_of(zone: str) -> list[tuple[tuple[str | int, ...], str]]:
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        return [(("timezone",), f"{zone} is no zone; write Europe/Stockholm")]
    return []


@functools.cache
def shipped_files() -> tuple[Written, ...]:
    """Return what the files say that come with the program."""
    files = resources.files("billing.plans.countries")
    read: list[Any] = [  # Any: YAML
        yaml.safe_load(file.read_text("utf-8"))
        for file in files.iterdir()
        if file.name.endswith(".yaml")
    ]
    whole = [msgspec.convert(one, CountryDocument) for one in read if isinstance(one, dict)]
    lists = [msgspec.convert(one, list[CountryLike]) for one in read if isinstance(one, list)]
    return (*whole, *(one for alike in lists for one in alike))


@functools.cache
def shipped() -> Countries:
    """Return the terms that come with the program."""
    return Countries(shipped_files())
