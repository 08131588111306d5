"""The ledger's arithmetic: what is taken in order, what goes back to each leg."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.ledger.rules import Available, ReturnableLeg, choose_legs, take_in_order

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
