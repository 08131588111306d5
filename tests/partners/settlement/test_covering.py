"""What an issue is covered with is what settlement will charge for it, rounded up."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import Coalition, Mode, Vat
from coalition.ledger.drafts import Grant, Issue, Till
from coalition.ledger.money import MoneyAccount
from coalition.ledger.provenance import Provenance
from coalition.points.covering import cost_of
from partners.settlement.kinds import ChargeKind
from partners.settlement.pricing import Act, Move, PriceBook, exact, price
from tests.partners.settlement.test_pricing import contract, periods_of

AT = datetime(2026, 1, 15, tzinfo=UTC)
PARTNER, OTHER = 1, 2

prices = st.decimals(0, "0.9", places=6)
shares = st.decimals(0, 1, places=6)
rates = st.decimals(0, "0.5", places=4)
points = st.integers(1, 2**31 - 1)
grants = st.lists(st.tuples(st.sampled_from([PARTNER, OTHER]), points), min_size=1, max_size=3)


def issue(given_points: list[tuple[int, int]], price_: Decimal, share: Decimal) -> Issue:
    source = Provenance(
        currency_no=1,
        issuer_no=PARTNER,
        contract_no=PARTNER * 10,
        funder_no=PARTNER,
        earned_month=202601,
        expires_on=None,
        issue_price=price_,
        prefunded_share=share,
    )
    till = Till(PARTNER, None, None, None, date(2026, 1, 15), AT)
    return Issue(
        UUID(int=1),
        till,
        tuple(Grant(source._replace(funder_no=no), number) for no, number in given_points),
    )


@given(grants, prices, prices, st.decimals(0, 100, places=6), shares, rates, rates)
def test_a_cost_is_what_the_partner_will_be_charged_rounded_up(  # noqa: PLR0917 - hypothesis gives by position
    given_points: list[tuple[int, int]],
    issue_price: Decimal,
    fee: Decimal,
    percent: Decimal,
    share: Decimal,
    vat: Decimal,
    vat_on_fee: Decimal,
) -> None:
    terms = contract(
        PARTNER,
        issue_price=issue_price,
        service_fee_per_point=fee,
        service_fee_percent=percent,
        mode=Mode.HYBRID,
        prefunded_share=Decimal("0.5"),
        vat={"issuance": Vat(rate=vat), "service_fee": Vat(rate=vat_on_fee)},
    )
    known = Catalogue(
        version=1,
        coalition=Coalition("Norr", "Europe/Oslo", 1),
        contracts=[terms, contract(OTHER)],
    )
    book = PriceBook(known, {no: periods_of(no) for no in (0, PARTNER, OTHER)})
    asked = issue(given_points, issue_price, share)
    charged = Decimal(0)
    for source, number in ((grant.provenance, grant.points) for grant in asked.grants):
        move = Move(
            Act.ISSUE, PARTNER, 1, 1, PARTNER, terms.no, source.funder_no, source.issue_price,
            source.prefunded_share, None, None, None, 1, number, b"",
        )  # fmt: skip
        priced = price(move, book)
        charged += number * sum(
            side.unit
            for side in priced.sides
            if (side.account, side.partner_no) == (MoneyAccount.PARTNER, PARTNER)
        )
        for charge in priced.charges:
            if charge.partner_no == PARTNER:
                assert charge.kind in (ChargeKind.ISSUANCE, ChargeKind.SERVICE_FEE)
                charged += number * exact(charge.unit_price * charge.vat_rate)
    cost = cost_of(asked, terms)
    assert (cost.partner_no, cost.currency) == (PARTNER, "EUR")
    # Prices per point are rounded to twelve places: up here, to the nearest there.
    hair = Decimal("0.000000000004") * sum(number for _, number in given_points) * 100
    assert charged * 100 <= cost.minor < charged * 100 + 1 + hair
