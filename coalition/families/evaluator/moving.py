"""What is asked of points that move: between whom, how many, which, and whether they are there."""

from collections.abc import Iterator

from coalition.families.evaluator.acts import Failure
from coalition.families.evaluator.predicates import Case, Check, Predicate
from coalition.families.evaluator.relations import relationship_between
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Direction, Event, Mechanism, Role

_ALLOWED = {
    Event.TRANSFER: frozenset({Mechanism.P2P, Mechanism.HEAD_PULL}),
    Event.CONTRIBUTE: frozenset({Mechanism.POOL_ACCOUNT}),
}
"""By which mechanisms points move at all by an act of that kind."""

_PARENTS = frozenset({"parent", "step_parent", "foster_parent", "guardian"})
_PLACES = ("act.relationship", "actor_place.role", "receiver_place.role")


def between(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield whether the mechanism knows such an act, and its direction."""
    allowed = _ALLOWED.get(event)
    if allowed is not None and rule_set.mechanism not in allowed:
        failure = Failure(rule="mechanism", limit=rule_set.mechanism.value, used=event.value)
        yield Predicate(lambda _case: failure)
    direction = rule_set.direction
    if direction is Direction.ANY and rule_set.mechanism is Mechanism.HEAD_PULL:
        direction = Direction.MEMBER_TO_HEAD
    if event is Event.TRANSFER and direction is not Direction.ANY:
        yield Predicate(_direction(direction), _PLACES)


def of_contribution(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield what the part `contribution` asks of points brought in and of shares chosen."""
    rule = rule_set.contribution
    if event is Event.CONTRIBUTE:
        if not rule.manual and rule.existing == "none":
            yield Predicate(
                lambda _case: Failure(rule="contribution.manual", limit=None, used=None)
            )
        if rule.lots is not None:
            yield _lots("contribution.lots")
    elif event in {Event.JOIN, Event.CHANGE}:
        yield Predicate(_future_percent(rule.future_percent), ("act.future_percent",))


def of_transfer(rule_set: RuleSet) -> Iterator[Predicate]:
    """Yield what the part `transfer` asks, in the order of the notation."""
    rule = rule_set.transfer
    least, most, step = rule.min, rule.max, rule.step
    if least is not None:
        yield Predicate(lambda case: _size("min", least, case, fails=case.act.points < least))
    if most is not None:
        yield Predicate(lambda case: _size("max", most, case, fails=case.act.points > most))
    if step is not None:
        yield Predicate(lambda case: _size("step", step, case, fails=case.act.points % step > 0))
    if rule.purpose == "named_reward":
        yield Predicate(_purpose, ("act.purpose",))
    if not rule.may_move_on:
        yield Predicate(_may_move_on, ("act.received", "actor.balance"))
    if rule.lots is not None:
        yield _lots("transfer.lots")


def balance(event: Event) -> Predicate:
    """Return that the points, and a fee in points beside them, are there."""
    if event in _ALLOWED:
        return Predicate(lambda case: _there(case, case.act.points), ("actor.balance",))
    return Predicate(lambda case: _there(case, 0), ("actor.balance",))


def _direction(direction: Direction) -> Check:
    def check(case: Case) -> Failure | None:
        if _goes(direction, case):
            return None
        return Failure(rule="direction", limit=direction.value, used=None)

    return check


def _goes(direction: Direction, case: Case) -> bool:
    """Tell whether points go in a direction. A spouse of the head is a parent of its children."""
    sender, receiver = case.parties.actor_place, case.parties.receiver_place
    if direction is Direction.CHILD_TO_PARENT:
        word = case.act.relationship
        if sender is not None and receiver is not None:
            word = relationship_between(sender.role, receiver.role) or word
        return word in _PARENTS
    if sender is None or receiver is None:
        return False
    return direction is Direction.WITHIN_GROUP or receiver.role == Role.HEAD


def _size(name: str, limit: int, case: Case, *, fails: bool) -> Failure | None:
    if not fails:
        return None
    return Failure(rule=f"transfer.{name}", limit=limit, used=case.act.points)


def _purpose(case: Case) -> Failure | None:
    if case.act.purpose:
        return None
    return Failure(rule="transfer.purpose", limit="named_reward", used=None)


def _may_move_on(case: Case) -> Failure | None:
    received, points = case.act.received, case.act.points
    may_move = max(case.parties.actor.balance - received, 0)
    if not received or points <= may_move:
        return None
    return Failure(rule="transfer.may_move_on", limit=may_move, used=points)


def _lots(rule: str) -> Predicate:
    def check(case: Case) -> Failure | None:
        actor, points = case.parties.actor, case.act.points
        may_move = actor.transferable
        if may_move is None or may_move >= actor.balance or points <= may_move:
            return None
        return Failure(rule=rule, limit=may_move, used=points)

    return Predicate(check, ("actor.transferable", "actor.balance"))


def _future_percent(offered: tuple[int, ...]) -> Check:
    limit = ", ".join(str(percent) for percent in offered) or "0"

    def check(case: Case) -> Failure | None:
        chosen = case.act.future_percent
        if chosen is None or chosen in offered or (chosen == 0 and not offered):
            return None
        return Failure(rule="contribution.future_percent", limit=limit, used=chosen)

    return check


def _there(case: Case, points: int) -> Failure | None:
    asked, there = points + case.fee_points, case.parties.actor.balance
    return None if asked <= there else Failure(rule="balance", limit=there, used=asked)
