"""What goes back when lines of a purchase do: what remains is judged again, as of its own time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from coalition.points.bonuses.active import ActiveRules
from coalition.points.bonuses.compiled import Rule
from coalition.points.bonuses.evaluation import Basket, Evaluation, Line, evaluate
from coalition.points.commands import ReturnedLine
from coalition.points.purchases import KeptBasket, KeptLine
from coalition.points.refusals import LineReversed, UnknownLine
from coalition.points.rules import EarningRule, EarningRules
from coalition.points.terms import Terms
from coalition.points.usage import Counter

Quantities = Mapping[int, int]
"""How much of each line, by its number."""


class RulesOfThen(ActiveRules):
    """The very rule versions that a basket was judged by, whatever has begun or ended since."""

    def __init__(
        self, base: EarningRule | None, considered: Sequence[Rule], present: ActiveRules
    ) -> None:
        """Fix the base rate and the rules looked at, in their order; `present` logs failures."""
        super().__init__((), EarningRules([base] if base is not None else ()))
        self._considered = tuple(considered)
        self._present = present

    def candidates(self, _: Basket) -> tuple[Rule, ...]:
        """Return the rules that were looked at then, for any basket."""
        return self._considered

    def note_failure(self, rule: Rule, why: str) -> None:
        """Log it among those of today's rules: once, however many baskets come back."""
        self._present.note_failure(rule, why)


class Taken(NamedTuple):
    """Lines that go back, and as many points as go with them."""

    back: dict[int, int]
    points: int
    by_funder: dict[int, int]
    """What each funder had paid for and the rest does not earn any more."""
    still_used: dict[Counter, int]
    """What the rest uses of the counters of caps."""
    is_too_late: bool
    """Whether its lines had earned something and all points were reversed without them."""


class Book:
    """A basket while its lines go back: what went before, and what the rest still earns."""

    def __init__(self, kept: KeptBasket, left: int, rules: RulesOfThen, terms: Terms) -> None:
        """Open the book of a basket of whose points `left` are not reversed yet."""
        self.kept = kept
        self._left = left
        self._gone = {line.no: line.returned for line in kept.lines}
        self._rules = rules
        self._terms = terms
        self._verdict = still_earned(kept, self._gone, rules, terms)

    def take(self, wanted: Sequence[ReturnedLine], points: int | None = None) -> Taken:
        """Return what goes back with the lines `wanted`: their points, or exactly `points`.

        Theirs is what is not reversed yet, less what the rest still earns; so the returns of all
        lines add up to all points, in whatever order they come. Raises `UnknownLine` and
        `LineReversed`, and nothing is taken then.
        """
        back = going_back(self.kept, self._gone, wanted)
        before = self._verdict
        self._gone = {no: gone + back.get(no, 0) for no, gone in self._gone.items()}
        self._verdict = still_earned(self.kept, self._gone, self._rules, self._terms)
        is_too_late = self._left == 0 and before is not None and before.points > 0
        if points is None:
            points = max(self._left - (self._verdict.points if self._verdict else 0), 0)
        self._left = max(self._left - points, 0)
        rest = _by_funder(self._verdict)
        given_up = {
            funder: paid - rest.get(funder, 0)
            for funder, paid in _by_funder(before).items()
            if paid > rest.get(funder, 0)
        }
        return Taken(back, points, given_up, _used_by(self._verdict), is_too_late)


def rules_of_then(kept: KeptBasket, terms: Terms, personal: Collection[Rule]) -> RulesOfThen:
    """Return the rules by which `kept` was judged; `personal` are all bonuses of its member."""
    then = kept.circumstances
    base = None if kept.base_rule_no is None else terms.rules.numbered(kept.base_rule_no)
    considered = [terms.active.numbered(no) for no in then.considered]
    considered += [rule for rule in personal if rule.code in then.personal]
    return RulesOfThen(base, considered, terms.active)


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


def _by_funder(verdict: Evaluation | None) -> dict[int, int]:
    paid: dict[int, int] = {}
    for share in verdict.shares if verdict else ():
        paid[share.funder_no] = paid.get(share.funder_no, 0) + share.points
    return paid


def _used_by(verdict: Evaluation | None) -> dict[Counter, int]:
    return {(use.rule_no, use.period): use.points for use in (verdict.usage if verdict else ())}


def _left_of(line: KeptLine, gone: int) -> Line:
    amount = line.amount_minor - line.amount_minor * gone // line.quantity
    return Line(line.no, amount, line.category, line.sku, line.quantity - gone)


def _local(instant: datetime, terms: Terms) -> datetime:
    return instant.astimezone(terms.catalogue.zone)
