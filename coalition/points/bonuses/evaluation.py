"""What a basket earns under all earning rules: pure, and the same for the same rule versions.

The base rate comes first. Rules that apply then follow in their order: they replace the base, add
to it or multiply it, each rounded once as its document names it, capped, and shared among those who
pay for it in whole points.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from cel_expr_python import cel

from coalition.kernel.money import split
from coalition.points.bonuses import conditions, explanation
from coalition.points.bonuses.active import ActiveRules, period_name
from coalition.points.bonuses.arithmetic import Base, Gain, added_gain, base_of
from coalition.points.bonuses.baskets import Basket, Line
from coalition.points.bonuses.comparisons import all_hold
from coalition.points.bonuses.compiled import ISSUER, Cap, Rule, RuleVersion
from coalition.points.bonuses.documents import Combine
from coalition.points.rules import EarningRule, Reason

__all__ = [
    "BASE",
    "ActiveRules",
    "Basket",
    "Evaluation",
    "Line",
    "RuleVersion",
    "Share",
    "Usage",
    "evaluate",
]

BASE = 0
"""The rule number of a share that comes from the base rate."""

Used = Mapping[tuple[int, str], int]
"""Points that the member has had before, by root number of the rule and name of the period."""


class Share(msgspec.Struct, frozen=True, gc=False):
    """Whole points of one rule that one funder pays for; `rule_no` is `BASE` for the base rate."""

    rule_no: int
    funder_no: int
    points: int


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Points that count against a cap; `rule_no` the root number, `period` the counter."""

    rule_no: int
    period: str
    points: int


class Evaluation(msgspec.Struct, frozen=True, gc=False):
    """What a basket earns: `points` in all, shared out, and what it uses of which caps."""

    points: int
    shares: tuple[Share, ...]
    usage: tuple[Usage, ...]
    base: Base
    gains: tuple[Gain, ...] = ()
    currency: str = ""
    told: list[Reason] = []
    """The reasons, once somebody has asked for them."""

    @property
    def rate(self) -> EarningRule | None:
        """Return the base rate that held, also where a rule stands in its place."""
        return self.base.rate

    @property
    def is_ruled(self) -> bool:
        """Tell whether a base rate or a rule had something to say about the basket."""
        return self.base.rate is not None or bool(self.gains)

    @property
    def reasons(self) -> list[Reason]:
        """Return why, in sentences; written only when somebody asks, and then once."""
        if not self.told:
            self.told.extend(explanation.reasons(self.base, self.gains, self.currency))
        return self.told


# Looked up once: a member of an Enum's class costs more than a call.
_STOP, _BEST_OF, _REPLACES_BASE = Combine.STOP, Combine.BEST_OF, Combine.REPLACES_BASE
_NO_SHARES: tuple[Share, ...] = ()
_UNPAID = "who pays for it pays for no points at present"


def evaluate(
    rules: ActiveRules,
    basket: Basket,
    used: Used,
    candidates: tuple[Rule, ...] | None = None,
) -> Evaluation:
    """Return what the basket earns under the rules that hold when it `occurred_at`.

    `used` names the points that the member has had before for each counter of `rules.caps_for`; one
    that is missing is zero. `candidates` are those of the basket, from whoever has them at hand.
    Nothing is raised: a condition that cannot be judged does not hold.
    """
    rate = rules.base.at(basket.partner_no, basket.currency, basket.occurred_at)
    if candidates is None:
        candidates = rules.candidates(basket)
    applying, failed = _applying(rules, basket, candidates) if candidates else ([], [])
    base = base_of(rate, basket, applying)
    if not applying:
        shares = (Share(BASE, basket.partner_no, base.points),) if base.points else _NO_SHARES
        return Evaluation(base.points, shares, (), base, tuple(failed), basket.currency)
    gains = _gains(base, applying, basket, used)
    points = base.points + sum(gain.points for gain in gains)
    shares = _shares(base, gains, basket.partner_no)
    usage = tuple(
        Usage(gain.rule.root_no, period_name(cap.period, basket.local), gain.points)
        for gain in gains
        if gain.points
        for cap in gain.rule.caps
    )
    return Evaluation(points, shares, usage, base, (*gains, *failed), basket.currency)


def _applying(
    rules: ActiveRules, basket: Basket, candidates: tuple[Rule, ...]
) -> tuple[list[Rule], list[Gain]]:
    """Return the rules that apply, up to the first that stops, and those that cannot give anything.

    That is because they cannot be judged, or because who is to pay for them is in default.
    """
    applying: list[Rule] = []
    failed: list[Gain] = []
    known: cel.Activation | None = None
    reached = [
        rule
        for rule in candidates
        if rule.reaches(basket)
        and (
            (condition := rule.condition) is None
            or condition.comparisons is None
            or all_hold(condition.comparisons, basket)
        )
    ]
    for rule in reached:
        condition = rule.condition
        if condition is not None and condition.comparisons is None:
            if known is None:
                known = _known(reached, basket)
            verdict = condition.judge(known)
            if isinstance(verdict, str):
                rules.note_failure(rule, verdict)
                note = f"its condition could not be judged ({verdict})"
                failed.append(Gain(rule, 0, 0, 0, note=note))
            if verdict is not True:
                continue
        if rules.defaults and not rules.is_paid_for(rule, basket):
            failed.append(Gain(rule, 0, 0, 0, note=_UNPAID))
            continue
        applying.append(rule)
        if rule.combine is _STOP:
            break
    return applying, failed


def _known(reached: list[Rule], basket: Basket) -> cel.Activation:
    asked = {name for rule in reached if rule.condition for name in rule.condition.names}
    return conditions.known_of(basket, asked)


def _gains(base: Base, applying: list[Rule], basket: Basket, used: Used) -> list[Gain]:
    """Return what each rule gives, in order; of a group only the best."""
    replaced = {gain.rule.no: gain for gain in base.replaced}
    gains: list[Gain] = []
    groups: set[str] = set()
    total = base.points
    for rule in applying:
        if rule.combine is _BEST_OF:
            if rule.group in groups:
                continue
            groups.add(rule.group)
            rivals = [other for other in applying if other.group == rule.group]
            found = _best(
                [added_gain(rival, basket, base, total) for rival in rivals], basket, used
            )
            gains += found
            total += sum(gain.points for gain in found)
            continue
        if rule.combine is _REPLACES_BASE:
            gain = _capped(replaced[rule.no], basket, used)
        else:
            gain = _capped(added_gain(rule, basket, base, total), basket, used)
        gains.append(gain)
        total += gain.points
    return gains


def _best(uncapped: list[Gain], basket: Basket, used: Used) -> list[Gain]:
    """Return the gains of a group, of which only the best counts, of equals the first in order."""
    gains = [_capped(gain, basket, used) for gain in uncapped]
    best = max(gains, key=lambda gain: gain.points)
    note = f"{best.rule.name} counts instead, the best of its group"
    return [
        gain if gain is best else gain._replace(points=0, cap=None, note=note) for gain in gains
    ]


def _capped(gain: Gain, basket: Basket, used: Used) -> Gain:
    """Return the gain within its caps, and the cap that bit deepest."""
    rule = gain.rule
    if not rule.caps and rule.basket_cap is None:
        return gain
    points, bit, had = gain.points, None, 0
    if rule.basket_cap is not None and points > rule.basket_cap:
        points, bit = rule.basket_cap, Cap("basket", rule.basket_cap)
    for cap in rule.caps:
        before = used.get((rule.root_no, period_name(cap.period, basket.local)), 0)
        left = max(cap.most - before, 0)
        if points > left:
            points, bit, had = left, cap, before
    return gain if bit is None else gain._replace(points=points, cap=bit, used=had)


def _shares(base: Base, gains: list[Gain], issuer_no: int) -> tuple[Share, ...]:
    """Return whole points per rule and funder, by largest remainder, ties to the lower number."""
    shares = [Share(BASE, issuer_no, base.points)] if base.points else []
    for gain in gains:
        if gain.points:
            rule = gain.rule
            shares += _paid(rule.no, rule.funding, gain.points, issuer_no)
    return tuple(shares) if len(gains) == 1 else _added_up(shares)


def _added_up(shares: list[Share]) -> tuple[Share, ...]:
    """Return one share per rule and funder; a member's own bonuses all have one number."""
    totals: dict[tuple[int, int], int] = {}
    for share in shares:
        key = (share.rule_no, share.funder_no)
        totals[key] = totals.get(key, 0) + share.points
    return tuple(Share(*key, points) for key, points in totals.items())


# What a rule gives is mostly the same again, and of what varies little is kept.
@lru_cache(maxsize=4096)
def _paid(
    rule_no: int, funding: tuple[tuple[int, int], ...], points: int, issuer_no: int
) -> tuple[Share, ...]:
    """Return what of the points of a rule each funder pays for, without those who pay nothing."""
    payers, weights = _weights(funding, issuer_no)
    parts = zip(payers, split(points, weights), strict=True)
    return tuple(Share(rule_no, payer, part) for payer, part in parts if part)


@lru_cache(maxsize=1024)
def _weights(
    funding: tuple[tuple[int, int], ...], issuer_no: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return who pays, in the order of numbers, and by which weights."""
    weights: dict[int, int] = {}
    for funder, weight in funding:
        payer = issuer_no if funder == ISSUER else funder
        weights[payer] = weights.get(payer, 0) + weight
    payers = tuple(sorted(weights))
    return payers, tuple(weights[payer] for payer in payers)
