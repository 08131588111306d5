"""The arithmetic of earning rules: what the base comes to, and what one rule gives on top of it."""

from typing import NamedTuple

import msgspec

from coalition.kernel.money import Rounding
from coalition.points.bonuses.baskets import Basket, Line
from coalition.points.bonuses.compiled import Cap, Rule
from coalition.points.bonuses.documents import Bonus, Combine, Multiplier, PerMeasure, Rate
from coalition.points.rules import EarningRule, earn

QUANTITY = "quantity"
"""The measure that is counted from the lines instead of being sent."""


class Gain(NamedTuple):
    """What one rule gave, and what the reason for it needs to know."""

    rule: Rule
    points: int
    """What is given, after caps."""
    uncapped: int
    counted: int
    """What it was counted from: points of the base, minor units, lines, items or a measure."""
    cap: Cap | None = None
    used: int = 0
    """How many points had been used of that cap before."""
    note: str = ""
    """Why the rule gave nothing, where it is not the cap."""


class Base(msgspec.Struct, frozen=True, gc=False):
    """The points of the base rate, and of the rules that stand in its place for some or all."""

    rate: EarningRule | None
    amount_minor: int
    """What is left to the base rate."""
    points: int
    """What the base rate gives for it."""
    replaced: tuple[Gain, ...] = ()
    """What rules give in its place, before their caps."""
    owners: dict[int, Rule] = {}
    """Which rule stands in its place, by the number of the line."""
    rest: Rule | None = None
    """Which rule stands in its place for everything else."""

    @property
    def total(self) -> int:
        """Return the points of the base for the whole basket, before caps."""
        return self.points + sum(gain.uncapped for gain in self.replaced)

    def points_for(self, lines: tuple[Line, ...] | None) -> int:
        """Return the points of the base for some lines, or for the whole basket."""
        if lines is None:
            return self.total
        amounts: dict[int, int] = {}
        rules: dict[int, Rule | None] = {}
        for line in lines:
            rule = self.owners.get(line.no, self.rest)
            key = rule.no if rule is not None else 0
            rules[key] = rule
            amounts[key] = amounts.get(key, 0) + line.amount_minor
        return sum(self._rated(rules[key], amount) for key, amount in amounts.items())

    def _rated(self, rule: Rule | None, amount_minor: int) -> int:
        if rule is None:
            return earn(amount_minor, self.rate) if self.rate is not None else 0
        if isinstance(rule.effect, Rate):
            return _rate_points(rule, rule.effect, amount_minor)
        return 0


_REPLACES_BASE = Combine.REPLACES_BASE  # looked up once, as in `evaluation`


def base_of(rate: EarningRule | None, basket: Basket, applying: list[Rule]) -> Base:
    """Return the base of a basket: what the base rate gives, and what stands in its place."""
    replacing = [rule for rule in applying if rule.combine is _REPLACES_BASE]
    left = basket.amount_minor
    if not replacing:
        return Base(rate, left, earn(left, rate) if rate is not None else 0)
    owners: dict[int, Rule] = {}
    gains: list[Gain] = []
    for position, rule in enumerate(replacing):
        free = tuple(line for line in basket.lines if line.no not in owners)
        if not rule.categories:
            gains.append(plain_gain(rule, basket, lines=free, amount_minor=left))
            late = [_superseded(other, rule) for other in replacing[position + 1 :]]
            return Base(rate, 0, 0, (*gains, *late), owners, rule)
        lines = tuple(line for line in free if line.category in rule.categories)
        if not lines:
            gains.append(_superseded(rule, next(iter(owners.values()))))
            continue
        amount = sum(line.amount_minor for line in lines)
        gains.append(plain_gain(rule, basket, lines=lines, amount_minor=amount))
        owners.update((line.no, rule) for line in lines)
        left = max(left - amount, 0)
    return Base(rate, left, earn(left, rate) if rate is not None else 0, tuple(gains), owners)


def added_gain(rule: Rule, basket: Basket, base: Base, so_far: int) -> Gain:
    """Return what a rule gives on top of the base, before its caps."""
    lines = rule.counts(basket)
    if isinstance(rule.effect, Multiplier):
        on = so_far if rule.effect.of == "so_far" else base.points_for(lines)
        numerator, denominator = rule.extra
        points = whole(on * numerator, denominator, rule.rounding)
        return Gain(rule, points, points, on)
    amount = basket.amount_minor if lines is None else sum(line.amount_minor for line in lines)
    counted = basket.lines if lines is None else lines
    return plain_gain(rule, basket, lines=counted, amount_minor=amount)


def plain_gain(rule: Rule, basket: Basket, *, lines: tuple[Line, ...], amount_minor: int) -> Gain:
    """Return what a rule gives by itself for these lines and this amount, before its caps."""
    effect = rule.effect
    if isinstance(effect, Rate):
        points = _rate_points(rule, effect, amount_minor)
        return Gain(rule, points, points, amount_minor)
    if isinstance(effect, PerMeasure):
        counted = basket.measures.get(effect.measure, 0)
        if effect.measure == QUANTITY:
            counted = sum(line.quantity for line in lines)
        points = whole(counted * effect.points, effect.per, rule.rounding)
        return Gain(rule, points, points, counted)
    assert isinstance(effect, Bonus), "a multiplier never stands by itself"
    counted = 1
    if effect.per != "basket":
        counted = len(lines) if effect.per == "line" else sum(line.quantity for line in lines)
    return Gain(rule, counted * effect.points, counted * effect.points, counted)


def whole(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Return numerator / denominator, neither negative, as a whole number by `rounding`."""
    quotient, remainder = divmod(numerator, denominator)
    if remainder == 0 or rounding is Rounding.DOWN:
        return quotient
    if rounding is Rounding.UP:
        return quotient + 1
    is_more = 2 * remainder > denominator
    is_half = 2 * remainder == denominator
    goes_up = rounding is Rounding.HALF_AWAY_FROM_ZERO or quotient % 2 == 1
    return quotient + (is_more or (is_half and goes_up))


def _rate_points(rule: Rule, rate: Rate, amount_minor: int) -> int:
    return whole(amount_minor * rate.points, rate.per_minor, rule.rounding)


def _superseded(rule: Rule, by: Rule) -> Gain:
    return Gain(rule, 0, 0, 0, note=f"{by.name} stands in place of the base rate already")
