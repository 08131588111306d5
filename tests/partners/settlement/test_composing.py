"""What composing a statement keeps apart and exact: steps, digits, ties, currencies."""

from decimal import Decimal

from coalition.federation.terms import Contract
from partners.settlement.kinds import ChargeKind
from partners.settlement.rules import Fee, FeeOf
from tests.partners.settlement.test_rules import (
    FEE,
    ISSUANCE,
    REDEMPTION,
    STEPS,
    composed,
    contract,
    fee,
    group,
)


def stepped() -> Contract:
    return contract(volume_steps=STEPS)


def test_steps_are_of_the_service_fee_alone() -> None:
    earlier = {FeeOf(10, 2, "EUR"): Fee(6000, Decimal("3.5"))}
    found = composed(
        group(ISSUANCE, 6000, "60"),
        group(REDEMPTION, 6000, "-51", origin_no=2),
        of=stepped(),
        earlier=earlier,
    )
    assert [line.exact for line in found.lines] == [Decimal(60), Decimal(-51)]


def test_only_own_service_fees_are_what_later_ones_are_priced_by() -> None:
    found = composed(fee(6000), group(ISSUANCE, 6000, "60"), of=stepped())
    assert found.fees == {FeeOf(10, 3, "EUR"): Fee(6000, Decimal("3.5"))}
    assert composed(group(ISSUANCE, 6000, "60"), of=stepped()).fees == {}


def test_every_digit_that_the_book_can_hold_is_kept() -> None:
    great, least = "12345678901234567890.000000000001", "0.000000000001"
    [line] = composed(group(ISSUANCE, 1, great), group(ISSUANCE, 1, least)).lines
    assert line.exact == Decimal("12345678901234567890.000000000002")
    earlier = {FeeOf(10, 2, "EUR"): Fee(10**9, Decimal("12345678901234.000000000001"))}
    [credited] = composed(fee(-(10**9), origin_no=2), of=stepped(), earlier=earlier).lines
    assert credited.exact == Decimal("-12345678901234.000000000001")


def test_a_credit_at_an_effective_price_is_rounded_to_twelve_places_half_away_from_zero() -> None:
    earlier = {FeeOf(10, 2, "EUR"): Fee(2, Decimal("0.000000000001"))}
    [line] = composed(fee(-1, origin_no=2), of=stepped(), earlier=earlier).lines
    assert line.exact == Decimal("-0.000000000001")
    thirds = {FeeOf(10, 2, "EUR"): Fee(3, Decimal("0.01"))}
    [third] = composed(fee(-1, origin_no=2), of=stepped(), earlier=thirds).lines
    assert third.exact == Decimal("-0.003333333333")


def test_totals_come_in_the_order_of_currencies_whatever_line_comes_first() -> None:
    found = composed(group(ISSUANCE, 1, "1", currency="SEK"), group(REDEMPTION, 1, "-1"))
    assert [line.currency for line in found.lines] == ["SEK", "EUR"]
    assert [total.currency for total in found.totals] == ["EUR", "SEK"]


def test_what_is_booked_of_a_line_is_the_sum_of_its_groups() -> None:
    vat = {"vat_code": "standard", "vat_rate": Decimal("0.25")}
    found = composed(
        group(FEE, 100, "1.00", **vat, booked_vat=Decimal("0.25")),
        group(FEE, 60, "0.60", **vat, booked_vat=Decimal("0.15")),
    )
    [line] = found.lines
    assert (line.booked, line.booked_vat) == (Decimal("1.60"), Decimal("0.40"))


def test_a_group_of_nothing_counts_no_points_charges_or_money() -> None:
    of = contract(fixed_fee_minor=1000)
    [line] = composed(of=of).lines
    assert (line.kind, line.points, line.charges) == (ChargeKind.FIXED, 0, 0)
    assert (line.exact, line.booked, line.booked_vat) == (Decimal(10), Decimal(0), Decimal(0))
