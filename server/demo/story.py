"""What households do with their points: pure, and the same for the same purchases every time.

A household spends from what it had when the month began, on baskets at companies that take points,
when it has reached the amount at which it thinks of its points; on a day with a coupon it thinks of
them at once. Some baskets are brought back in part, some payments with points are cancelled.
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from coalition.federation.expiry import month_end
from server.demo.companies import COMPANIES
from server.demo.history import Basket, month_number

LEAST_PAID: Final = 100
"""Points are spent by the hundred: one dollar."""

_HABITS: Final = ((0.25, None), (0.45, 200), (0.75, 500), (1.0, 1000))
_RETURNED: Final = 0.015
_CANCELLED: Final = 0.01


class Return(NamedTuple):
    """So many points of a basket are taken back."""

    basket: Basket
    points: int


class Payment(NamedTuple):
    """So many points are spent on a basket; some payments are cancelled afterwards."""

    basket: Basket
    points: int
    is_cancelled: bool


class Wallet:
    """What a household can spend, by the last day on which it can."""

    def __init__(self) -> None:
        """Start empty."""
        self._lots: dict[date, int] = {}
        self._allowance = 0

    def begin_month(self, today: date) -> None:
        """Let the household spend in this month what it has on its last day, `today`."""
        self._lots = {day: points for day, points in self._lots.items() if day >= today}
        self._allowance = self.balance

    @property
    def balance(self) -> int:
        """All points that can be spent."""
        return sum(self._lots.values())

    @property
    def allowance(self) -> int:
        """The points that the household had when the month began and has not spent."""
        return self._allowance

    def change(self, expires_on: date, points: int) -> None:
        """Add `points` that end with `expires_on`, or take them back."""
        self._lots[expires_on] = self._lots.get(expires_on, 0) + points

    def spend(self, points: int) -> dict[date, int]:
        """Spend `points`, those that end first before the others; return the parts by end."""
        assert points <= self._allowance, "a household spends what it has"
        self._allowance -= points
        taken = {}
        for day in sorted(self._lots):
            part = min(points, self._lots[day])
            taken[day] = part
            self._lots[day] -= part
            points -= part
        return taken


def expires_on(basket: Basket) -> date:
    """Return the last day of the points that `basket` earns."""
    months = COMPANIES[basket.company].terms.expiry_months
    assert months is not None, "the points of every company of the demo end"
    return month_end(month_number(basket.at), months)


def returns(issued: Iterable[tuple[Basket, int]]) -> list[Return]:
    """Return which of the baskets that earned so many points are brought back in part."""
    return [
        Return(basket, max(1, round(points * (0.25 + 0.75 * chance(basket.receipt, "part")))))
        for basket, points in issued
        if chance(basket.receipt, "return") < _RETURNED
    ]


def payment(basket: Basket, wallet: Wallet) -> Payment | None:
    """Return what the household pays of `basket` with points; None when it pays money alone."""
    terms = COMPANIES[basket.company].terms
    threshold = LEAST_PAID if basket.has_coupon else habit(basket.household)
    if not terms.accepts or threshold is None or wallet.allowance < threshold:
        return None
    worth = int(Decimal(basket.amount_minor) / (terms.redemption_price * 100))
    points = min(wallet.allowance, worth) // LEAST_PAID * LEAST_PAID
    if not points:
        return None
    return Payment(basket, points, chance(basket.receipt, "cancel") < _CANCELLED)


def habit(household: int) -> int | None:
    """Return at how many points the household thinks of them; None is never."""
    drawn = chance(household, "habit")
    return next(points for limit, points in _HABITS if drawn < limit)


def chance(subject: object, what: str) -> float:
    """Return a number from 0 up to 1 that is always the same for this subject and question."""
    digest = hashlib.blake2b(f"{what} {subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
