"""Every side of the money book that a move has, with whose it is: by hand, to twelve places."""

from decimal import Decimal
from typing import Any

import pytest

from partners.settlement.kinds import OPERATOR
from partners.settlement.pricing import Act, Priced, price
from tests.partners.settlement.test_pricing import (
    FUEL,
    GROCER,
    SHOP,
    book,
    contract,
    move,
    rate,
)


def booked(priced: Priced) -> list[tuple[str, int, str, str]]:
    """Return account, partner, currency and unit of each side, in order."""
    return sorted(
        (side.account.name.lower(), side.partner_no, side.currency, f"{side.unit.normalize():f}")
        for side in priced.sides
    )


def shown(priced: Priced) -> list[tuple[str, bool]]:
    """Return the kind of each charge, and whether its points are shown."""
    return [(charge.kind.name.lower(), charge.counts_points) for charge in priced.charges]


def test_an_issue_is_owed_by_its_funder_and_its_fee_by_its_issuer() -> None:
    known = book(contract(GROCER, service_fee_per_point=Decimal("0.0008")), contract(FUEL))
    found = price(move(Act.ISSUE, funder_no=FUEL), known)
    assert booked(found) == [
        ("fee", OPERATOR, "EUR", "-0.0008"),
        ("fund", OPERATOR, "EUR", "-0.01"),
        ("partner", GROCER, "EUR", "0.0008"),
        ("partner", FUEL, "EUR", "0.01"),
    ]
    assert shown(found) == [("promotion", True), ("service_fee", True)]
    by_operator = price(move(Act.ISSUE, funder_no=OPERATOR), book(contract(GROCER)))
    assert booked(by_operator) == [
        ("fund", OPERATOR, "EUR", "-0.01"),
        ("promotion", OPERATOR, "EUR", "0.01"),
    ]
    assert shown(by_operator) == [("promotion", True)]
    [charge] = by_operator.charges
    assert (charge.vat_code, charge.vat_rate) == ("none", Decimal(0))


def test_a_redemption_is_paid_by_fund_and_funder_to_the_accepter() -> None:
    known = book(contract(GROCER), contract(SHOP, redemption_price=Decimal("0.0080")))
    found = price(move(Act.REDEEM, SHOP, prefunded_share=Decimal("0.3")), known)
    assert booked(found) == [
        ("fund", OPERATOR, "EUR", "0.0024"),
        ("margin", OPERATOR, "EUR", "-0.0014"),
        ("partner", GROCER, "EUR", "0.007"),
        ("partner", SHOP, "EUR", "-0.008"),
    ]


def test_a_gift_of_the_operator_is_its_own_cost_when_it_is_spent() -> None:
    gift = {"issuer_no": OPERATOR, "contract_no": OPERATOR, "funder_no": OPERATOR}
    free = move(Act.REDEEM, SHOP, **gift, issue_price=Decimal(0))
    spent = price(free, book(contract(SHOP)))
    assert shown(spent) == [("redemption", True), ("promotion", True)]
    assert booked(spent) == [
        ("partner", SHOP, "EUR", "-0.0085"),
        ("promotion", OPERATOR, "EUR", "0.0085"),
    ]


def test_a_gift_of_the_operator_that_is_taken_for_nothing_costs_nobody() -> None:
    gift = {"issuer_no": OPERATOR, "contract_no": OPERATOR, "funder_no": OPERATOR}
    free = move(Act.REDEEM, SHOP, **gift, issue_price=Decimal(0))
    generous = book(contract(SHOP, redemption_price=Decimal(0)))
    assert price(free, generous) == Priced((), ())


def test_breakage_goes_to_the_funder_and_the_rest_to_the_operator() -> None:
    grocer = contract(GROCER, breakage_share=Decimal("0.4"))
    found = price(move(Act.EXPIRE, OPERATOR), book(grocer))
    assert booked(found) == [
        ("breakage", OPERATOR, "EUR", "-0.006"),
        ("fund", OPERATOR, "EUR", "0.01"),
        ("partner", GROCER, "EUR", "-0.004"),
    ]
    assert shown(found) == [("breakage", True)]


def test_breakage_of_what_the_operator_funded_is_all_the_operators() -> None:
    grocer = contract(GROCER, breakage_share=Decimal("0.4"))
    found = price(move(Act.EXPIRE, OPERATOR, funder_no=OPERATOR), book(grocer))
    assert found.charges == ()
    assert booked(found) == [
        ("breakage", OPERATOR, "EUR", "-0.01"),
        ("fund", OPERATOR, "EUR", "0.01"),
    ]


def test_a_conversion_moves_what_was_paid_in_and_charges_nobody() -> None:
    found = price(move(Act.CONVERT, prefunded_share=Decimal("0.3")), book(contract(GROCER)))
    assert found.charges == ()
    assert booked(found) == [
        ("fund", OPERATOR, "EUR", "-0.003"),
        ("margin", OPERATOR, "EUR", "0.003"),
    ]
    unpaid = move(Act.CONVERT, prefunded_share=Decimal(0))
    assert price(unpaid, book(contract(GROCER))) == Priced((), ())


def units(priced: Priced) -> list[str]:
    """Return the units of charges and of sides, each as it stands, in order."""
    return [f"{one.unit_price:f}" for one in priced.charges] + [
        f"{unit:f}" for unit in sorted(side.unit for side in priced.sides)
    ]


def test_a_price_is_rounded_to_twelve_places_half_away_from_zero() -> None:
    odd = Decimal("0.000001000001")
    half: dict[str, Any] = {"issue_price": odd, "prefunded_share": Decimal("0.500000")}
    grocer = contract(GROCER, breakage_share=Decimal("0.25"), service_fee_percent=Decimal("2.5"))
    # Half of the price is ...0.0000005000005, which is 0.000000500001; 2.5 percent 0.000000025000.
    issued = price(move(Act.ISSUE, **half), book(grocer))
    assert units(issued)[:2] == ["0.000000500001", "0.000000025000"]
    # A quarter of what was paid in: 0.00000012500025.
    expired = price(move(Act.EXPIRE, OPERATOR, **half), book(grocer))
    assert units(expired) == [
        "-0.000000125000",
        "-0.000000375001",
        "-0.000000125000",
        "0.000000500001",
    ]


def test_what_an_accepter_takes_is_rounded_to_twelve_places_in_each_currency() -> None:
    swedish = contract(SHOP, currency="SEK", redemption_price=Decimal("0.100001"))
    known = book(contract(GROCER), swedish, rates=(rate("0.0876543215"),))
    found = price(move(Act.REDEEM, SHOP, prefunded_share=Decimal("0.333333")), known)
    worth = Decimal("0.008765519804")  # 0.0087655198043215
    fund = Decimal("0.002921837013")  # 0.002921837012826732
    assert sorted(side.unit for side in found.sides) == sorted(
        [
            *(-worth, Decimal("-0.100001"), Decimal("0.100001"), fund),
            *(Decimal("0.00666667"), worth - Decimal("0.00666667") - fund),
        ]
    )


@pytest.mark.parametrize("missing", ["accepter_no", "accept_contract_no", "accept_price"])
def test_a_recovery_says_who_is_paid_and_at_which_price(missing: str) -> None:
    facts: dict[str, Any] = {
        "accepter_no": SHOP,
        "accept_contract_no": SHOP * 10,
        "accept_price": Decimal("0.012"),
    }
    with pytest.raises(AssertionError, match="a recovery names"):
        price(move(Act.RECOVER, SHOP, **(facts | {missing: None})), book(contract(SHOP)))
