"""What a change in the middle of a period credits and charges, exact to the second.

`amount × seconds left / seconds of the period`, each line rounded by itself to the minor unit,
halves away from zero (docs.stripe.com/billing/subscriptions/prorations).
"""

from collections.abc import Sequence

from billing.sandbox.calendar import Period


def share(amount: int, period: Period, at: int) -> int:
    """Return what `amount` for the whole period comes to from `at` to its end, in minor units.

    Before the period it is the whole amount, from its end on nothing.
    """
    whole = period.end - period.start
    left = min(max(period.end - at, 0), whole)
    return _rounded(amount * left, whole) if whole > 0 else 0


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Cut `amount` by the weights so that the parts sum to it, largest remainders first."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda index: (-(amount * weights[index] % whole), index)
    )
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def tax_within(amount: int, percentage: str) -> int:
    """Return the part of an amount that is tax, for a tax-inclusive rate in per cent."""
    whole, _, fraction = percentage.partition(".")
    rate = int(whole + fraction.ljust(4, "0")[:4])
    return _rounded(amount * rate, 1_000_000 + rate)


def tax_upon(amount: int, percentage: str) -> int:
    """Return the tax that comes upon an amount, for an exclusive rate in per cent."""
    whole, _, fraction = percentage.partition(".")
    return _rounded(amount * int(whole + fraction.ljust(4, "0")[:4]), 1_000_000)


def percent_of(amount: int, percentage: float) -> int:
    """Return a discount of so many per cent (Stripe keeps two decimals) of an amount."""
    return _rounded(amount * round(percentage * 100), 10_000)


def _rounded(numerator: int, denominator: int) -> int:
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))
