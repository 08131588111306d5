"""Which prices, periods and contract versions hold in a span of time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import Contract, MoneyRate
from partners.settlement.pricing import PriceBook, counts_from
from tests.partners.settlement.test_pricing import FUEL, GROCER, contract, periods_of

GROCERS_MONTHS = periods_of(GROCER)
JANUARY, FEBRUARY, MARCH = (month.starts_at for month in GROCERS_MONTHS)
END = GROCERS_MONTHS[-1].ends_at


def book(*contracts: Contract, rates: tuple[MoneyRate, ...] = (), **periods: Any) -> PriceBook:
    known = Catalogue(version=1, coalition=None, contracts=contracts, money_rates=rates)
    return PriceBook(known, periods.get("periods", {GROCER: GROCERS_MONTHS}))


def span_of(known: PriceBook, instant: datetime) -> int:
    """Return the span that begins at a boundary."""
    return known.boundaries.index(instant) + 1


def test_a_span_begins_with_whatever_prices_depend_on() -> None:
    begins, signed = date(2026, 1, 10), datetime(2026, 1, 20, 15, tzinfo=UTC)
    later = msgspec.structs.replace(
        contract(GROCER, 11, valid_from=date(2026, 1, 20)), version=2, signed_at=signed
    )
    rated = datetime(2026, 2, 5, tzinfo=UTC)
    rate = MoneyRate(1, "SEK", "EUR", Decimal("0.09"), rated, rated, "anna", "bo")
    known = book(contract(GROCER, valid_from=begins), later, rates=(rate,))
    tenth = datetime(2026, 1, 9, 23, tzinfo=UTC)
    assert known.boundaries == (JANUARY, tenth, signed, FEBRUARY, rated, MARCH, END)
    assert known.instant(0) == known.instant(1) == JANUARY
    assert known.instant(2) == tenth


def test_a_span_lies_in_the_period_that_begins_with_it_or_before() -> None:
    known = book(contract(GROCER))
    starts = (JANUARY, FEBRUARY, MARCH)
    assert [known.period_no(GROCER, span_of(known, start)) for start in starts] == [1, 2, 3]
    assert [period.starts_at for period in known.periods[GROCER]] == [*starts]


def test_what_came_before_the_first_period_of_one_partner_counts_as_in_it() -> None:
    late = [msgspec.structs.replace(GROCERS_MONTHS[2], partner_no=FUEL, no=1)]
    known = book(contract(GROCER), periods={GROCER: GROCERS_MONTHS, FUEL: late})
    assert known.period_no(FUEL, span_of(known, JANUARY)) == 1
    assert known.period_no(FUEL, span_of(known, MARCH)) == 1


def test_nothing_is_booked_after_the_last_period_that_was_made() -> None:
    known = book(contract(GROCER))
    with pytest.raises(AssertionError, match="no period of partner 1"):
        known.period_no(GROCER, span_of(known, END))


def test_a_partner_without_a_period_does_not_stop_the_others() -> None:
    known = book(contract(GROCER), periods={GROCER: GROCERS_MONTHS, FUEL: []})
    assert known.period_no(GROCER, 1) == 1


def test_a_version_holds_from_its_first_instant_and_the_first_one_before_too() -> None:
    newer = contract(GROCER, 11, valid_from=date(2026, 2, 1))
    first = contract(GROCER, valid_from=date(2026, 1, 10))
    known = book(first, newer)
    held = [known.contract_at(GROCER, span).no for span in range(1, span_of(known, MARCH) + 1)]
    assert dict(zip(known.boundaries, held, strict=False)) == {
        JANUARY: 10,  # before it begins
        datetime(2026, 1, 9, 23, tzinfo=UTC): 10,
        FEBRUARY: 11,
        MARCH: 11,
    }


@pytest.mark.parametrize(
    ("version", "signed_after", "counts_after"),
    [(1, 5, 0), (2, 5, 5), (2, -5, 0), (2, 0, 0)],
    ids=["the first", "signed later that day", "signed before", "signed at midnight"],
)
def test_a_later_version_counts_once_it_begins_and_is_signed(
    version: int, signed_after: int, counts_after: int
) -> None:
    made = msgspec.structs.replace(
        contract(GROCER), version=version, signed_at=JANUARY + timedelta(hours=signed_after)
    )
    assert counts_from(made) == JANUARY + timedelta(hours=counts_after)
