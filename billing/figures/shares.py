"""Shares in percent and whole amounts, as figures show them. Pure."""

from decimal import ROUND_HALF_UP, Decimal

from coalition.kernel.money import Money, Rounding, round_whole

_CENT = Decimal("0.01")


def percent(part: int, of: int) -> Decimal | None:
    """Return a share in percent with two decimals; None of nothing."""
    if not of:
        return None
    return (Decimal(100 * part) / of).quantize(_CENT, rounding=ROUND_HALF_UP)


def whole(minor: Decimal, currency: str) -> Money:
    """Return an exact amount of minor units, rounded once."""
    return Money(round_whole(Decimal(minor), Rounding.HALF_AWAY_FROM_ZERO), currency)
