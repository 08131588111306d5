"""What a move costs and earns per point, worked out by hand and held to zero for any prices."""

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.catalogue import Catalogue
from coalition.federation.rules import settled_terms
from coalition.federation.terms import (
    Coalition,
    Contract,
    ContractTerms,
    Mode,
    MoneyRate,
    OnDefault,
    PartnerDefault,
    Vat,
    VolumeStep,
)
from coalition.ledger.money import MoneyAccount
from partners.settlement.calendars import Period, next_period
from partners.settlement.kinds import OPERATOR, ChargeKind
from partners.settlement.pricing import Act, Move, PriceBook, Priced, price

OSLO = "Europe/Oslo"
BEGINS = date(2026, 1, 1)
JANUARY, FEBRUARY = 1, 2
GROCER, FUEL, SHOP = 1, 2, 3


def contract(partner_no: int, no: int | None = None, **terms: Any) -> Contract:
    """Return a version of a partner's contract; its number is ten times the partner's."""
    given_terms: dict[str, Any] = {
        "currency": "EUR",
        "issue_price": Decimal("0.0100"),
        "redemption_price": Decimal("0.0085"),
    }
    valid_from = terms.pop("valid_from", BEGINS)
    settled = settled_terms(ContractTerms(**(given_terms | terms)))
    plain = {field: getattr(settled, field) for field in ContractTerms.__struct_fields__}
    return Contract(
        **plain,
        no=no or partner_no * 10,
        partner_no=partner_no,
        version=1,
        valid_from=valid_from,
        timezone=OSLO,
        signed_at=datetime(2025, 12, 1, tzinfo=UTC),
        prepared_by="anna",
        approved_by="bo",
    )


def periods_of(partner_no: int, calendar: str = "monthly") -> list[Period]:
    """Return the first three periods of a partner."""
    start, found = datetime(2025, 12, 31, 23, tzinfo=UTC), []
    previous = None
    for _ in range(3):
        previous = next_period(
            partner_no=partner_no,
            previous=previous,
            starts_at=start if previous is None else previous.ends_at,
            calendar=contract(GROCER, calendar=calendar).calendar,
            timezone=OSLO,
            grace_hours=0,
        )
        found.append(previous)
    return found


def book(
    *contracts: Contract,
    rates: tuple[MoneyRate, ...] = (),
    defaults: tuple[PartnerDefault, ...] = (),
) -> PriceBook:
    """Return the prices of some contracts; every partner has months."""
    known = Catalogue(
        version=1,
        coalition=Coalition("Test", OSLO, 1),
        contracts=contracts,
        money_rates=rates,
        defaults=defaults,
    )
    partners = {OPERATOR, *(one.partner_no for one in contracts)}
    return PriceBook(known, {no: periods_of(no) for no in partners})


def rate(value: str) -> MoneyRate:
    """Return what a Swedish krona is in euro."""
    made = datetime(2025, 12, 1, tzinfo=UTC)
    return MoneyRate(1, "SEK", "EUR", Decimal(value), made, made, "anna", "bo")


def move(act: Act, partner_no: int = GROCER, **facts: Any) -> Move:
    """Return a move of a hundred of the grocer's own points, paid whole at issue."""
    plain: dict[str, Any] = {
        "act": act,
        "partner_no": partner_no,
        "span": JANUARY,
        "origin_span": JANUARY,
        "issuer_no": GROCER,
        "contract_no": GROCER * 10,
        "funder_no": GROCER,
        "issue_price": Decimal("0.0100"),
        "prefunded_share": Decimal(1),
        "accepter_no": None,
        "accept_contract_no": None,
        "accept_price": None,
        "postings": 1,
        "points": 100,
        "moves": bytes(20),
    }
    return Move(**(plain | facts))


def told(priced: Priced) -> set[tuple[int, str, str]]:
    """Return partner, kind and unit price of each charge."""
    return {
        (charge.partner_no, charge.kind.name.lower(), f"{charge.unit_price.normalize():f}")
        for charge in priced.charges
    }


def sides(priced: Priced) -> dict[tuple[str, str], str]:
    """Return what each account is debited per point, by name and currency."""
    return {
        (side.account.name.lower(), side.currency): f"{side.unit.normalize():f}"
        for side in priced.sides
        if side.account not in {MoneyAccount.PARTNER, MoneyAccount.PROMOTION}
    }


def test_an_issuer_pays_price_and_fee_into_the_fund_at_issue() -> None:
    grocer = contract(
        GROCER,
        service_fee_per_point=Decimal("0.0008"),
        service_fee_percent=Decimal("2.5"),
        vat={"service_fee": Vat(rate=Decimal("0.25"))},
    )
    found = price(move(Act.ISSUE), book(grocer))
    assert told(found) == {
        (GROCER, "issuance", "0.01"),
        (GROCER, "service_fee", "0.00105"),
    }
    fee = found.charges[1]
    assert (fee.vat_code, fee.vat_rate) == ("standard", Decimal("0.25"))
    assert (found.charges[0].vat_code, found.charges[0].vat_rate) == ("none", Decimal(0))
    assert sides(found) == {("fund", "EUR"): "-0.01", ("fee", "EUR"): "-0.00105"}


def test_an_issuer_on_redemption_pays_only_the_fee_at_issue_and_nothing_without_one() -> None:
    plain = contract(GROCER, mode=Mode.ISSUER_ON_REDEMPTION)
    later = move(Act.ISSUE, prefunded_share=Decimal(0))
    assert price(later, book(plain)) == Priced((), ())
    stepped = contract(
        GROCER,
        mode=Mode.ISSUER_ON_REDEMPTION,
        volume_steps=(VolumeStep(from_points=10, fee_per_point=Decimal("0.001")),),
    )
    # The points are counted for the steps, though the first of them cost nothing.
    assert told(price(later, book(stepped))) == {(GROCER, "service_fee", "0")}


def test_modes_mix_in_a_redemption() -> None:
    known = book(contract(GROCER), contract(SHOP, redemption_price=Decimal("0.0080")))
    fund = price(move(Act.REDEEM, SHOP), known)
    assert told(fund) == {(SHOP, "redemption", "-0.008")}
    assert sides(fund) == {("fund", "EUR"): "0.008"}
    later = price(move(Act.REDEEM, SHOP, prefunded_share=Decimal(0)), known)
    assert told(later) == {(SHOP, "redemption", "-0.008"), (GROCER, "issuance", "0.01")}
    assert sides(later) == {("margin", "EUR"): "-0.002"}
    hybrid = price(move(Act.REDEEM, SHOP, prefunded_share=Decimal("0.3")), known)
    assert told(hybrid) == {(SHOP, "redemption", "-0.008"), (GROCER, "issuance", "0.007")}
    assert sides(hybrid) == {("fund", "EUR"): "0.0024", ("margin", "EUR"): "-0.0014"}
    shown = {charge.kind: charge.counts_points for charge in hybrid.charges}
    assert shown == {ChargeKind.REDEMPTION: True, ChargeKind.ISSUANCE: False}


def test_a_promotion_is_paid_by_whoever_promised_it() -> None:
    known = book(contract(GROCER), contract(FUEL))
    by_fuel = price(move(Act.ISSUE, funder_no=FUEL), known)
    assert told(by_fuel) == {(FUEL, "promotion", "0.01")}
    assert by_fuel.charges[0].contract_no == FUEL * 10
    by_operator = price(move(Act.ISSUE, funder_no=OPERATOR), known)
    assert told(by_operator) == {(OPERATOR, "promotion", "0.01")}
    assert by_operator.sides[0].account == MoneyAccount.PROMOTION


def test_points_that_the_operator_gave_are_paid_by_it_when_they_are_spent() -> None:
    gift = {
        "issuer_no": OPERATOR,
        "contract_no": OPERATOR,
        "funder_no": OPERATOR,
        "issue_price": Decimal(0),
    }
    known = book(contract(SHOP))
    assert price(move(Act.ADJUST, OPERATOR, **gift), known) == Priced((), ())
    spent = price(move(Act.REDEEM, SHOP, **gift), known)
    assert told(spent) == {(SHOP, "redemption", "-0.0085"), (OPERATOR, "promotion", "0.0085")}
    assert price(move(Act.EXPIRE, OPERATOR, **gift), known) == Priced((), ())


def test_an_accepter_of_another_currency_is_paid_at_the_rate_or_at_the_worth_of_the_points() -> (
    None
):
    swedish = contract(SHOP, currency="SEK", redemption_price=Decimal("0.1"))
    at_rate = price(move(Act.REDEEM, SHOP), book(contract(GROCER), swedish, rates=(rate("0.09"),)))
    assert told(at_rate) == {(SHOP, "redemption", "-0.1")}
    assert sides(at_rate) == {
        ("exchange", "SEK"): "0.1",
        ("exchange", "EUR"): "-0.009",
        ("fund", "EUR"): "0.009",
    }
    without = price(move(Act.REDEEM, SHOP), book(contract(GROCER), swedish))
    assert told(without) == {(SHOP, "redemption", "-0.1")}
    assert sides(without) == {
        ("exchange", "SEK"): "0.1",
        ("exchange", "EUR"): "-0.01",
        ("fund", "EUR"): "0.01",
    }


def test_breakage_is_shared_with_whoever_had_paid() -> None:
    grocer = contract(GROCER, breakage_share=Decimal("0.4"))
    found = price(move(Act.EXPIRE, OPERATOR), book(grocer))
    assert told(found) == {(GROCER, "breakage", "-0.004")}
    assert sides(found) == {("fund", "EUR"): "0.01", ("breakage", "EUR"): "-0.006"}
    later = move(Act.EXPIRE, OPERATOR, prefunded_share=Decimal(0))
    assert price(later, book(grocer)) == Priced((), ())


def test_a_recovery_pays_whoever_had_paid_for_the_reversed_points() -> None:
    known = book(contract(GROCER), contract(FUEL), contract(SHOP))
    facts = {"accept_contract_no": SHOP * 10, "accept_price": Decimal("0.012")}
    own = price(move(Act.RECOVER, SHOP, accepter_no=SHOP, **facts), known)
    assert told(own) == {(SHOP, "redemption", "-0.012")}
    assert sides(own) == {("fund", "EUR"): "0.012"}
    other = price(move(Act.RECOVER, SHOP, accepter_no=FUEL, **facts), known)
    assert told(other) == {(FUEL, "redemption", "-0.012")}
    assert other.charges[0].contract_no == FUEL * 10
    operators = price(move(Act.RECOVER, SHOP, accepter_no=OPERATOR, **facts), known)
    assert told(operators) == {(OPERATOR, "redemption", "-0.012")}
    given_away = {"accept_contract_no": OPERATOR, "accept_price": Decimal(0)}
    nothing = move(Act.RECOVER, SHOP, accepter_no=OPERATOR, **given_away)
    assert price(nothing, known) == Priced((), ())


def test_a_reversal_is_booked_today_at_the_prices_and_in_the_name_of_then() -> None:
    newer = contract(SHOP, 31, redemption_price=Decimal("0.005"), valid_from=date(2026, 2, 1))
    known = book(contract(GROCER), contract(SHOP), newer)
    back = price(move(Act.REDEEM, SHOP, span=FEBRUARY, points=-100), known)
    [charge] = back.charges
    assert (charge.unit_price, charge.contract_no) == (Decimal("-0.0085"), SHOP * 10)
    assert (charge.period_no, charge.origin_no) == (2, 1)


def test_what_came_before_the_first_period_counts_as_in_it() -> None:
    known = book(contract(GROCER), contract(FUEL, valid_from=date(2026, 3, 1)))
    early = price(move(Act.ISSUE, span=0, origin_span=0, funder_no=FUEL), known)
    assert [(charge.period_no, charge.contract_no) for charge in early.charges] == [(1, FUEL * 10)]


_PRICE = st.integers(0, 10**7).map(lambda number: Decimal(number).scaleb(-9))
_SHARE = st.integers(0, 10**6).map(lambda number: Decimal(number).scaleb(-6))


@given(
    act=st.sampled_from(Act),
    prices=st.tuples(_PRICE, _PRICE, _PRICE),
    share=_SHARE,
    breakage=_SHARE,
    funder_no=st.sampled_from([OPERATOR, GROCER, FUEL]),
    accepter_no=st.sampled_from([OPERATOR, GROCER, FUEL]),
    swedish=st.booleans(),
    rated=st.booleans(),
)
def test_every_act_sums_to_zero_in_each_currency_and_charges_what_the_book_says(
    act: Act,
    prices: tuple[Decimal, Decimal, Decimal],
    share: Decimal,
    breakage: Decimal,
    *,
    funder_no: int,
    accepter_no: int,
    swedish: bool,
    rated: bool,
) -> None:
    issue_price, redemption_price, fee = prices
    shop = contract(SHOP, currency="SEK" if swedish else "EUR", redemption_price=redemption_price)
    grocer = contract(GROCER, service_fee_per_point=fee, breakage_share=breakage)
    known = book(grocer, contract(FUEL), shop, rates=(rate("0.087654321"),) if rated else ())
    found = price(
        move(
            act,
            SHOP,
            funder_no=funder_no,
            issue_price=issue_price,
            prefunded_share=share,
            accepter_no=accepter_no,
            accept_contract_no=SHOP * 10,
            accept_price=redemption_price,
        ),
        known,
    )
    by_currency: dict[str, Decimal] = defaultdict(Decimal)
    of_partners: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for side in found.sides:
        by_currency[side.currency] += side.unit
        if side.account in {MoneyAccount.PARTNER, MoneyAccount.PROMOTION}:
            of_partners[side.partner_no, side.currency] += side.unit
    assert not any(by_currency.values())
    charged: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for charge in found.charges:
        charged[charge.partner_no, charge.currency] += charge.unit_price
    assert {key: unit for key, unit in charged.items() if unit} == {
        key: unit for key, unit in of_partners.items() if unit
    }


def test_an_act_that_settlement_does_not_know_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="7"):
        price(move(Act.ISSUE)._replace(act=7), book(contract(GROCER)))


def default_of_grocer(no: int, begins_at: datetime, becomes: OnDefault | None) -> PartnerDefault:
    """Return that the grocer is in default, or is no more."""
    return PartnerDefault(no, GROCER, becomes, begins_at, "anna", "bo")


@pytest.mark.parametrize("share", ["0", "0.3"])
def test_the_operator_pays_for_honoured_points_of_a_partner_in_default(share: str) -> None:
    """From the instant of the default until its end; what is reversed mirrors its original."""
    grocer, fuel = contract(GROCER), contract(FUEL)
    begins, ends = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)
    known = book(
        grocer,
        fuel,
        defaults=(
            default_of_grocer(1, begins, OnDefault.HONOUR),
            default_of_grocer(2, ends, None),
        ),
    )
    before, during, after = 1, *(known.boundaries.index(one) + 1 for one in (begins, ends))
    paid = f"{(Decimal('0.01') * (1 - Decimal(share))).normalize():f}"
    facts: dict[str, Any] = {"prefunded_share": Decimal(share)}
    for span, origin, payer in (
        (before, before, (GROCER, "issuance", paid)),
        (during, during, (OPERATOR, "promotion", paid)),
        (after, after, (GROCER, "issuance", paid)),
        (during, before, (GROCER, "issuance", paid)),
        (after, during, (OPERATOR, "promotion", paid)),
    ):
        found = price(move(Act.REDEEM, FUEL, span=span, origin_span=origin, **facts), known)
        assert told(found) == {(FUEL, "redemption", "-0.0085"), payer}
        borne = [side.unit for side in found.sides if side.account is MoneyAccount.PROMOTION]
        assert borne == ([Decimal(paid)] if payer[0] == OPERATOR else [])
        assert sum(side.unit for side in found.sides) == 0


def test_points_of_others_and_what_was_paid_in_are_not_touched_by_a_default() -> None:
    grocer, fuel = contract(GROCER), contract(FUEL)
    begins = datetime(2026, 1, 10, tzinfo=UTC)
    defaults = (default_of_grocer(1, begins, OnDefault.HONOUR),)
    plain, known = book(grocer, fuel), book(grocer, fuel, defaults=defaults)
    later = known.boundaries.index(begins) + 1
    facts: dict[str, Any] = {"span": later, "origin_span": later}
    for act, more in (
        (Act.REDEEM, {}),
        (Act.ISSUE, {}),
        (Act.EXPIRE, {}),
        (Act.REDEEM, {"funder_no": FUEL, "prefunded_share": Decimal(0)}),
    ):
        assert price(move(act, FUEL, **facts, **more), known) == price(
            move(act, FUEL, **more), plain
        )


def test_a_suspension_leaves_the_prices_as_they_are() -> None:
    grocer, fuel = contract(GROCER), contract(FUEL)
    begins = datetime(2026, 1, 10, tzinfo=UTC)
    known = book(grocer, fuel, defaults=(default_of_grocer(1, begins, OnDefault.SUSPEND),))
    later = known.boundaries.index(begins) + 1
    facts: dict[str, Any] = {"prefunded_share": Decimal(0), "span": later, "origin_span": later}
    found = price(move(Act.REDEEM, FUEL, **facts), known)
    assert told(found) == {(FUEL, "redemption", "-0.0085"), (GROCER, "issuance", "0.01")}
