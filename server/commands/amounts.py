"""Money as finance reads it on the command line."""

from decimal import Decimal

from partners.settlement.rules import major


def in_major(amount_minor: int, currency: str) -> str:
    """Return minor units as people write money, such as -8,365.00."""
    return f"{major(amount_minor, currency):,f}"


def plain(amount: Decimal) -> str:
    """Return an exact amount without the zeros that it is stored with, but with two decimals."""
    whole, _, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
