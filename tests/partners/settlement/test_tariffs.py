"""What makes a tariff: all that a charge has, of which VAT follows from the rest."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.terms import Vat
from partners.settlement.draining import tariff_id
from partners.settlement.kinds import OPERATOR, ChargeKind
from partners.settlement.pricing import Act, Charge, PriceBook, price
from partners.settlement.rules import vat_of
from tests.partners.settlement.test_pricing import (
    BEGINS,
    FUEL,
    GROCER,
    SHOP,
    book,
    contract,
    move,
)

PARTNERS = (GROCER, FUEL, SHOP)
FEBRUARY_FIRST = BEGINS.replace(month=2)

rates = st.sampled_from(["0", "0.06", "0.12", "0.25"]).map(Decimal)
vats = st.dictionaries(
    st.sampled_from([kind.name.lower() for kind in ChargeKind]),
    st.builds(Vat, rate=rates, code=st.sampled_from(["standard", "services", "books"])),
)
moves: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    act=st.sampled_from(Act),
    partner_no=st.sampled_from(PARTNERS),
    funder_no=st.sampled_from([OPERATOR, *PARTNERS]),
    span=st.just(2),
    origin_span=st.sampled_from([1, 2]),
    prefunded_share=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]),
    accepter_no=st.sampled_from([OPERATOR, *PARTNERS]),
)


def versions(given_vats: list[dict[str, Vat]]) -> PriceBook:
    """Return two versions of each partner's contract, which differ in VAT alone."""
    fee: Any = {"service_fee_per_point": Decimal("0.001"), "breakage_share": Decimal("0.4")}
    made: list[Any] = []
    for at, partner_no in enumerate(PARTNERS):
        first, second = given_vats[2 * at], given_vats[2 * at + 1]
        made.append(contract(partner_no, vat=first, **fee))
        made.append(
            contract(partner_no, partner_no * 10 + 1, vat=second, valid_from=FEBRUARY_FIRST, **fee)
        )
    return book(*made)


def charges(known: PriceBook, given_moves: list[dict[str, Any]]) -> set[Charge]:
    """Return all that the moves cost under these versions."""
    found: set[Charge] = set()
    for facts in given_moves:
        of_version = facts["partner_no"] * 10 if facts["act"] == Act.ISSUE else GROCER * 10
        recovered = {"accept_contract_no": FUEL * 10, "accept_price": Decimal("0.009")}
        issuer = facts["partner_no"] if facts["act"] == Act.ISSUE else GROCER
        told = facts | {"contract_no": of_version, "issuer_no": issuer} | recovered
        found |= set(price(move(**told), known).charges)
    return found


@given(st.lists(vats, min_size=6, max_size=6), st.lists(moves, min_size=1, max_size=20))
def test_the_vat_of_a_charge_is_that_of_its_contract_version_for_its_kind(
    given_vats: list[dict[str, Vat]], given_moves: list[dict[str, Any]]
) -> None:
    known = versions(given_vats)
    for one in charges(known, given_moves):
        signed = None if one.contract_no == OPERATOR else known.catalogue.contract(one.contract_no)
        assert (one.vat_code, one.vat_rate) == vat_of(signed, one.kind)


@given(st.lists(vats, min_size=6, max_size=6), st.lists(moves, min_size=1, max_size=20))
def test_two_charges_have_one_tariff_only_if_they_are_the_same(
    given_vats: list[dict[str, Vat]], given_moves: list[dict[str, Any]]
) -> None:
    found = charges(versions(given_vats), given_moves)
    assert len({tariff_id(one) for one in found}) == len(found)
