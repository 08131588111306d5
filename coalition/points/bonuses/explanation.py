"""Why a basket earned what it did, in sentences for the till."""

from coalition.points.bonuses.arithmetic import Base, Gain
from coalition.points.bonuses.compiled import Rule
from coalition.points.bonuses.documents import Bonus, Multiplier, PerMeasure, Rate
from coalition.points.rules import ROUNDING_TEXT, Reason, decimal_text, explain

_PERIOD_TEXT = {
    "basket": "a basket",
    "day": "a day",
    "week": "a week",
    "month": "a month",
    "year": "a year",
    "campaign": "in all",
}


def reasons(base: Base, gains: tuple[Gain, ...], currency: str) -> list[Reason]:
    """Return the base rate's reason first, then one for each rule that gave or might have given."""
    found = []
    if base.rate is not None and (base.points or not base.replaced):
        found.append(explain(base.amount_minor, base.rate, base.points))
    found += [_of(gain, currency) for gain in gains if gain.uncapped or gain.note]
    return found


def rule_name(rule: Rule) -> str:
    """Return how a reason names a rule version: rule:weekend-fruit@2, or a member's own bonus."""
    if rule.version == 0:
        return f"bonus:{rule.code}"
    return f"rule:{rule.code}@{rule.version}"


def _of(gain: Gain, currency: str) -> Reason:
    rule = gain.rule
    if gain.note:
        return Reason(rule_name(rule), 0, f"{rule.name}: nothing, {gain.note}")
    text = f"{rule.name}: {_how(gain, currency)}"
    if gain.cap is not None:
        text += f"; {_cap_text(gain)}"
    return Reason(rule_name(rule), gain.points, text)


def _how(gain: Gain, currency: str) -> str:
    rule, effect = gain.rule, gain.rule.effect
    if isinstance(effect, Multiplier):
        of = "so far" if effect.of == "so_far" else "of the base rate"
        scope = _scope(rule)
        text = f"{effect.factor} times the {_points(gain.counted)} {of}{scope}"
        rounds = (gain.counted * rule.extra[0]) % rule.extra[1] != 0
        text += f", {ROUNDING_TEXT[rule.rounding]}" if rounds else ""
        return f"{text}, so {gain.uncapped} more"
    if isinstance(effect, Rate):
        per = decimal_text(effect.per_minor, currency)
        amount = decimal_text(gain.counted, currency)
        return (
            f"{_points(effect.points)} per {per} {currency} of {amount} {currency}{_scope(rule)}, "
            f"{ROUNDING_TEXT[rule.rounding]}"
        )
    if isinstance(effect, PerMeasure):
        per = f"{effect.measure}" if effect.per == 1 else f"{effect.per} {effect.measure}"
        return f"{_points(effect.points)} per {per} of {gain.counted}{_scope(rule)}"
    return _bonus(effect, gain)


def _bonus(effect: Bonus, gain: Gain) -> str:
    scope = _scope(gain.rule)
    if effect.per == "basket":
        return f"{_points(effect.points)} for the basket{scope}"
    return f"{_points(effect.points)} for each of {gain.counted} {effect.per}s{scope}"


def _cap_text(gain: Gain) -> str:
    assert gain.cap is not None, "only what was capped has a text for it"
    text = f"capped at {_points(gain.cap.most)} {_PERIOD_TEXT[gain.cap.period]}"
    return f"{text}, of which {gain.used} were used" if gain.used else text


def _scope(rule: Rule) -> str:
    return f" for {', '.join(sorted(rule.categories))}" if rule.categories else ""


def _points(number: int) -> str:
    return f"{number} point" if number == 1 else f"{number} points"
