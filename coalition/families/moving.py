"""What is asked of points that move: how many, which, what for, and whether they are there."""

from collections.abc import Iterator

from coalition.families.acts import Failure
from coalition.families.predicates import Case, Predicate
from coalition.families.rule_sets import RuleSet
from coalition.families.vocabulary import Event


def of_transfer(rule_set: RuleSet) -> Iterator[Predicate]:
    """Yield what a rule set asks of a transfer, in the order of the notation."""
    rule = rule_set.transfer
    least, most, step = rule.min, rule.max, rule.step
    if least is not None:
        yield Predicate(
            lambda case: _bound("transfer.min", least, case) if case.act.points < least else None
        )
    if most is not None:
        yield Predicate(
            lambda case: _bound("transfer.max", most, case) if case.act.points > most else None
        )
    if step is not None:
        yield Predicate(
            lambda case: _bound("transfer.step", step, case) if case.act.points % step else None
        )
    if rule.purpose == "named_reward":
        yield Predicate(_purpose, ("act.purpose",))
    if not rule.may_move_on:
        yield Predicate(_may_move_on, ("act.received", "actor.balance"))
    if rule.lots is not None:
        yield Predicate(
            lambda case: _lots("transfer.lots", case), ("actor.transferable", "actor.balance")
        )


def _bound(rule: str, limit: int, case: Case) -> Failure:
    return Failure(rule=rule, limit=limit, used=case.act.points)


def _purpose(case: Case) -> Failure | None:
    if case.act.purpose:
        return None
    return Failure(rule="transfer.purpose", limit="named_reward", used=None)


def _may_move_on(case: Case) -> Failure | None:
    received, points = case.act.received, case.act.points
    may_move = case.parties.actor.balance - received
    if not received or points <= may_move:
        return None
    return Failure(rule="transfer.may_move_on", limit=max(may_move, 0), used=points)


def _lots(rule: str, case: Case) -> Failure | None:
    actor, points = case.parties.actor, case.act.points
    may_move = actor.transferable
    if may_move is None or may_move >= actor.balance or points <= may_move:
        return None
    return Failure(rule=rule, limit=may_move, used=points)


def balance(event: Event) -> Iterator[Predicate]:
    """Yield that the points, and a fee in points beside them, are there."""
    if event in {Event.TRANSFER, Event.CONTRIBUTE}:
        yield Predicate(lambda case: _there(case, case.act.points), ("actor.balance",))
    elif event is not Event.REDEEM:
        yield Predicate(lambda case: _there(case, 0), ("actor.balance",))


def _there(case: Case, points: int) -> Failure | None:
    asked, there = points + case.fee_points, case.parties.actor.balance
    return None if asked <= there else Failure(rule="balance", limit=there, used=asked)
