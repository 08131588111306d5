"""The terms of countries: which hold where, until when one may withdraw, what is shown."""

from datetime import UTC, datetime

import msgspec
import pytest

from billing.plans.countries import shipped
from billing.plans.countries.terms import complaints


@pytest.mark.parametrize("country", [one.country for one in shipped().all()])
def test_the_shipped_terms_are_right(country: str) -> None:
    terms = shipped().of(country)
    assert terms.country == country
    assert complaints(terms) == []
    for language in terms.words:
        assert "{" not in terms.disclosure(language)


def test_a_country_without_terms_has_those_of_every_other() -> None:
    assert shipped().of("FI").country == "EU"
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
