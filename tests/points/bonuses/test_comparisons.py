"""Conditions that are judged without CEL are judged as CEL judges them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.points.bonuses.comparisons import all_hold
from coalition.points.bonuses.conditions import compiled, known_of
from tests.points.bonuses.world import basket

_NUMBERS = ("basket.amount_minor", "basket.partner", "time.hour", "time.month")
_TEXTS = ("basket.currency", "basket.store", "member.tier", "time.weekday")
_SIGNS = ("==", "!=", "<", "<=", ">", ">=")

_OF_NUMBERS = st.builds(
    "{} {} {}".format,
    st.sampled_from(_NUMBERS),
    st.sampled_from(_SIGNS),
    st.one_of(st.integers(0, 30), st.integers(990, 1010), st.just(10**18 - 1)),
)
_OF_TEXTS = st.builds(
    "{}{}'{}'".format,
    st.sampled_from(_TEXTS),
    st.sampled_from(_SIGNS[:2]),
    st.sampled_from(("", "SEK", "gold", "s1", "saturday", "Å")),
)
_SOURCES = st.lists(st.one_of(_OF_NUMBERS, _OF_TEXTS), min_size=1, max_size=4).map(" && ".join)


@given(source=_SOURCES, amount=st.integers(995, 1005), tier=st.sampled_from((None, "gold")))
def test_comparisons_agree_with_cel(source: str, amount: int, tier: str | None) -> None:
    condition = compiled(source)
    bought = basket(amount_minor=amount, tier=tier, store="s1")
    assert condition.comparisons is not None
    assert all_hold(condition.comparisons, bought) is condition.judge(known_of(bought))


@pytest.mark.parametrize(
    "source",
    [
        "basket.amount_minor > 1 || basket.partner == 1",
        "!(basket.amount_minor > 1)",
        "basket.amount_minor + 1 > 2",
        "basket.amount_minor > -1",
        "basket.amount_minor > basket.partner",
        "basket.currency < 'SEK'",
        'basket.currency == "SEK"',
        "basket.currency == 'S\\u0045K'",
        "basket.currency == 'a && b'",
        "'gold' in member.segments",
        "1 < basket.amount_minor",
        "basket.lines.exists(line, line.amount_minor > 1)",
    ],
)
def test_what_is_more_than_comparisons_is_left_to_cel(source: str) -> None:
    assert compiled(source).comparisons is None
