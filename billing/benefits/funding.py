"""Who pays for a benefit, by number: partners, the operator, or whoever sells."""

from collections.abc import Mapping

from coalition.points.bonuses.compiled import ISSUER, OPERATOR

_WORDS = {"operator": OPERATOR, "issuer": ISSUER}

Funders = tuple[tuple[int, int], ...]
"""Funders by number, each with its whole weight."""


def funders(funding: Mapping[str, int]) -> Funders:
    """Return the funders that a plan names, whose partners stand in it by number, by number.

    Where it names none the operator pays, who takes the price of the plan.
    """
    if not funding:
        return ((OPERATOR, 1),)
    return tuple(sorted((_number(name), weight) for name, weight in funding.items()))


def partner_no(named: str | None) -> int | None:
    """Return the number of the partner at which alone a benefit holds; None is everywhere."""
    return None if named is None else int(named)


def _number(name: str) -> int:
    return _WORDS[name] if name in _WORDS else int(name)
