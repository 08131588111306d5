"""The terms of countries: which hold where, until when one may withdraw, what is shown."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from billing.plans.countries import shipped
from billing.plans.countries.terms import (
    CountryLike,
    complaints,
    complaints_of_like,
    shipped_files,
)
from coalition.kernel.money import CURRENCIES
from coalition.messages.wording import LANGUAGES

UNION = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO CH"
)
ZONES = {
    "FI": "Europe/Helsinki",
    "GR": "Europe/Athens",
    "RO": "Europe/Bucharest",
    "BG": "Europe/Sofia",
    "EE": "Europe/Tallinn",
    "LV": "Europe/Riga",
    "LT": "Europe/Vilnius",
    "CY": "Asia/Nicosia",
    "IE": "Europe/Dublin",
    "PT": "Europe/Lisbon",
    "IS": "Atlantic/Reykjavik",
    "CH": "Europe/Zurich",
    "SE": "Europe/Stockholm",
}


@pytest.mark.parametrize("country", [one.country for one in shipped().all()])
def test_the_shipped_terms_are_right(country: str) -> None:
    terms = shipped().of(country)
    assert terms.country == country
    assert complaints(terms) == []
    for language in terms.words:
        assert "{" not in terms.disclosure(language)
    assert set(LANGUAGES) <= terms.words.keys(), "a page has its buttons in its own language"
    assert terms.currency in CURRENCIES


def test_every_country_of_the_economic_area_has_terms() -> None:
    assert set(UNION.split()) <= {one.country for one in shipped().all()}


@pytest.mark.parametrize("country", ZONES)
@pytest.mark.parametrize("month", [3, 7, 10])
def test_the_last_day_ends_at_the_midnight_of_whoever_ordered(country: str, month: int) -> None:
    zone = ZoneInfo(ZONES[country])
    ordered = datetime(2026, month, 20, 23, 59, tzinfo=zone)
    until = shipped().of(country).withdrawal_until(ordered.astimezone(UTC))
    assert until is not None
    assert until.astimezone(zone).isoformat()[:19] == (
        f"{(ordered + timedelta(days=15)):%Y-%m-%d}T00:00:00"
    )


def test_a_country_like_another_has_its_terms_and_speaks_its_own_language_first() -> None:
    austria, union = shipped().of("AT"), shipped().of("EU")
    assert austria.language("pl") == "de"
    assert austria.words["de"].order_button == "Zahlungspflichtig bestellen"
    assert austria.disclosure("en") == union.disclosure("en")
    assert (austria.price_rise, austria.disclosure_version) == (
        *(union.price_rise, union.disclosure_version),
    )


def test_a_country_like_another_has_what_an_operator_wrote_for_that() -> None:
    english = {"en": shipped().of("EU").words["en"]}
    own = msgspec.structs.replace(shipped().of("EU"), withdrawal_days=30, words=english)
    found = shipped().over([own])
    assert found.of("FI").withdrawal_days == 30
    assert found.of("FI").zone.key == "Europe/Helsinki"
    assert found.of("AT").language("de") == "en", "the operator says nothing in German"


def test_what_a_country_is_like_and_speaks_is_checked() -> None:
    right = [one for one in shipped_files() if isinstance(one, CountryLike)]
    assert [complaints_of_like(one, shipped_files()) for one in right] == [[]] * len(right)
    wrong = CountryLike(country="AT", like="FI", timezone="Mars/Base", language="xx")
    where = [at for at, _ in complaints_of_like(wrong, shipped_files())]
    assert where == [("timezone",), ("like",)]
    deaf = msgspec.structs.replace(wrong, like="EU", timezone="Europe/Vienna")
    assert [at for at, _ in complaints_of_like(deaf, shipped_files())] == [("language",)]
    with pytest.raises(msgspec.ValidationError, match="unknown field `zone`"):
        msgspec.convert(
            {"country": "AT", "like": "EU", "timezone": "Europe/Vienna", "zone": "x"}, CountryLike
        )


def test_buttons_say_the_same_in_every_language_of_a_country() -> None:
    said = shipped().of("DE").words
    assert (said["sv"].cancel_button, said["sv"].cancel_confirm) == (
        *("Säg upp avtal här", "Säg upp nu"),
    )
    for terms in shipped().all():
        if terms.country != "US":
            assert terms.words["sv"].order_button == "Beställ med betalningsskyldighet"
            assert terms.words["nb"].order_button == "Bestill med betalingsplikt"
            assert terms.words["en"].order_button == "Order with obligation to pay"


def test_a_country_without_terms_has_those_of_every_other() -> None:
    assert shipped().of("JP").country == "EU"
    assert shipped().of(None).country == "EU"


def test_german_buttons_say_what_the_law_wants() -> None:
    said = shipped().of("DE").words["de"]
    assert said.order_button == "Zahlungspflichtig bestellen"
    assert (said.cancel_button, said.cancel_confirm) == ("Verträge hier kündigen", "Jetzt kündigen")
    assert shipped().of("DE").cancel_without_login


def test_the_day_of_the_order_does_not_count_and_the_last_day_counts_whole() -> None:
    ordered = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)  # the 2nd in Stockholm
    until = shipped().of("SE").withdrawal_until(ordered)
    assert until == datetime(2026, 11, 16, 23, 0, tzinfo=UTC)  # the 16th is over there
    assert shipped().of("US").withdrawal_until(ordered) is None


def test_a_language_that_is_not_written_is_the_first_of_the_country() -> None:
    assert shipped().of("SE").language("de") == "sv"
    assert shipped().of("SE").language("en") == "en"


def test_an_operators_own_terms_lie_over_the_shipped_ones() -> None:
    own = msgspec.structs.replace(shipped().of("SE"), withdrawal_days=30)
    assert shipped().over([own]).of("SE").withdrawal_days == 30
    assert shipped().of("SE").withdrawal_days == 14


def test_terms_that_are_not_right_are_told_where() -> None:
    wrong = msgspec.structs.replace(shipped().of("SE"), timezone="Europe/Nowhere", words={})
    assert [where for where, _ in complaints(wrong)] == [("timezone",), ("words",)]
