"""What a history is made of: acts before anything exists that they could refer to."""

from typing import NamedTuple

from hypothesis import strategies as st

HOLDERS = 4


class Recipe(NamedTuple):
    """A wish before anything exists that it could refer to: `which` picks among what there is."""

    kind: str
    holder: int
    partner: int
    points: int
    whole: bool
    receipt: str | None
    which: int
    days: int | None
    second: tuple[int, int | None] | None
    order: str
    currency: int
    clock: int
    percent: int | None
    """How much of later issues pays the debt that a reversal leaves; None: it leaves none."""
    rate: tuple[int, int]
    """So many points become so many of the other currency."""


few_days = st.sampled_from([None, 0, 3, 10, 40])
recipes = st.builds(
    Recipe,
    kind=st.sampled_from(
        ["issue"] * 4
        + ["redeem"] * 3
        + ["hold", "hold", "capture", "capture", "void"]
        + ["reverse"] * 5
        + ["adjust", "adjust", "recover", "convert", "convert"]
        + ["send"] * 4
        + ["undo", "undo"]
    ),
    holder=st.integers(0, HOLDERS - 1),
    partner=st.integers(1, 3),
    points=st.sampled_from([1, 2, 3, 7, 10, 25, 60, 100, 1000]),
    whole=st.booleans(),
    receipt=st.sampled_from([None, None, None, None, "r1", "r2", "r3"]),
    which=st.integers(0, 30),
    days=few_days,
    second=st.none() | st.tuples(st.integers(1, 50), few_days),
    order=st.sampled_from(["reverse", "proportional"]),
    currency=st.sampled_from([1, 1, 1, 2]),
    clock=st.sampled_from([0, 0, 1, 2]),
    percent=st.sampled_from([None, None, 0, 30, 50, 100]),
    rate=st.sampled_from([(1, 2), (2, 1), (5, 2), (3, 1), (2, 3)]),
)
