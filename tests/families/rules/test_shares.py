"""Points divided in proportion: exact, fair to a point, the same in whichever order."""

from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.families.evaluator.rules import proportional

BALANCES = st.dictionaries(
    st.integers(1, 10**6).map(lambda number: UUID(int=number)), st.integers(0, 10**9),
    min_size=1, max_size=10,
)  # fmt: skip


def test_ten_thousand_of_four_balances() -> None:
    balances = [12345, 8001, 333, 20]
    members = [UUID(int=number) for number in range(4)]
    shares = proportional(10_000, list(zip(members, balances, strict=True)))
    assert list(shares.values()) == [5964, 3865, 161, 10]


def test_equal_remainders_go_to_the_smaller_member_id() -> None:
    balances = [(UUID(int=3), 1), (UUID(int=1), 1), (UUID(int=2), 1)]
    assert proportional(2, balances) == {UUID(int=3): 0, UUID(int=1): 1, UUID(int=2): 1}


def test_nothing_is_divided_of_nothing() -> None:
    assert proportional(0, []) == {}
    assert proportional(0, [(UUID(int=1), 0)]) == {UUID(int=1): 0}


def test_something_is_not_divided_in_proportion_to_nothing() -> None:
    with pytest.raises(AssertionError, match="in proportion to nothing"):
        proportional(1, [(UUID(int=1), 0)])


@given(balances=BALANCES, share=st.fractions(0, 1), data=st.data())
def test_shares_add_up_and_none_is_off_by_a_whole_point(
    balances: dict[UUID, int], share: Fraction, data: st.DataObject
) -> None:
    total = sum(balances.values())
    amount = int(total * share)
    pairs = list(balances.items())
    shares = proportional(amount, pairs)
    assert sum(shares.values()) == amount
    for member, balance in pairs:
        exact = Fraction(amount * balance, total) if total else Fraction(0)
        assert abs(shares[member] - exact) < 1
        assert 0 <= shares[member] <= balance
    assert proportional(amount, data.draw(st.permutations(pairs))) == shares
