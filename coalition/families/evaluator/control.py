"""Who has to agree, how long points wait, and on which days nothing moves."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from coalition.families.evaluator import windows
from coalition.families.evaluator.acts import Failure
from coalition.families.evaluator.predicates import Case, Check, Predicate, is_minor
from coalition.families.rule_sets.notation import Control, RuleSet
from coalition.families.rule_sets.vocabulary import Approver, Event

STEP_UP_HOLDS = timedelta(minutes=5)
"""For how long after giving its password a member counts as having just done so."""

_DAY = timedelta(days=1)
_NEVER_OVER = date.max - _DAY
"""A blackout through this day or the next, the last that there is, has no day after it."""
_MOVES = frozenset({Event.TRANSFER, Event.CONTRIBUTE})


class _Days(NamedTuple):
    """Days, both included."""

    first: date
    last: date


def predicates(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield what the part `control` asks of points that move."""
    control = rule_set.control
    if event not in _MOVES:
        return
    if control.step_up_above is not None:
        yield Predicate(_step_up(control.step_up_above), ("act.stepped_up_at",))
    if control.blackouts:
        days = [
            _Days(date.fromisoformat(one.first), date.fromisoformat(one.last))
            for one in control.blackouts
        ]
        yield Predicate(_blackouts(sorted(days)))


def facts(rule_set: RuleSet, event: Event) -> Iterator[str]:
    """Yield what decides on approvals and holds."""
    control = rule_set.control
    if event is not Event.TRANSFER:
        return
    if any(one.by is Approver.GUARDIAN for one in control.approvals):
        yield from ("actor.born", "actor_place.kind")
    if control.hold.new_receiver_hours:
        yield "act.new_receiver"
    if control.hold.new_device_hours:
        yield "act.new_device"


def approvals(rule_set: RuleSet, case: Case) -> tuple[Approver, ...]:
    """Return who has to agree to a transfer, in the order of the rules, each once."""
    if case.act.event is not Event.TRANSFER:
        return ()
    asked = (
        one.by
        for one in rule_set.control.approvals
        if case.act.points > one.above and _has_a_say(one.by, rule_set, case)
    )
    return tuple(dict.fromkeys(asked))


def hold_hours(control: Control, case: Case) -> int:
    """Return how long points wait before they arrive: the longer of the two waits."""
    act = case.act
    if act.event is not Event.TRANSFER:
        return 0
    of_receiver = control.hold.new_receiver_hours if act.new_receiver else 0
    of_device = control.hold.new_device_hours if act.new_device else 0
    return max(of_receiver, of_device)


def _has_a_say(approver: Approver, rule_set: RuleSet, case: Case) -> bool:
    """Tell whether there is such an approver: minors have guardians, and nobody asks itself."""
    parties = case.parties
    if approver is Approver.GUARDIAN:
        adult_from = rule_set.group.adult_from
        return is_minor(parties.actor, parties.actor_place, adult_from=adult_from, today=case.today)
    if approver is Approver.HEAD:
        return parties.head is not None and parties.head.member != parties.actor.member
    return True


def _step_up(above: int) -> Check:
    def check(case: Case) -> Failure | None:
        act = case.act
        is_fresh = act.stepped_up_at is not None and act.at - act.stepped_up_at < STEP_UP_HOLDS
        if act.points <= above or is_fresh:
            return None
        return Failure(rule="control.step_up_above", limit=above, used=act.points)

    return check


def _blackouts(ascending: list[_Days]) -> Check:
    def check(case: Case) -> Failure | None:
        free, last = case.today, None
        for days in ascending:
            if days.first <= free <= days.last:
                last = days.last
                free = min(last, _NEVER_OVER) + _DAY
        if last is None:
            return None
        return Failure(
            rule="control.blackouts",
            limit=last.isoformat(),
            used=case.today.isoformat(),
            next_possible_at=windows.start_of(free, case.zone) if last < _NEVER_OVER else None,
        )

    return check
