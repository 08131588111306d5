"""What a purchase earns, how it is explained, what points can pay."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.kernel.money import Rounding, UnknownCurrency
from coalition.points.commands import Purchase
from coalition.points.rules import (
    EarningRule,
    EarningRules,
    Payable,
    decimal_text,
    earn,
    explain,
    payable,
    reversed_reason,
    spent_reason,
    why_earned,
    withheld_reason,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def rule(
    *,
    points: int = 1,
    per_minor: int = 100,
    rounding: Rounding = Rounding.DOWN,
    currency: str = "SEK",
    no: int = 1,
    partner_no: int = 1,
    valid_from: datetime = START,
) -> EarningRule:
    return EarningRule(no, partner_no, currency, points, per_minor, rounding, valid_from)


def exactly(fraction: Fraction, rounding: Rounding) -> int:
    """Round a fraction by the book, without decimals."""
    whole, rest = divmod(fraction.numerator, fraction.denominator)
    twice = 2 * rest - fraction.denominator
    match rounding:
        case Rounding.DOWN:
            return whole
        case Rounding.UP:
            return whole + bool(rest)
        case Rounding.HALF_AWAY_FROM_ZERO:
            return whole + (twice >= 0)
        case Rounding.HALF_EVEN:
            return whole + (twice > 0 or (twice == 0 and whole % 2 == 1))


@given(
    st.integers(0, 10**15),
    st.integers(1, 10**6),
    st.integers(1, 10**12),
    st.sampled_from(list(Rounding)),
)
def test_points_are_rounded_once_and_as_the_rule_says(
    amount_minor: int, points: int, per_minor: int, rounding: Rounding
) -> None:
    """Over the whole range that is taken: there the digits of a decimal must suffice."""
    kept = rule(points=points, per_minor=per_minor, rounding=rounding)
    assert earn(amount_minor, kept) == exactly(Fraction(amount_minor * points, per_minor), rounding)


@pytest.mark.parametrize(
    ("rounding", "earned"),
    [
        (Rounding.DOWN, [0, 1, 1, 2]),
        (Rounding.UP, [1, 1, 2, 3]),
        (Rounding.HALF_AWAY_FROM_ZERO, [1, 1, 2, 3]),
        (Rounding.HALF_EVEN, [0, 1, 2, 2]),
    ],
)
def test_each_rounding_by_example(rounding: Rounding, earned: list[int]) -> None:
    kept = rule(rounding=rounding)
    assert [earn(amount, kept) for amount in (50, 100, 150, 250)] == earned


def test_the_rule_that_holds_is_the_latest_that_has_begun() -> None:
    later = START + timedelta(days=30)
    rules = EarningRules(
        [
            rule(no=1),
            rule(no=2, valid_from=later),
            rule(no=3, currency="EUR"),
            rule(no=4, partner_no=2),
        ]
    )

    def held(instant: datetime, currency: str = "SEK", partner_no: int = 1) -> int | None:
        found = rules.at(partner_no, currency, instant)
        return found.no if found else None

    instant = timedelta(microseconds=1)
    assert held(START - instant) is None
    assert held(START) == held(later - instant) == 1
    assert held(later) == 2
    assert held(later, "EUR") == 3
    assert held(later, "NOK") is None
    assert held(later, partner_no=2) == 4
    assert held(later, partner_no=3) is None


def test_an_explanation_is_a_sentence_for_the_customer() -> None:
    reason = explain(12_345, rule(), 123)
    assert (reason.rule, reason.points) == ("earning:1", 123)
    assert reason.text == "1 point per 1.00 SEK of 123.45 SEK, rounded down"
    yen = rule(points=3, per_minor=200, currency="JPY", rounding=Rounding.HALF_EVEN)
    assert explain(500, yen, 8).text == "3 points per 200 JPY of 500 JPY, rounded half to even"


def test_reasons_name_the_rule_or_the_partner() -> None:
    bought = Purchase(amount_minor=100, currency="SEK")
    assert why_earned(1, rule(), bought).rule == "earning:1"
    assert why_earned(5, None, None).text == "as the partner decided"
    assert why_earned(5, None, bought).rule == "given"
    assert spent_reason(5).points == 5
    assert reversed_reason(5, "broken").text == "broken"
    assert reversed_reason(5, None).text == "as the partner decided"
    nothing = withheld_reason("Partner Suspended")
    assert (nothing.rule, nothing.points) == ("withheld", 0)
    assert nothing.text == "no points are given here at present: partner suspended"


def test_amounts_are_written_with_the_decimals_of_their_currency() -> None:
    assert decimal_text(5, "SEK") == "0.05"
    assert decimal_text(12_345, "KWD") == "12.345"
    assert decimal_text(12_345, "JPY") == "12345"
    with pytest.raises(UnknownCurrency):
        decimal_text(1, "XXX")


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**15),
    st.decimals("0.000000001", 100, places=9),
    st.sampled_from(["SEK", "JPY", "KWD"]),
)
def test_points_never_pay_more_than_the_purchase_or_the_balance(
    balance: int, amount_minor: int, price: Decimal, currency: str
) -> None:
    found = payable(balance, amount_minor, currency, price)
    decimals = {"SEK": 2, "JPY": 0, "KWD": 3}[currency]
    price_minor = Fraction(price) * 10**decimals
    assert 0 <= found.points <= balance
    assert found.points * price_minor <= amount_minor
    assert found.amount_minor == int(found.points * price_minor)
    # One more would be too much, or is not there.
    assert found.points == balance or (found.points + 1) * price_minor > amount_minor


def test_points_without_a_price_pay_nothing() -> None:
    assert payable(100, 100, "SEK", Decimal(0)) == Payable(0, 0, "SEK")
