"""Amounts as Stripe counts them and as we do: both in minor units, which are not always the same.

Source: Stripe's "Supported currencies". Most count two decimals and some none, as ISO 4217 does.
Krónur and shillings have none there, yet Stripe counts them in hundredths. With three decimals the
last digit has to be zero.
"""

from decimal import Decimal

from coalition.kernel.errors import Invalid
from coalition.kernel.money import Money, Rounding, exponent, round_whole

_NONE = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905 - reads as the source has it
)
_THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


class AmountNotTaken(Invalid):
    """Stripe takes no such amount: of a currency with three decimals the last has to be zero."""

    code, title = "amount_not_taken", "Amount not taken"


def money_of(amount: int, currency: str) -> Money:
    """Return what Stripe writes as `amount` of `currency`, in our minor units.

    Half a unit, which only lines in krónur can have, is rounded away from zero.
    Raises `UnknownCurrency`.
    """
    code = currency.upper()
    exact = Decimal(amount).scaleb(exponent(code) - _exponent_there(code))
    return Money(round_whole(exact, Rounding.HALF_AWAY_FROM_ZERO), code)


def amount_of(money: Money) -> int:
    """Return `money` as Stripe writes it. Raises `AmountNotTaken`, `UnknownCurrency`."""
    code = money.currency
    exact = Decimal(money.amount_minor).scaleb(_exponent_there(code) - exponent(code))
    amount = int(exact)
    if amount != exact or (code in _THREE and amount % 10):
        raise AmountNotTaken(currency=code, amount_minor=money.amount_minor)
    return amount


def _exponent_there(code: str) -> int:
    if code in _NONE:
        return 0
    return 3 if code in _THREE else 2
