"""What is asked of a member that redeems: whose points its role spends, for whom, and how many."""

from collections.abc import Iterator

from coalition.families.evaluator.acts import Failure, Place
from coalition.families.evaluator.belonging import takes_from_others
from coalition.families.evaluator.predicates import Case, Predicate
from coalition.families.rule_sets.notation import Group, RuleSet, SpendRule
from coalition.families.rule_sets.vocabulary import Mechanism, Scope

_OWN = SpendRule(scope=Scope.OWN)
_FACTS = ("actor.balance", "actor_place.role", "actor_place.kind", "actor_place.may_spend")


def spend_rule(group: Group, place: Place | None) -> tuple[str, SpendRule]:
    """Return under which word a group says what somebody spends, and what: by role, kind, member.

    Whoever is not named spends its own points.
    """
    if place is not None:
        for word in (place.role, place.kind.value):
            if word in group.spend:
                return word, group.spend[word]
    return "member", group.spend.get("member", _OWN) if place is not None else _OWN


def may_spend_pool(group: Group, place: Place | None) -> bool:
    """Tell whether somebody spends the whole pool, by its role and unless that was taken away."""
    return spend_rule(group, place)[1].scope is Scope.POOL and (
        place is not None and place.may_spend
    )


def of_redeeming(rule_set: RuleSet) -> Iterator[Predicate]:
    """Yield what the part `group` asks of who spends what."""
    group = rule_set.group
    yield Predicate(lambda case: _scope(group, case), _FACTS)
    yield Predicate(lambda case: _for_self(group, case), (*_FACTS, "act.for_self"))
    yield Predicate(lambda case: _right(group, case), _FACTS)


def balance(rule_set: RuleSet) -> Predicate:
    """Return that what is spent is there, by the scope of who spends."""
    return Predicate(lambda case: _there(rule_set, case), (*_FACTS, "group.pool"))


def _scope(group: Group, case: Case) -> Failure | None:
    word, rule = spend_rule(group, case.parties.actor_place)
    if rule.scope is Scope.POOL or (rule.scope is Scope.OWN and not takes_from_others(case)):
        return None
    limit = rule.scope.value
    return Failure(rule=f"group.spend.{word}.scope", limit=limit, used=case.act.points)


def _for_self(group: Group, case: Case) -> Failure | None:
    word, rule = spend_rule(group, case.parties.actor_place)
    if case.act.for_self or not rule.only_for_self:
        return None
    return Failure(rule=f"group.spend.{word}.only_for_self", limit=None, used=None)


def _right(group: Group, case: Case) -> Failure | None:
    """Judge that the head has given, or not taken away, the right to spend the pool."""
    place = case.parties.actor_place
    word, rule = spend_rule(group, place)
    if place is None or place.may_spend or rule.scope is not Scope.POOL:
        return None
    if not takes_from_others(case):
        return None
    name = "by_grant" if rule.by_grant else "revocable"
    return Failure(rule=f"group.spend.{word}.{name}", limit=None, used=None)


def _there(rule_set: RuleSet, case: Case) -> Failure | None:
    _, rule = spend_rule(rule_set.group, case.parties.actor_place)
    there, group = case.parties.actor.balance, case.parties.group
    if rule.scope is Scope.POOL and group is not None:
        is_apart = rule_set.mechanism is Mechanism.POOL_ACCOUNT
        there = there + group.pool if is_apart else max(there, group.pool)
    asked = case.act.points + case.fee_points
    return None if asked <= there else Failure(rule="balance", limit=there, used=asked)
