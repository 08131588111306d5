"""What a purchase earns and what points pay: pure arithmetic, with its explanation."""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Protocol

import msgspec

from coalition.kernel.money import Rounding, exponent, round_whole


class EarningRule(msgspec.Struct, frozen=True):
    """`points` for every `per_minor` minor units of `currency`, until the next rule begins."""

    no: int
    partner_no: int
    currency: str
    points: int
    per_minor: int
    rounding: Rounding
    valid_from: datetime


class Bought(Protocol):
    """A purchase, in whichever shape it comes."""

    @property
    def amount_minor(self) -> int:
        """What was paid, in minor units of its currency."""
        ...


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why points were given or taken: the rule, its share, and a sentence for the till."""

    rule: str
    points: int
    text: str


class EarningRules:
    """All earning rules as of one version of the catalogue; the one that holds is found by time."""

    def __init__(self, rules: Iterable[EarningRule]) -> None:
        """Index `rules` by partner and currency, latest first."""
        self._timeline: dict[tuple[int, str], list[EarningRule]] = {}
        self._by_no: dict[int, EarningRule] = {}
        for rule in sorted(rules, key=lambda rule: rule.valid_from, reverse=True):
            self._timeline.setdefault((rule.partner_no, rule.currency), []).append(rule)
            self._by_no[rule.no] = rule

    def numbered(self, no: int) -> EarningRule:
        """Return the rule with this number, which is written in our own books."""
        return self._by_no[no]

    def at(self, partner_no: int, currency: str, instant: datetime) -> EarningRule | None:
        """Return the rule that holds at `instant`, or None."""
        for rule in self._timeline.get((partner_no, currency), ()):
            if rule.valid_from <= instant:
                return rule
        return None


def earn(amount_minor: int, rule: EarningRule) -> int:
    """Return the whole points that `amount_minor` earns; rounded once, as the rule names it."""
    if rule.rounding is _DOWN:
        return amount_minor * rule.points // rule.per_minor
    return round_whole(Decimal(amount_minor) * rule.points / rule.per_minor, rule.rounding)


ROUNDING_TEXT = {
    Rounding.DOWN: "rounded down",
    Rounding.UP: "rounded up",
    Rounding.HALF_EVEN: "rounded half to even",
    Rounding.HALF_AWAY_FROM_ZERO: "rounded half up",
}
_DOWN = Rounding.DOWN  # looked up once: a member of an Enum's class costs more than a call
_DOWN_TEXT = ROUNDING_TEXT[_DOWN]


def explain(amount_minor: int, rule: EarningRule, points: int) -> Reason:
    """Return why `amount_minor` earned `points` under `rule`."""
    rate = _rate_text(rule.points, rule.per_minor, rule.currency)
    amount = decimal_text(amount_minor, rule.currency)
    how = _DOWN_TEXT if rule.rounding is _DOWN else ROUNDING_TEXT[rule.rounding]
    return Reason(f"earning:{rule.no}", points, f"{rate} of {amount} {rule.currency}, {how}")


@lru_cache(maxsize=4096)
def _rate_text(points: int, per_minor: int, currency: str) -> str:
    noun = "point" if points == 1 else "points"
    return f"{points} {noun} per {decimal_text(per_minor, currency)} {currency}"


def why_earned(points: int, rule: EarningRule | None, purchase: Bought | None) -> Reason:
    """Return why `points` were issued: by `rule` for `purchase`, or as the partner decided."""
    if rule is None or purchase is None:
        return Reason("given", points, "as the partner decided")
    return explain(purchase.amount_minor, rule, points)


def withheld_reason(title: str) -> Reason:
    """Return why a partner gives no points at present; `title` says what stands in the way."""
    return Reason("withheld", 0, f"no points are given here at present: {title.lower()}")


def spent_reason(points: int) -> Reason:
    """Return why points were taken from these lots and not from others."""
    return Reason("earliest_expiry", points, "points that expire first are spent first")


def reversed_reason(points: int, reason: str | None) -> Reason:
    """Return why points went back: what the partner said, if it said anything."""
    return Reason("reversal", points, reason or "as the partner decided")


def owed_reason(points: int) -> Reason:
    """Return why points of a reversed issue did not go back."""
    return Reason("debt", points, "spent before, so they are owed")


def recovered_reason(points: int) -> Reason:
    """Return why some of the points that were just given are gone again."""
    return Reason("recovery", -points, "for points that were spent before their issue was reversed")


def decimal_text(amount_minor: int, currency: str) -> str:
    """Return minor units, not negative, as a decimal number, 12345 SEK as 123.45."""
    places = exponent(currency)
    if places == 0:
        return str(amount_minor)
    digits = str(amount_minor).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}"


class Payable(msgspec.Struct, frozen=True):
    """The most that can be paid with points: how many, and what they are worth at this till."""

    points: int
    amount_minor: int
    currency: str


def payable(balance: int, amount_minor: int, currency: str, point_price: Decimal) -> Payable:
    """Return how many of `balance` points a purchase can take at `point_price` (money per point).

    A point pays the accepter's redemption price, so a purchase takes at most as many as its amount
    covers; their worth is rounded down to the minor unit.
    """
    price_minor = point_price.scaleb(exponent(currency))
    if price_minor <= 0:
        return Payable(0, 0, currency)
    most = int((Decimal(amount_minor) / price_minor).to_integral_value(ROUND_DOWN))
    points = min(balance, most)
    return Payable(points, round_whole(points * price_minor, Rounding.DOWN), currency)
