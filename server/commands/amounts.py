"""Money as finance reads it on the command line."""

from decimal import Decimal

from coalition.kernel.money import exponent
from partners.settlement.rules import major
from server.exits import WRONG_INPUT, Stopped


def in_major(amount_minor: int, currency: str) -> str:
    """Return minor units as people write money, such as -8,365.00."""
    return f"{major(amount_minor, currency):,f}"


def plain(amount: Decimal) -> str:
    """Return an exact amount without the zeros that it is stored with, but with two decimals."""
    whole, _, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def in_minor(amount: Decimal, currency: str) -> int:
    """Return whole minor units; what is finer is wrong input. Raises `UnknownCurrency`."""
    minor = amount.scaleb(exponent(currency))
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise Stopped(f"{amount} {currency} is finer than its minor unit", exit_code=WRONG_INPUT)
    return int(minor)
