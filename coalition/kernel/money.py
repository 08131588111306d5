"""Money as whole minor units with its currency, named rounding, and shares that add up."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from enum import Enum

import msgspec

from coalition.kernel.errors import Invalid

POINTS_MAX = 2**31 - 1
"""The most points that one posting may move; the database's integer."""

AMOUNT_MINOR_MAX = 10**12
"""The largest amount in minor units that is taken for a purchase."""

# ISO 4217 currencies and how many decimals their minor unit has.
_EXPONENTS = {
    "AED": 2, "AUD": 2, "BGN": 2, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2,
    "EUR": 2, "GBP": 2, "HKD": 2, "HUF": 2, "INR": 2, "ISK": 0, "JPY": 0, "KRW": 0, "KWD": 3,
    "MXN": 2, "NOK": 2, "NZD": 2, "PLN": 2, "RON": 2, "SEK": 2, "SGD": 2, "THB": 2, "TND": 3,
    "TRY": 2, "USD": 2, "ZAR": 2,
}  # fmt: skip

CURRENCIES = frozenset(_EXPONENTS)


class UnknownCurrency(Invalid):
    """The currency code is not one that the coalition knows."""

    code = "unknown_currency"
    title = "Unknown currency"


class Rounding(Enum):
    """How a fraction becomes a whole number; the rule is named wherever it happens."""

    DOWN = "down"
    HALF_AWAY_FROM_ZERO = "half_away_from_zero"
    HALF_EVEN = "half_even"
    UP = "up"


_DECIMAL_ROUNDING = {
    Rounding.DOWN: ROUND_DOWN,
    Rounding.HALF_AWAY_FROM_ZERO: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.UP: ROUND_UP,
}


class Money(msgspec.Struct, frozen=True):
    """An amount in whole minor units (öre, cent) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


def exponent(currency: str) -> int:
    """Return how many decimals the minor unit of `currency` has; refuse an unknown code."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(
            f"{currency!r} is not a currency known here; "
            "use an ISO 4217 code such as SEK, NOK or EUR"
        ) from None


def round_whole(amount: Decimal, rounding: Rounding) -> int:
    """Return `amount` as a whole number by the named `rounding`."""
    return int(amount.quantize(Decimal(1), rounding=_DECIMAL_ROUNDING[rounding]))


def split(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Share `total` by `weights`, by largest remainder; the shares add up to `total`.

    Ties go to the earlier weight, so sort the receivers by id first. `total` is not negative, nor
    are the weights, of which at least one is positive.
    """
    whole = sum(weights)
    assert total >= 0, "only a whole that is not negative can be shared"
    assert whole > 0, "a split needs a positive weight"
    assert min(weights) >= 0, "weights are never negative"
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return tuple(shares)
