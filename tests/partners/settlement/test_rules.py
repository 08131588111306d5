"""From exact sums to statements: fees of a period, steps, lines rounded once, against fractions."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.terms import Contract, ExpiryRule, Vat, VolumeStep
from partners.settlement.kinds import ChargeKind
from partners.settlement.rules import (
    Composed,
    Fee,
    FeeOf,
    Group,
    compose,
    major,
    minor,
    stepped_fee,
    totals_of,
    vat_of,
)

SIGNED = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = (
    VolumeStep(from_points=1000, fee_per_point=Decimal("0.0006")),
    VolumeStep(from_points=5000, fee_per_point=Decimal("0.0003")),
)
ISSUANCE, REDEMPTION = ChargeKind.ISSUANCE, ChargeKind.REDEMPTION
FEE, ADJUSTMENT = ChargeKind.SERVICE_FEE, ChargeKind.ADJUSTMENT
MINIMUM, FIXED = ChargeKind.MINIMUM, ChargeKind.FIXED


def contract(**terms: Any) -> Contract:
    plain: dict[str, Any] = {
        "currency": "EUR",
        "issue_price": Decimal("0.01"),
        "redemption_price": Decimal("0.0085"),
        "service_fee_per_point": Decimal("0.0008"),
        "no": 10,
        "partner_no": 1,
        "version": 1,
        "valid_from": date(2026, 1, 1),
        "timezone": "Europe/Oslo",
        "prefunded_share": Decimal(1),
        "expiry_rule": ExpiryRule.NEVER,
        "signed_at": SIGNED,
        "prepared_by": "a",
        "approved_by": "b",
    }
    return Contract(**(plain | terms))


def group(kind: ChargeKind, points: int, exact: str | int | Decimal, **fields: Any) -> Group:
    plain: dict[str, Any] = {
        "contract_no": 10,
        "currency": "EUR",
        "vat_code": "none",
        "vat_rate": Decimal(0),
        "origin_no": 3,
        "charges": 1,
    }
    return Group(kind=kind, points=points, exact=Decimal(exact), **(plain | fields))


def fee(points: int, **fields: Any) -> Group:
    """Return a list fee of 0.0008 a point."""
    return group(FEE, points, points * Decimal("0.0008"), **fields)


def composed(
    *groups: Group,
    of: Contract | None = None,
    earlier: dict[FeeOf, Fee] | None = None,
    operator: bool = False,
) -> Composed:
    held = of or contract()
    return compose(
        groups,
        period_no=3,
        standing=None if operator else held,
        versions={held.no: held},
        earlier_fees=earlier or {},
    )


def amounts(found: Composed) -> list[tuple[str, int, int, int]]:
    return [
        (line.kind.name.lower(), line.points, line.amount_minor, line.vat_minor)
        for line in found.lines
    ]


def test_a_group_is_rounded_once_half_away_from_zero() -> None:
    up = composed(group(ISSUANCE, 1, "0.0025"), group(ISSUANCE, 1, "0.0025"))
    assert amounts(up) == [("issuance", 2, 1, 0)]
    down = composed(group(REDEMPTION, 1, "-0.005"))
    assert amounts(down) == [("redemption", 1, -1, 0)]


def test_vat_is_of_the_rounded_line() -> None:
    found = composed(group(FEE, 5, "0.025", vat_code="standard", vat_rate=Decimal("0.25")))
    assert amounts(found) == [("service_fee", 5, 3, 1)]


def test_issue_and_reversal_of_one_period_net_in_one_line() -> None:
    found = composed(group(ISSUANCE, 100, "1.00"), group(ISSUANCE, -100, "-1.00", charges=2))
    assert amounts(found) == [("issuance", 0, 0, 0)]
    assert found.lines[0].charges == 3


@pytest.mark.parametrize(
    "other",
    [
        {"vat_code": "reduced"},
        {"vat_rate": Decimal("0.12")},
        {"contract_no": 11},
        {"currency": "SEK"},
        {"origin_no": 2},
    ],
)
def test_what_differs_in_anything_of_a_group_is_rounded_by_itself(other: dict[str, Any]) -> None:
    found = composed(group(ISSUANCE, 1, "0.005"), group(ISSUANCE, 1, "0.005", **other))
    assert [line.amount_minor for line in found.lines] == [1, 1]


def test_lines_come_own_period_first_then_by_kind_version_and_currency() -> None:
    found = composed(
        group(ADJUSTMENT, 1, 1, origin_no=1),
        group(ISSUANCE, 1, 1, origin_no=2),
        group(ISSUANCE, 1, 1, origin_no=1),
        fee(1),
        group(ISSUANCE, 1, 1, currency="SEK"),
        group(ISSUANCE, 1, 1, contract_no=9),
        group(ISSUANCE, 1, 1),
        of=contract(fixed_fee_minor=7, minimum_fee_minor=9),
    )
    assert [
        (line.no, line.prior_period, line.kind, line.contract_no, line.currency, line.origin_no)
        for line in found.lines
    ] == [
        (1, False, ISSUANCE, 9, "EUR", 3),
        (2, False, ISSUANCE, 10, "EUR", 3),
        (3, False, ISSUANCE, 10, "SEK", 3),
        (4, False, FEE, 10, "EUR", 3),
        (5, False, MINIMUM, 10, "EUR", 3),
        (6, False, FIXED, 10, "EUR", 3),
        (7, True, ISSUANCE, 10, "EUR", 1),
        (8, True, ISSUANCE, 10, "EUR", 2),
        (9, True, ADJUSTMENT, 10, "EUR", 1),
    ]


def test_totals_are_by_currency_with_control_totals_of_points() -> None:
    found = composed(
        group(ISSUANCE, 100, "1.00"),
        group(ChargeKind.PROMOTION, 7, "0.07"),
        group(REDEMPTION, 50, "-0.40"),
        group(FEE, 100, "0.08", vat_rate=Decimal("0.25"), vat_code="standard"),
        group(REDEMPTION, 3, "-0.30", currency="SEK"),
    )
    euros, kronor = found.totals
    assert (euros.currency, euros.amount_minor, euros.vat_minor, euros.net_minor) == (
        *("EUR", 75, 2),
        77,
    )
    assert (euros.points_funded, euros.points_redeemed) == (107, 50)
    assert (kronor.currency, kronor.net_minor, kronor.points_redeemed) == ("SEK", -30, 3)
    assert totals_of(found.lines) == found.totals


def test_a_statement_without_lines_comes_to_nothing_in_its_own_currency() -> None:
    [total] = composed().totals
    assert (total.currency, total.net_minor) == ("EUR", 0)
    assert composed(operator=True) == Composed((), ())


def test_currencies_have_their_own_minor_units() -> None:
    found = composed(
        group(ISSUANCE, 1, "1.5", currency="JPY"), group(ISSUANCE, 1, "1.2345", currency="KWD")
    )
    assert [line.amount_minor for line in found.lines] == [2, 1235]
    assert major(1235, "KWD") == Decimal("1.235")


def test_steps_are_marginal_on_the_net_points_of_the_period() -> None:
    of = contract(volume_steps=STEPS)
    found = composed(fee(7000), fee(-1000), of=of)
    # 1,000 at 0.0008, 4,000 at 0.0006, 1,000 at 0.0003
    assert amounts(found) == [("service_fee", 6000, 350, 0)]
    assert found.lines[0].exact == Decimal("3.5")
    assert found.lines[0].booked == Decimal("4.8")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (-5, "-0.0040"),
        (0, "0"),
        (999, "0.7992"),
        (1000, "0.8"),
        (1001, "0.8006"),
        (5000, "3.2"),
        (5001, "3.2003"),
    ],
)
def test_each_step_begins_with_the_point_after_its_bound(points: int, expected: str) -> None:
    assert stepped_fee(points, contract(volume_steps=STEPS)) == Decimal(expected)


def test_a_percent_fee_is_beside_the_steps() -> None:
    percent = group(FEE, 2000, 2000 * Decimal("0.0013"))  # 5 percent of 0.01 more
    found = composed(percent, of=contract(volume_steps=STEPS))
    assert found.lines[0].exact == Decimal("0.8") + Decimal("0.6") + Decimal("1.0")


def test_a_later_reversal_is_credited_at_the_effective_price_of_its_period() -> None:
    earlier = {FeeOf(10, 2, "EUR"): Fee(6000, Decimal("3.5"))}
    found = composed(
        fee(-600, origin_no=2), fee(1000), of=contract(volume_steps=STEPS), earlier=earlier
    )
    assert amounts(found) == [("service_fee", 1000, 80, 0), ("service_fee", -600, -35, 0)]
    whole = composed(fee(-6000, origin_no=2), of=contract(volume_steps=STEPS), earlier=earlier)
    assert whole.lines[0].exact == Decimal("-3.5")


@pytest.mark.parametrize("earlier", [{}, {FeeOf(10, 2, "EUR"): Fee(0, Decimal(0))}])
def test_without_an_effective_price_a_later_reversal_is_at_the_list_price(
    earlier: dict[FeeOf, Fee],
) -> None:
    found = composed(fee(-600, origin_no=2), of=contract(volume_steps=STEPS), earlier=earlier)
    assert amounts(found) == [("service_fee", -600, -48, 0)]


def test_without_steps_a_later_reversal_is_at_the_list_price() -> None:
    earlier = {FeeOf(10, 2, "EUR"): Fee(6000, Decimal("3.5"))}
    assert amounts(composed(fee(-600, origin_no=2), earlier=earlier)) == [
        ("service_fee", -600, -48, 0)
    ]


def test_the_fees_of_a_period_are_what_later_ones_are_priced_by() -> None:
    found = composed(fee(6000), fee(-10, origin_no=2), of=contract(volume_steps=STEPS))
    assert found.fees == {FeeOf(10, 3, "EUR"): Fee(6000, Decimal("3.5"))}


def test_a_fixed_fee_and_a_minimum_have_their_own_vat() -> None:
    vat = {"fixed": Vat(code="f", rate=Decimal("0.25")), "minimum": Vat(rate=Decimal("0.1"))}
    of = contract(fixed_fee_minor=1000, minimum_fee_minor=5000, vat=vat)
    found = composed(fee(10_000), of=of)
    assert amounts(found) == [
        ("service_fee", 10_000, 800, 0),
        ("minimum", 0, 3200, 320),
        ("fixed", 0, 1000, 250),
    ]
    assert [(line.vat_code, line.charges) for line in found.lines[1:]] == [
        ("standard", 0),
        ("f", 0),
    ]
    assert [line.booked for line in found.lines[1:]] == [0, 0]


@pytest.mark.parametrize(
    ("points", "missing"), [(0, 4500), (10_000, 3700), (50_000, 500), (56_250, 0), (100_000, 0)]
)
def test_a_minimum_tops_up_the_fees_of_the_periods_own_lines(points: int, missing: int) -> None:
    found = composed(
        fee(points),
        fee(30_000, origin_no=2),
        fee(30_000, currency="SEK"),
        group(ISSUANCE, 500_000, "5000"),
        of=contract(minimum_fee_minor=4500),
    )
    topped = [line.amount_minor for line in found.lines if line.kind == MINIMUM]
    assert topped == ([missing] if missing else [])


def test_the_operator_pays_neither_fixed_fee_nor_minimum() -> None:
    of = contract(fixed_fee_minor=1000, minimum_fee_minor=5000)
    found = composed(group(ChargeKind.PROMOTION, 5, "0.05", contract_no=0), of=of, operator=True)
    assert amounts(found) == [("promotion", 5, 5, 0)]


def test_vat_of_a_kind_that_a_contract_does_not_name_is_none() -> None:
    assert vat_of(contract(), FEE) == ("none", Decimal(0))
    assert vat_of(None, FEE) == ("none", Decimal(0))


# ---- against fractions ---------------------------------------------------------------------------

twelve = st.decimals(-(10**7), 10**7, places=12)
rates = st.sampled_from([Decimal(0), Decimal("0.25"), Decimal("0.081"), Decimal("0.123456")])
currencies = st.sampled_from(["EUR", "JPY", "KWD"])
DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}


def half_away(number: Fraction) -> int:
    whole = int(abs(number) + Fraction(1, 2))
    return whole if number >= 0 else -whole


@st.composite
def anything(draw: st.DrawFn) -> Group:
    return Group(
        kind=draw(st.sampled_from([ISSUANCE, REDEMPTION, FEE, ADJUSTMENT])),
        contract_no=draw(st.sampled_from([10, 11])),
        currency=draw(currencies),
        vat_code="standard",
        vat_rate=draw(rates),
        origin_no=draw(st.sampled_from([2, 3])),
        points=draw(st.integers(-(10**9), 10**9)),
        charges=draw(st.integers(0, 5)),
        exact=draw(twelve),
    )


def key_of(one: Any) -> tuple[Any, ...]:
    return (
        *(one.kind, one.contract_no, one.currency),
        *(one.vat_code, one.vat_rate, one.origin_no),
    )


@given(st.lists(anything(), max_size=12), st.integers(0, 10**6), st.integers(0, 10**6))
def test_every_line_is_the_exact_sum_rounded_once(
    groups: list[Group], fixed: int, least: int
) -> None:
    of = contract(fixed_fee_minor=fixed, minimum_fee_minor=least)
    found = composed(*groups, of=of)
    sums: dict[tuple[Any, ...], Fraction] = defaultdict(Fraction)
    for one in groups:
        sums[key_of(one)] += Fraction(one.exact)
    lines = {key_of(line): line for line in found.lines if line.kind not in {MINIMUM, FIXED}}
    assert lines.keys() == sums.keys()
    for key, exact in sums.items():
        amount = half_away(exact * 10 ** DIGITS[key[2]])
        assert lines[key].amount_minor == amount
        assert lines[key].vat_minor == half_away(amount * Fraction(key[4]))
        assert Fraction(lines[key].exact) == exact
    fees = sum(
        line.amount_minor
        for line in lines.values()
        if line.kind == FEE and line.currency == "EUR" and line.origin_no == 3
    )
    topped = {line.kind: line.amount_minor for line in found.lines[:]}
    assert topped.get(MINIMUM, 0) == max(least - fixed - fees, 0)
    assert topped.get(FIXED, 0) == fixed
    for total in found.totals:
        held = [line for line in found.lines if line.currency == total.currency]
        assert total.amount_minor == sum(line.amount_minor for line in held)
        assert total.net_minor == total.amount_minor + sum(line.vat_minor for line in held)


def walked(points: int, base: Decimal, steps: Iterable[tuple[int, Decimal]]) -> Fraction:
    """Return the fee on `points`, one point after the other."""
    paid = Fraction(0)
    for point in range(points):
        price = base
        for begins, cheaper in steps:
            if point >= begins:
                price = cheaper
        paid += Fraction(price)
    return paid


@given(
    st.lists(st.integers(1, 300), unique=True, max_size=4).map(sorted),
    st.lists(st.decimals(0, 1, places=6), min_size=5, max_size=5),
    st.integers(0, 400),
)
def test_steps_come_to_what_point_after_point_costs(
    bounds: list[int], prices: list[Decimal], points: int
) -> None:
    steps = tuple(
        VolumeStep(from_points=begins, fee_per_point=price)
        for begins, price in zip(bounds, prices[1:], strict=False)
    )
    of = contract(service_fee_per_point=prices[0], volume_steps=steps)
    ladder = [(step.from_points, step.fee_per_point) for step in steps]
    assert Fraction(stepped_fee(points, of)) == walked(points, prices[0], ladder)


@given(st.integers(1, 10**9), st.decimals(0, 10**6, places=12), st.data())
def test_all_points_of_a_period_are_credited_with_all_that_they_cost(
    points: int, exact: Decimal, data: st.DataObject
) -> None:
    some = data.draw(st.integers(1, points))
    earlier = {FeeOf(10, 2, "EUR"): Fee(points, exact)}
    of = contract(volume_steps=STEPS)
    [credited] = composed(fee(-some, origin_no=2), of=of, earlier=earlier).lines
    difference = Fraction(credited.exact) + Fraction(exact) * some / points
    assert abs(difference) <= Fraction(1, 2 * 10**12)
    if some == points:
        assert credited.amount_minor == -minor(exact, "EUR")
