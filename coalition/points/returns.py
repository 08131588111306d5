"""What goes back when lines of a purchase do: what remains is judged again, as of its own time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from coalition.points.bonuses.active import ActiveRules
from coalition.points.bonuses.compiled import Rule
from coalition.points.bonuses.evaluation import Basket, Evaluation, Line, evaluate
from coalition.points.commands import ReturnedLine
from coalition.points.purchases import KeptBasket, KeptLine
from coalition.points.refusals import LineReversed, UnknownLine
from coalition.points.rules import EarningRule, EarningRules
from coalition.points.terms import Terms

Quantities = Mapping[int, int]
"""How much of each line, by its number."""


class RulesOfThen(ActiveRules):
    """The very rule versions that a basket was judged by, whatever has begun or ended since."""

    def __init__(self, base: EarningRule | None, considered: Sequence[Rule]) -> None:
        """Fix the base rate and the rules that were looked at, in their order."""
        super().__init__((), EarningRules([base] if base is not None else ()))
        self._considered = tuple(considered)

    def candidates(self, _: Basket) -> tuple[Rule, ...]:
        """Return the rules that were looked at then, for any basket."""
        return self._considered


def rules_of_then(kept: KeptBasket, terms: Terms, personal: Collection[Rule]) -> RulesOfThen:
    """Return the rules by which `kept` was judged; `personal` are all bonuses of its member."""
    then = kept.circumstances
    base = None if kept.base_rule_no is None else terms.rules.numbered(kept.base_rule_no)
    considered = [terms.active.numbered(no) for no in then.considered]
    considered += [rule for rule in personal if rule.code in then.personal]
    return RulesOfThen(base, considered)


def going_back(
    kept: KeptBasket, gone: Quantities, wanted: Sequence[ReturnedLine]
) -> dict[int, int]:
    """Return how much of each line goes back, of those of which `gone` went before.

    Raises `UnknownLine` and `LineReversed`.
    """
    lines = {line.no: line for line in kept.lines}
    back: dict[int, int] = {}
    for position, one in enumerate(wanted):
        line = lines.get(one.no)
        where = f"/lines/{position}/no"
        if line is None:
            raise UnknownLine(
                f"the purchase has {len(lines)} lines and none with the number {one.no}",
                errors=[{"pointer": where, "detail": "no such line"}],
            )
        left = line.quantity - gone.get(one.no, 0) - back.get(one.no, 0)
        quantity = left if one.quantity is None else one.quantity
        if not 0 < quantity <= left:
            raise LineReversed(
                f"{left} of line {one.no} have not gone back yet; return at most that",
                line=one.no,
                remaining=left,
                errors=[{"pointer": where, "detail": "reversed already"}],
            )
        back[one.no] = back.get(one.no, 0) + quantity
    return back


def remaining(kept: KeptBasket, gone: Quantities, terms: Terms) -> Basket | None:
    """Return the basket that is left when `gone` of its lines went back; None: nothing is left.

    Of a line that went back in part, what its returned part cost is rounded down.
    """
    lines = tuple(_left_of(line, gone.get(line.no, 0)) for line in kept.lines)
    amount = kept.amount_minor - sum(
        line.amount_minor - left.amount_minor for line, left in zip(kept.lines, lines, strict=True)
    )
    lines = tuple(line for line in lines if line.quantity)
    if not lines and amount == 0:
        return None
    then = kept.circumstances
    return Basket(
        partner_no=kept.partner_no,
        occurred_at=kept.occurred_at,
        local=_local(kept.occurred_at, terms),
        currency=kept.currency,
        amount_minor=amount,
        store=None if kept.store_no is None else terms.catalogue.store_by_no(kept.store_no).code,
        lines=lines,
        measures=then.measures,
        tier=then.tier,
        plan=then.plan,
        segments=then.segments,
        flags=then.flags,
    )


def still_earned(
    kept: KeptBasket, gone: Quantities, rules: RulesOfThen, terms: Terms
) -> Evaluation | None:
    """Return what the rest earns by the rules, standings and counters of then; None is nothing."""
    basket = remaining(kept, gone, terms)
    if basket is None:
        return None
    used = {(rule_no, period): points for rule_no, period, points in kept.circumstances.used}
    return evaluate(rules, basket, used)


def described(back: Quantities) -> str:
    """Return the reason of a return for which the partner gave none."""
    named = ", ".join(f"{quantity} of line {no}" for no, quantity in sorted(back.items()))
    return f"returned: {named}"


def _left_of(line: KeptLine, gone: int) -> Line:
    amount = line.amount_minor - line.amount_minor * gone // line.quantity
    return Line(line.no, amount, line.category, line.sku, line.quantity - gone)


def _local(instant: datetime, terms: Terms) -> datetime:
    return instant.astimezone(terms.catalogue.zone)
