"""Rule documents made ready for the till: names resolved, text parsed, conditions compiled."""

from datetime import datetime
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple

import msgspec

from coalition.kernel.money import Rounding
from coalition.points.bonuses import conditions
from coalition.points.bonuses.baskets import Basket, Line
from coalition.points.bonuses.conditions import Condition
from coalition.points.bonuses.documents import (
    AppliesTo,
    Caps,
    Combine,
    Effect,
    FundingPart,
    Multiplier,
    Rate,
    RuleDocument,
    Weekday,
)

OPERATOR = 0
ISSUER = -1
"""Stands for the partner at the till in a rule's funding."""

PERIODS = ("day", "week", "month", "year", "campaign")
"""The periods over which points are capped per member, as `Caps` names them."""

_DAY_MINUTES = 24 * 60
_WEEKDAYS = tuple(Weekday)


class RuleVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a rule as it is kept; `root_no` is the number of the code's first version.

    It holds from `valid_from` until `valid_until` or until a later version of the code begins. Its
    document names partners by number, and caps are counted under `root_no`, over all versions.
    """

    no: int
    root_no: int
    code: str
    version: int
    document: RuleDocument
    valid_from: datetime
    valid_until: datetime | None


class Cap(NamedTuple):
    """The most points of a rule that a member gets in one period."""

    period: str
    most: int


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule version as the evaluator reads it; empty sets let everything through."""

    no: int
    root_no: int
    code: str
    version: int
    name: str
    effect: Effect
    rounding: Rounding = Rounding.DOWN
    order: int = 0
    combine: Combine = Combine.ADD
    group: str = ""
    extra: tuple[int, int] = (0, 1)
    """Of a multiplier: what its factor adds to the base, as a fraction."""
    partners: frozenset[int] = frozenset()
    stores: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    currency: str | None = None
    least_minor: int = 0
    is_least_of_lines: bool = False
    tiers: frozenset[str] = frozenset()
    plans: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    minutes: tuple[tuple[int, int], ...] = ()
    basket_cap: int | None = None
    caps: tuple[Cap, ...] = ()
    funding: tuple[tuple[int, int], ...] = ((ISSUER, 1),)
    condition: Condition | None = None
    begins: datetime | None = None
    """Of a member's own bonus: when it begins; other rules are found by their time."""
    ends: datetime | None = None

    @property
    def needs_standings(self) -> bool:
        """Tell whether the rule looks at what the member is."""
        of_condition = self.condition is not None and self.condition.uses_member
        return of_condition or bool(self.tiers or self.plans or self.segments or self.flags)

    def welcomes(self, basket: Basket) -> bool:
        """Tell whether place, currency and member are such as the rule asks for."""
        return (
            (not self.partners or basket.partner_no in self.partners)
            and (not self.stores or basket.store in self.stores)
            and (self.currency is None or basket.currency == self.currency)
            and (not self.tiers or basket.tier in self.tiers)
            and (not self.plans or basket.plan in self.plans)
            and (not self.segments or not self.segments.isdisjoint(basket.segments))
            and (not self.flags or not self.flags.isdisjoint(basket.flags))
        )

    def holds_at(self, instant: datetime) -> bool:
        """Tell whether a member's own bonus holds at `instant`."""
        begun = self.begins is None or self.begins <= instant
        return begun and (self.ends is None or instant < self.ends)

    def is_open(self, local: datetime) -> bool:
        """Tell whether the rule holds on this weekday and at this hour."""
        if self.weekdays and local.weekday() not in self.weekdays:
            return False
        if not self.minutes:
            return True
        minute = local.hour * 60 + local.minute
        return any(
            begin <= minute < end or begin <= minute + _DAY_MINUTES < end
            for begin, end in self.minutes
        )

    def reaches(self, basket: Basket) -> bool:
        """Tell whether time, lines and amount are such as the rule asks for."""
        if not self.categories and basket.amount_minor < self.least_minor:
            return False
        if (self.weekdays or self.minutes) and not self.is_open(basket.local):
            return False
        if not self.categories:
            return True
        lines = self.counts(basket)
        if not lines:
            return False
        if self.is_least_of_lines:
            return sum(line.amount_minor for line in lines) >= self.least_minor
        return basket.amount_minor >= self.least_minor

    def counts(self, basket: Basket) -> tuple[Line, ...] | None:
        """Return the lines that count for the rule; None when it does not ask for categories."""
        if not self.categories:
            return None
        return tuple(line for line in basket.lines if line.category in self.categories)


def ready(version: RuleVersion) -> Rule:
    """Return the version ready for evaluation; its document has passed `checking.complaints`."""
    document = version.document
    applies, stacking = document.applies_to, document.stacking
    combine = combine_of(document)
    return Rule(
        no=version.no,
        root_no=version.root_no,
        code=version.code,
        version=version.version,
        name=document.name,
        effect=document.effect,
        rounding=document.rounding,
        order=stacking.order,
        combine=combine,
        group=stacking.group or "" if combine is Combine.BEST_OF else "",
        extra=_extra(document.effect),
        basket_cap=document.caps.basket,
        caps=_caps(document.caps),
        funding=_weights(document.funding),
        condition=conditions.compiled(document.condition) if document.condition else None,
        **_predicates(applies),
    )


def combine_of(document: RuleDocument) -> Combine:
    """Return how the rule combines: a rate replaces the base unless it says otherwise."""
    if document.stacking.combine is not None:
        return document.stacking.combine
    return Combine.REPLACES_BASE if isinstance(document.effect, Rate) else Combine.ADD


def minutes_of(hours: str) -> tuple[int, int]:
    """Return the minutes of the day of `17:00-20:00`; over midnight the end is the next day's."""
    begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in hours.split("-"))
    return begin, end if end > begin else end + _DAY_MINUTES


def _predicates(applies: AppliesTo) -> dict[str, Any]:  # Any: fields of several types
    least = applies.least
    return {
        "partners": frozenset(no for no in applies.partners if isinstance(no, int)),
        "stores": frozenset(applies.stores),
        "categories": frozenset(applies.categories),
        "currency": applies.currency,
        "least_minor": least.amount_minor if least else 0,
        "is_least_of_lines": least is not None and least.of == "lines",
        "tiers": frozenset(applies.tiers),
        "plans": frozenset(applies.plans),
        "segments": frozenset(applies.segments),
        "flags": frozenset(applies.flags),
        "weekdays": frozenset(_WEEKDAYS.index(day) for day in applies.weekdays),
        "minutes": tuple(minutes_of(hours) for hours in applies.hours),
    }


def _extra(effect: Effect) -> tuple[int, int]:
    if not isinstance(effect, Multiplier):
        return 0, 1
    return (Fraction(effect.factor) - 1).as_integer_ratio()


def _caps(caps: Caps) -> tuple[Cap, ...]:
    named = ((period, getattr(caps, period)) for period in PERIODS)
    return tuple(Cap(period, most) for period, most in named if most is not None)


def _weights(funding: tuple[FundingPart, ...]) -> tuple[tuple[int, int], ...]:
    """Return funders with whole weights; shares are brought to their common denominator."""
    if not funding:
        return ((ISSUER, 1),)
    parts = [(_funder(part), Fraction(part.share or part.weight or 0)) for part in funding]
    whole = lcm(*(weight.denominator for _, weight in parts))
    return tuple((funder, int(weight * whole)) for funder, weight in parts)


def _funder(part: FundingPart) -> int:
    if isinstance(part.funder, int):
        return part.funder
    return {"operator": OPERATOR, "issuer": ISSUER}[part.funder]
