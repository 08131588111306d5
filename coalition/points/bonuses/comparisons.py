"""Conditions that only compare facts with numbers and texts: judged at once, as CEL would.

Most conditions are of this kind, and handing CEL the facts costs more than comparing them.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from coalition.points.bonuses.baskets import Basket

Of = Callable[[Basket], object]
"""What a basket says of one fact."""
Fact = tuple[Literal["number", "text"], Of]


class Comparison(NamedTuple):
    """What has to hold of one fact, which has a name."""

    fact: str
    of: Of
    compare: Callable[[object, object], bool]
    against: int | str


_TERM = re.compile(
    r"""\s*(?P<name>\w+\.\w+)\s*(?P<sign>==|!=|<=|>=|<|>)\s*"""
    r"""(?:(?P<number>0|[1-9]\d{0,17})|'(?P<text>[^'"\\\n]*)')\s*"""
)
_SIGNS: Mapping[str, Callable[..., bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_TEXTS = frozenset({"==", "!="})


def comparisons_of(source: str, facts: Mapping[str, Fact]) -> tuple[Comparison, ...] | None:
    """Return the comparisons of which all must hold; None for a condition that asks otherwise.

    `facts` are the numbers and texts that may be compared, by name, and how a basket tells them.
    """
    found: list[Comparison] = []
    for part in source.split("&&"):
        term = _TERM.fullmatch(part)
        if term is None or term["name"] not in facts:
            return None
        kind, of = facts[term["name"]]
        if term[kind] is None or (kind == "text" and term["sign"] not in _OF_TEXTS):
            return None
        against = int(term["number"]) if kind == "number" else term["text"]
        found.append(Comparison(term["name"], of, _SIGNS[term["sign"]], against))
    return tuple(found)


def all_hold(comparisons: tuple[Comparison, ...], basket: Basket) -> bool:
    """Tell whether all of `comparisons` hold for `basket`."""
    for _, of, compare, against in comparisons:  # noqa: SIM110 - a generator would cost as much again
        if not compare(of(basket), against):
            return False
    return True


def least_of(comparisons: tuple[Comparison, ...], fact: str) -> int:
    """Return from which number of `fact`, never negative, all of `comparisons` may hold."""
    least = 0
    for one in comparisons:
        if one.fact == fact and isinstance(one.against, int):
            if one.compare in (operator.ge, operator.eq):
                least = max(least, one.against)
            elif one.compare is operator.gt:
                least = max(least, one.against + 1)
    return least
