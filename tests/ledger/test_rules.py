"""The ledger's arithmetic: what is taken in order, what goes back to each leg."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.ledger.rules import (
    Available,
    IssuedLeg,
    Owed,
    ReturnableLeg,
    choose_legs,
    shares_of_debts,
    take_back,
    take_in_order,
)

A, B, C = (UUID(int=number) for number in (1, 2, 3))

legs_of_postings = st.lists(
    st.integers(1, 1000).flatmap(lambda points: st.tuples(st.just(points), st.integers(0, points))),
    min_size=1,
    max_size=8,
).map(
    lambda pairs: [
        ReturnableLeg(UUID(int=number), points, back) for number, (points, back) in enumerate(pairs)
    ]
)


@given(st.lists(st.integers(1, 100), max_size=6), st.integers(1, 500))
def test_lots_are_taken_in_order_or_not_at_all(points: list[int], wanted: int) -> None:
    available = [Available(UUID(int=number), kept) for number, kept in enumerate(points)]
    left = list(available)
    taken = take_in_order(wanted, left)
    if wanted > sum(points):
        assert taken is None
        assert left == available
        return
    assert taken is not None
    assert sum(part for _, part in taken) == wanted
    assert sum(kept.points for kept in left) == sum(points) - wanted
    assert [lot for lot, _ in taken] == [kept.lot for kept in available[: len(taken)]]
    assert all(part == kept.points for (_, part), kept in zip(taken[:-1], available, strict=False))


def test_a_second_line_sees_what_the_first_left() -> None:
    available = [Available(A, 10), Available(B, 5)]
    assert take_in_order(12, available) == [(A, 10), (B, 2)]
    assert take_in_order(3, available) == [(B, 3)]
    assert take_in_order(1, available) is None


@given(legs_of_postings, st.sampled_from(["reverse", "proportional"]), st.data())
def test_a_return_adds_up_and_exceeds_no_leg(
    legs: list[ReturnableLeg], order: str, data: st.DataObject
) -> None:
    left = {leg.lot: leg.points - leg.reversed for leg in legs}
    if not sum(left.values()):
        return
    points = data.draw(st.integers(1, sum(left.values())))
    chosen = choose_legs(points, legs, order)
    assert sum(part for _, part in chosen) == points
    assert all(0 < part <= left[lot] for lot, part in chosen)
    assert len({lot for lot, _ in chosen}) == len(chosen)


def test_the_last_leg_is_returned_first() -> None:
    legs = [ReturnableLeg(A, 10, 0), ReturnableLeg(B, 10, 4), ReturnableLeg(C, 10, 10)]
    assert choose_legs(9, legs, "reverse") == [(B, 6), (A, 3)]


def test_remainders_go_to_the_largest_and_then_to_the_first_leg() -> None:
    legs = [ReturnableLeg(A, 1, 0), ReturnableLeg(B, 1, 0), ReturnableLeg(C, 1, 0)]
    assert choose_legs(2, legs, "proportional") == [(A, 1), (B, 1)]
    legs = [ReturnableLeg(A, 5, 0), ReturnableLeg(B, 3, 0)]
    assert choose_legs(3, legs, "proportional") == [(A, 2), (B, 1)]


@pytest.mark.parametrize("points", [0, 11])
def test_what_was_not_checked_before_is_a_broken_promise(points: int) -> None:
    with pytest.raises(AssertionError):
        choose_legs(points, [ReturnableLeg(A, 10, 0)], "reverse")


def test_an_order_that_nobody_knows_is_a_broken_promise() -> None:
    with pytest.raises(AssertionError):
        choose_legs(1, [ReturnableLeg(A, 10, 0)], "backwards")


issued_legs = st.lists(
    st.tuples(st.integers(1, 100), st.integers(0, 100), st.booleans()), min_size=1, max_size=6
).map(
    lambda facts: [
        IssuedLeg(UUID(int=number), min(unspent, left), left if is_owable else 0)
        for number, (left, unspent, is_owable) in enumerate(facts)
    ]
)


@given(issued_legs, st.integers(1, 700))
def test_all_that_can_be_taken_is_taken_before_anything_is_owed(
    legs: list[IssuedLeg], points: int
) -> None:
    back = take_back(points, legs)
    taken, owed = dict(back.taken), dict(back.owed)
    assert (len(taken), len(owed)) == (len(back.taken), len(back.owed))
    assert back.points == sum(taken.values()) + sum(owed.values()) <= points
    assert all(0 < taken[leg.lot] <= leg.takeable for leg in legs if leg.lot in taken)
    assert all(
        0 < owed[leg.lot] <= leg.owable - taken.get(leg.lot, 0) for leg in legs if leg.lot in owed
    )
    if owed:
        assert sum(taken.values()) == sum(leg.takeable for leg in legs)
    if back.points < points:
        reachable = sum(max(leg.takeable, leg.owable) for leg in legs)
        assert back.points == reachable


def test_an_issue_is_taken_back_and_owed_from_its_last_leg() -> None:
    legs = [IssuedLeg(A, 4, 10), IssuedLeg(B, 2, 10), IssuedLeg(C, 3, 0)]
    assert take_back(12, legs) == ([(C, 3), (B, 2), (A, 4)], [(B, 3)])
    # What is wished of a lot comes first, as far as it is there.
    assert take_back(4, legs, {A: 3}) == ([(C, 1), (A, 3)], [])
    assert take_back(4, legs, {B: 3}) == ([(C, 2), (B, 2)], [])
    assert take_back(10, legs, {B: 3}) == ([(C, 3), (B, 2), (A, 4)], [(B, 1)])
    assert take_back(18, legs) == ([(C, 3), (B, 2), (A, 4)], [(B, 8), (A, 1)])
    assert take_back(99, legs).points == 23
    assert take_back(3, [IssuedLeg(A, 0, 0)]).points == 0


def test_of_a_wish_only_what_could_not_be_taken_is_owed_first() -> None:
    legs = [IssuedLeg(A, 1, 5), IssuedLeg(B, 0, 5)]
    assert take_back(4, legs, {A: 3}) == ([(A, 1)], [(B, 1), (A, 2)])
    spent = [IssuedLeg(A, 0, 5), IssuedLeg(B, 0, 5)]
    assert take_back(4, spent, {A: 2}) == ([], [(B, 2), (A, 2)])
    assert take_back(11, spent) == ([], [(B, 5), (A, 5)]), "all of what was spent"


debts_of_a_holder = st.lists(st.builds(Owed, st.integers(1, 200), st.integers(0, 100)), max_size=5)


@given(st.integers(1, 500), debts_of_a_holder, st.integers(0, 500))
def test_an_issue_pays_no_debt_beyond_its_percentage_nor_beyond_what_is_there(
    points: int, debts: list[Owed], most: int
) -> None:
    shares = shares_of_debts(points, debts, most=most)
    assert len(shares) == len(debts)
    assert sum(shares) <= min(points, most)
    paid = 0
    for share, debt in zip(shares, debts, strict=True):
        paid += share
        assert 0 <= share <= debt.points
        assert not share or paid * 100 <= points * debt.percent


def test_the_older_debt_is_paid_first_and_halves_are_rounded_down() -> None:
    assert shares_of_debts(101, [Owed(30, 50), Owed(90, 50)], most=101) == [30, 20]
    assert shares_of_debts(101, [Owed(90, 0), Owed(90, 50)], most=101) == [0, 50]
    assert shares_of_debts(100, [Owed(90, 80), Owed(90, 100)], most=95) == [80, 15]
    assert shares_of_debts(1, [Owed(90, 99)], most=1) == [0]
