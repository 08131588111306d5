"""What a history is made of: acts before anything exists that they could refer to."""

import random
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


_DAYS = (None, 0, 3, 10, 40)
_KINDS = (
    *["issue"] * 4,
    *["redeem"] * 3,
    *["hold", "hold", "capture", "capture", "void"],
    *["reverse"] * 5,
    *["adjust", "adjust", "recover", "recover", "convert", "convert"],
    *["send"] * 4,
    *["undo", "undo"],
)


def _thrown(seed: int) -> Recipe:
    dice = random.Random(seed)
    return Recipe(
        kind=dice.choice(_KINDS),
        holder=dice.randrange(HOLDERS),
        partner=dice.randint(1, 3),
        points=dice.choice([1, 2, 3, 7, 10, 25, 60, 100, 1000]),
        whole=dice.random() < 0.5,
        receipt=dice.choice([None, None, None, None, "r1", "r2", "r3"]),
        which=dice.randint(0, 30),
        days=dice.choice(_DAYS),
        second=dice.choice([None, (dice.randint(1, 50), dice.choice(_DAYS))]),
        order=dice.choice(["reverse", "proportional"]),
        currency=dice.choice([1, 1, 1, 2]),
        clock=dice.choice([0, 0, 1, 2]),
        percent=dice.choice([None, None, 0, 30, 50, 100]),
        rate=dice.choice([(1, 2), (2, 1), (5, 2), (3, 1), (2, 3)]),
    )


seeds = st.integers(0, 2**32 - 1)
recipes = seeds.map(_thrown)
"""Thrown by dice: drawn field by field, most histories were of few acts that nobody could do."""
