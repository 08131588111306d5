"""Netting and the waterfall of a default: nothing is lost, nobody bears more than it receives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.settlement.netting import Claim, Leg, Netted, net, net_bilateral, waterfall

A, B, C = 1, 2, 3

amounts = st.integers(min_value=-(10**12), max_value=10**12)
positive = st.integers(min_value=1, max_value=10**12)
losses = st.integers(min_value=0, max_value=10**12)
partners = st.integers(min_value=1, max_value=30)


def test_example_c_becomes_three_cash_legs() -> None:
    netted = net_bilateral(
        [
            Claim(A, B, 6_000),
            Claim(A, C, 9_000),
            Claim(B, A, 7_500),
            Claim(B, C, 3_000),
            Claim(C, A, 4_000),
            Claim(C, B, 1_000),
        ]
    )
    assert (netted.gross_minor, netted.gross_payments) == (30_500, 6)
    # The paper writes what each is left with: A -3,500, B -3,500, C +7,000. Who pays is positive
    # here, so the signs are turned.
    assert netted.legs == (Leg(0, 0), Leg(A, 3_500), Leg(B, 3_500), Leg(C, -7_000))
    assert netted.cash_legs == 3


def test_example_a_leaves_the_operator_with_the_net_cash() -> None:
    assert net({A: 2_895_000, B: 1_400_000, C: -836_500}) == (
        Leg(0, -3_458_500),
        Leg(A, 2_895_000),
        Leg(B, 1_400_000),
        Leg(C, -836_500),
    )


def test_nothing_to_net_is_a_leg_of_nothing() -> None:
    assert net({}) == (Leg(0, 0),)
    assert net_bilateral([]) == (0, 0, (Leg(0, 0),))
    cancelled = net_bilateral([Claim(A, B, 5), Claim(B, A, 5)])
    assert cancelled.legs == (Leg(0, 0), Leg(A, 0), Leg(B, 0))
    assert cancelled.cash_legs == 0


@pytest.mark.parametrize("claim", [Claim(A, B, 0), Claim(A, B, -1), Claim(A, A, 1)], ids=str)
def test_a_claim_is_of_some_money_against_another(claim: Claim) -> None:
    with pytest.raises(AssertionError):
        net_bilateral([claim])


def test_legs_stand_in_the_order_of_partners_whatever_came_first() -> None:
    assert net({C: -3, A: 1, B: 2}) == (Leg(0, 0), Leg(A, 1), Leg(B, 2), Leg(C, -3))
    claims = [Claim(C, B, 4), Claim(B, A, 1)]
    assert net_bilateral(iter(claims)) == net_bilateral(claims)


def test_the_leg_of_the_operator_is_not_one_of_a_partner() -> None:
    assert Netted(5, 1, (Leg(0, -5), Leg(A, 5), Leg(B, 0))).cash_legs == 1


def test_nobody_gives_the_leg_of_the_operator() -> None:
    with pytest.raises(AssertionError):
        net({0: 5, A: -5})


@pytest.mark.parametrize(
    ("loss", "guarantee", "reserve", "credit"),
    [(-1, 0, 0, 1), (1, -1, 0, 1), (1, 0, -1, 1), (1, 1, 0, -1)],
    ids=["loss", "guarantee", "reserve", "creditor"],
)
def test_nothing_less_than_none_is_shared(
    loss: int, guarantee: int, reserve: int, credit: int
) -> None:
    with pytest.raises(AssertionError):
        waterfall(loss, guarantee, reserve, {A: credit, B: 5})


@pytest.mark.parametrize(
    ("loss", "guarantee", "reserve", "expected"),
    [
        (100, 500, 500, (100, 0, {}, 0)),
        (100, 40, 500, (40, 60, {}, 0)),
        (100, 40, 20, (40, 20, {B: 13, C: 27}, 0)),
        (100, 0, 0, (0, 0, {B: 33, C: 67}, 0)),
        (1_000, 0, 0, (0, 0, {B: 100, C: 200}, 700)),
        (0, 10, 10, (0, 0, {}, 0)),
    ],
    ids=["guarantee", "reserve", "haircut", "haircut alone", "more than all", "no loss"],
)
def test_a_loss_falls_from_guarantee_to_reserve_to_creditors(
    loss: int, guarantee: int, reserve: int, expected: tuple[int, int, dict[int, int], int]
) -> None:
    assert waterfall(loss, guarantee, reserve, {C: 200, B: 100}) == expected


def test_a_share_of_nothing_is_no_claim() -> None:
    assert waterfall(1, 0, 0, {A: 1, B: 1}).haircuts == {A: 1}
    # Ties go to the lower number, not to who is named first; who receives nothing bears nothing.
    assert waterfall(1, 0, 0, {B: 1, A: 1, C: 0}).haircuts == {A: 1}


@given(st.dictionaries(partners, amounts))
def test_legs_sum_to_zero_and_keep_every_position(positions: dict[int, int]) -> None:
    legs = net(positions)
    assert sum(leg.amount_minor for leg in legs) == 0
    assert {leg.partner_no: leg.amount_minor for leg in legs if leg.partner_no} == positions
    assert legs[0].partner_no == 0


@given(
    st.lists(
        st.builds(Claim, partners, partners, positive).filter(
            lambda claim: claim.debtor_no != claim.creditor_no
        )
    )
)
def test_netting_moves_no_more_than_was_claimed(claims: list[Claim]) -> None:
    netted = net_bilateral(claims)
    assert sum(leg.amount_minor for leg in netted.legs) == 0
    assert netted.legs[0] == Leg(0, 0)
    paid = sum(leg.amount_minor for leg in netted.legs if leg.amount_minor > 0)
    assert paid <= netted.gross_minor
    assert netted.cash_legs <= len({no for claim in claims for no in claim[:2]})


@given(losses, losses, losses, st.dictionaries(partners, losses))
def test_a_loss_is_borne_whole_and_by_nobody_twice(
    loss: int, guarantee: int, reserve: int, creditors: dict[int, int]
) -> None:
    covered = waterfall(loss, guarantee, reserve, creditors)
    parts = covered.guarantee_minor, covered.reserve_minor, covered.haircut_minor
    assert sum(parts) + covered.uncovered_minor == loss
    assert covered.guarantee_minor <= guarantee
    assert covered.reserve_minor <= reserve
    assert all(0 < cut <= creditors[no] for no, cut in covered.haircuts.items())
    # The next bears only what those before could not.
    if covered.reserve_minor:
        assert covered.guarantee_minor == guarantee
    if covered.haircuts or covered.uncovered_minor:
        assert covered.reserve_minor == reserve
    if covered.uncovered_minor:
        assert covered.haircut_minor == sum(creditors.values())
