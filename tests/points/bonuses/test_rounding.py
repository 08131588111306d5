"""A fraction of points becomes whole as the rule names it, by the book."""

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from coalition.kernel.money import Rounding
from coalition.points.bonuses.arithmetic import whole


@given(st.integers(0, 200), st.integers(1, 12), st.sampled_from(list(Rounding)))
def test_each_rounding_is_that_of_the_exact_fraction(
    numerator: int, denominator: int, rounding: Rounding
) -> None:
    exact = Fraction(numerator, denominator)
    known = {
        Rounding.DOWN: math.floor(exact),
        Rounding.UP: math.ceil(exact),
        Rounding.HALF_EVEN: round(exact),
        Rounding.HALF_AWAY_FROM_ZERO: math.floor(exact + Fraction(1, 2)),
    }
    assert whole(numerator, denominator, rounding) == known[rounding]
