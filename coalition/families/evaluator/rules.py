"""Judges an act by a rule set: which facts that takes, and every reason against it, all at once.

`needs` and `wanted_usage` say what has to be read; `evaluate` answers with all failures in the
order of the notation and with what goes with the act. A preview and the act itself ask the same
function. No rule set allows nothing: that is refused before anybody asks here.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.evaluator import (
    belonging,
    changing,
    control,
    counting,
    eligibility,
    fees,
    limits,
    moving,
    spending,
    windows,
)
from coalition.families.evaluator.acts import (
    Act,
    FeeDue,
    Parties,
    Usage,
    UsageMade,
    UsageWanted,
    Verdict,
)
from coalition.families.evaluator.predicates import Case, Check, Predicate
from coalition.families.evaluator.relations import relationship_between
from coalition.families.evaluator.shares import proportional
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event

__all__ = [
    "Needs",
    "effective",
    "evaluate",
    "needs",
    "proportional",
    "relationship_between",
    "wanted_usage",
]


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """Which facts an event takes: `facts` are fields, such as `actor.balance` or `act.purpose`.

    Beside them, whether any of some fields is read of any party.
    """

    facts: frozenset[str]
    personal: bool
    """What is sealed of a person: birth, country, address and name."""
    standings: bool
    """Tier, plan, segments and flags."""
    earned: bool
    """What was earned, and when."""
    cases: bool
    """Whether a case is open."""


_FIELDS = {
    "personal": ("born", "country", "address", "address_registered", "name"),
    "standings": ("tier", "plan", "segments", "flags"),
    "earned": ("earned", "active_months", "was_active"),
    "cases": ("has_open_case",),
}


class _Plan:
    """A rule set made ready for one event."""

    def __init__(self, rule_set: RuleSet, event: Event) -> None:
        self.rule_set = rule_set
        asked = tuple(_predicates(rule_set, event))
        self.checks: tuple[Check, ...] = tuple(one.check for one in asked)
        asked_beside = frozenset(control.facts(rule_set, event))
        self.facts = asked_beside.union(*(one.facts for one in asked))
        self.caps = limits.caps(rule_set, event)
        self.session_hours = counting.change_session_hours(rule_set)
        self.fees = tuple(fee for fee in rule_set.fees if fee.on is event)


class _Ready:
    """A rule set with its variants, plans and needs, each made when it is first asked for."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.zone = None if rule_set.timezone is None else ZoneInfo(rule_set.timezone)
        self._variants: dict[tuple[int, ...], RuleSet] = {(): rule_set}
        self._plans: dict[tuple[tuple[int, ...], Event], _Plan] = {}
        self._needs: dict[Event, Needs] = {}

    def variant(self, act: Act, parties: Parties) -> tuple[tuple[int, ...], RuleSet]:
        """Return the changes that hold, and the rule set with them."""
        changes = self.rule_set.changes
        positions = changing.which(changes, parties, act.channel) if changes else ()
        if positions not in self._variants:
            self._variants[positions] = changing.changed(self.rule_set, positions)
        return positions, self._variants[positions]

    def plan(self, act: Act, parties: Parties) -> _Plan:
        """Return what these parties are asked at this event."""
        positions, rule_set = self.variant(act, parties)
        plan = self._plans.get((positions, act.event))
        if plan is None:
            plan = self._plans[positions, act.event] = _Plan(rule_set, act.event)
        return plan

    def needs(self, event: Event) -> Needs:
        """Return the facts that an event takes under any of the variants."""
        if event not in self._needs:
            facts = frozenset().union(*_facts(self.rule_set, event))
            fields = {fact.partition(".")[2] for fact in facts}
            flags = {name: not fields.isdisjoint(of) for name, of in _FIELDS.items()}
            self._needs[event] = Needs(facts=facts, **flags)
        return self._needs[event]


class _Same:
    """A rule set told apart by which object it is: it is read from a book once and kept."""

    __slots__ = ("rule_set",)

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set

    def __hash__(self) -> int:
        return id(self.rule_set)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.rule_set is other.rule_set


@lru_cache(maxsize=256)
def _ready(same: _Same) -> _Ready:
    return _Ready(same.rule_set)


def needs(rule_set: RuleSet, event: Event) -> Needs:
    """Return which facts have to be read to judge an event."""
    return _ready(_Same(rule_set)).needs(event)


def effective(rule_set: RuleSet, act: Act, parties: Parties) -> RuleSet:
    """Return the rule set with the numbers that these parties have by tier, plan or segment.

    It is the very same object for all who have the same changes.
    """
    return _ready(_Same(rule_set)).variant(act, parties)[1]


def wanted_usage(
    rule_set: RuleSet, act: Act, parties: Parties, zone: ZoneInfo
) -> list[UsageWanted]:
    """Return which days of usage have to be known; `zone` holds unless the rule set has its own.

    What a whole life long is counted is wanted under the one day `LIFETIME`, apart.
    """
    ready = _ready(_Same(rule_set))
    zone = ready.zone or zone
    today = windows.local_day(act.at, zone)
    return limits.wanted(ready.plan(act, parties).caps, parties, act, today, zone)


def evaluate(
    rule_set: RuleSet, act: Act, parties: Parties, usage: Usage, zone: ZoneInfo
) -> Verdict:
    """Return every reason against an act in the order of the notation, and what goes with it.

    `zone` holds unless the rule set has its own; instants in failures are in it. The caller has
    read what `needs` and `wanted_usage` name; what is not there counts as unknown, or as unused.
    """
    ready = _ready(_Same(rule_set))
    plan = ready.plan(act, parties)
    zone = ready.zone or zone
    today = windows.local_day(act.at, zone)
    starts_session = not counting.goes_freely(
        plan.rule_set, act
    ) and counting.starts_change_session(act, parties.group, plan.session_hours)
    due = fees.due(plan.fees, act, parties, starts_session=starts_session) if plan.fees else ()
    own_points = _own_points(due, parties) if due else 0
    case = Case(act, parties, usage, zone, today, own_points, starts_session)
    failures = tuple(failure for check in plan.checks if (failure := check(case)) is not None)
    rules = plan.rule_set
    return Verdict(
        failures=failures,
        fees=due,
        approvals=control.approvals(rules, case),
        needs_step_up=any(failure.rule == "control.step_up_above" for failure in failures),
        hold_hours=control.hold_hours(rules.control, case),
        undo_hours=rules.control.undo_hours,
        expiry=rules.expiry.treatment,
        expiry_months=rules.expiry.months,
        activity=rules.expiry.counts_as_activity,
        usage=() if failures else _usage(plan, case),
        starts_change_session=starts_session,
    )


def _predicates(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield all that an event is asked, in the order of the notation; what it takes last."""
    yield from moving.between(rule_set, event)
    yield from belonging.of_group(rule_set, event)
    if event is Event.REDEEM:
        yield from spending.of_redeeming(rule_set)
    yield from eligibility.predicates(rule_set, event)
    yield from belonging.of_join(rule_set, event)
    yield from moving.of_contribution(rule_set, event)
    if event is Event.TRANSFER:
        yield from moving.of_transfer(rule_set)
    yield from limits.predicates(rule_set, event)
    yield from fees.predicates(rule_set, event)
    yield from belonging.of_exits(rule_set, event)
    yield from control.predicates(rule_set, event)
    yield spending.balance(rule_set) if event is Event.REDEEM else moving.balance(event)


def _facts(rule_set: RuleSet, event: Event) -> Iterator[frozenset[str]]:
    yield _Plan(rule_set, event).facts
    for position, change in enumerate(rule_set.changes):
        yield fees.standing_facts(change.when, change.of)
        yield _Plan(changing.changed(rule_set, (position,)), event).facts


def _usage(plan: _Plan, case: Case) -> tuple[UsageMade, ...]:
    """Return what an act adds to usage; a redemption, made at a till, only where it is capped."""
    if case.act.event is Event.REDEEM and not plan.caps:
        return ()
    return counting.made(case.act, case.parties, case.today, starts_session=case.starts_session)


def _own_points(due: Iterable[FeeDue], parties: Parties) -> int:
    """Return what whoever acts pays in points."""
    payers = ((fee.points or 0, fees.meant(parties, fee.payer)) for fee in due)
    actor = parties.actor.member
    return sum(points for points, payer in payers if payer is not None and payer.member == actor)
