"""What is asked of who joins, leaves or changes a group: room, places that stay empty, and time.

Adults and minors together are the members; infants and nominees are counted apart. An open
invitation takes a place as if it had been accepted.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from coalition.families.evaluator import windows
from coalition.families.evaluator.acts import Failure, GroupFacts
from coalition.families.evaluator.predicates import Case, Check, Predicate, is_minor
from coalition.families.rule_sets.notation import Bounds, Group, RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind

_KINDS = {
    "members": (Kind.ADULT, Kind.MINOR),
    "adults": (Kind.ADULT,),
    "minors": (Kind.MINOR,),
    "infants": (Kind.INFANT,),
    "nominees": (Kind.NOMINEE,),
}
"""By the bounds of a group whom they count, in the order of the notation."""

_ROOM = ("group.counts", "group.open_invitations")


def of_group(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield what the part `group` asks, but for who spends what."""
    yield Predicate(_is_settled, ("group.is_frozen",))
    if event is Event.JOIN:
        yield from _of_room(rule_set.group)
    elif event in {Event.CONTRIBUTE, Event.REDEEM}:
        for name, bounds in _bounds(rule_set.group):
            if bounds.min:
                yield Predicate(_least(name, bounds.min), ("group.counts", "actor.balance"))
    elif event is Event.TRANSFER and rule_set.group.minors_only_in_group:
        yield Predicate(_minors_only_in_group(rule_set.group.adult_from), ("actor.born",))


def of_join(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield what the part `join` asks: how long after leaving, joining or another's leaving."""
    join = rule_set.join
    if event is Event.JOIN:
        if join.cooldown_days:
            yield Predicate(_cooldown(join.cooldown_days), ("actor.left_at",))
        if join.slot_cooldown_days:
            yield Predicate(_slots(join.slot_cooldown_days, rule_set.group), ("group.left", *_ROOM))
    elif event in {Event.LEAVE, Event.CHANGE} and join.lock_in_days:
        self_removal = rule_set.exits.self_removal
        yield Predicate(_lock_in(join.lock_in_days, self_removal), ("actor_place.joined_at",))
    elif event in {Event.REDEEM, Event.TRANSFER} and join.freeze_hours:
        yield Predicate(_freeze(join.freeze_hours), ("actor_place.joined_at", "actor.balance"))


def of_exits(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield whether a member may take itself out."""
    if event is Event.LEAVE and rule_set.exits.self_removal == "head_only":
        yield Predicate(_head_only)


def takes_from_others(case: Case) -> bool:
    """Tell whether more is redeemed than is the member's own."""
    return case.act.points > case.parties.actor.balance


def _bounds(group: Group) -> Iterator[tuple[str, Bounds]]:
    for name in _KINDS:
        yield name, getattr(group, name)


def _count(facts: GroupFacts, name: str) -> int:
    return sum(facts.counts.get(kind, 0) for kind in _KINDS[name])


def _taken(facts: GroupFacts | None, name: str) -> int:
    """Return how many places are taken, or promised by an invitation."""
    if facts is None:
        return 0
    invited = sum(facts.open_invitations.get(kind, 0) for kind in _KINDS[name])
    return _count(facts, name) + invited


def _is_settled(case: Case) -> Failure | None:
    group, event = case.parties.group, case.act.event
    if group is None or not group.is_frozen:
        return None
    if event is Event.REDEEM and not takes_from_others(case):
        return None
    return Failure(rule="group.separating", limit=None, used=None)


def _of_room(group: Group) -> Iterator[Predicate]:
    for name, bounds in _bounds(group):
        if bounds.max is not None:
            yield Predicate(_most(name, bounds.max), _ROOM)
    if group.groups_per_member is not None:
        yield Predicate(_groups_per_member(group.groups_per_member), ("actor.groups",))


def _most(name: str, most: int) -> Check:
    def check(case: Case) -> Failure | None:
        taken = _taken(case.parties.group, name)
        if case.act.kind not in _KINDS[name] or taken < most:
            return None
        rule = f"group.{name}.max"
        return Failure(rule=rule, limit=most, used=taken, remaining=most - taken)

    return check


def _groups_per_member(most: int) -> Check:
    def check(case: Case) -> Failure | None:
        groups = case.parties.actor.groups
        if case.act.kind is Kind.NOMINEE or groups < most:
            return None
        rule = "group.groups_per_member"
        return Failure(rule=rule, limit=most, used=groups, remaining=most - groups)

    return check


def _least(name: str, least: int) -> Check:
    def check(case: Case) -> Failure | None:
        group = case.parties.group
        is_own = case.act.event is Event.REDEEM and not takes_from_others(case)
        if group is None or is_own or (there := _count(group, name)) >= least:
            return None
        return Failure(rule=f"group.{name}.min", limit=least, used=there)

    return check


def _minors_only_in_group(adult_from: int) -> Check:
    def check(case: Case) -> Failure | None:
        actor, place = case.parties.actor, case.parties.actor_place
        if place is not None or not is_minor(actor, None, adult_from=adult_from, today=case.today):
            return None
        assert actor.born is not None, "outside of a group a minor is told by its age"
        then = windows.start_of(windows.birthday(actor.born, adult_from), case.zone)
        return Failure(
            rule="group.minors_only_in_group",
            limit=adult_from,
            used=windows.age(actor.born, case.today),
            next_possible_at=then,
        )

    return check


def _since(rule: str, days: int, began: date, case: Case) -> Failure | None:
    """Judge that so many days have passed since one on which something happened."""
    passed = (case.today - began).days
    if passed >= days:
        return None
    then = windows.start_of(began + timedelta(days=days), case.zone)
    return Failure(rule=rule, limit=days, used=passed, next_possible_at=then)


def _cooldown(days: int) -> Check:
    def check(case: Case) -> Failure | None:
        left_at = case.parties.actor.left_at
        if left_at is None or case.act.kind is Kind.NOMINEE:
            return None
        return _since("join.cooldown_days", days, windows.local_day(left_at, case.zone), case)

    return check


def _slots(days: int, group: Group) -> Check:
    def check(case: Case) -> Failure | None:
        frees = [
            day
            for name, bounds in _bounds(group)
            if case.act.kind in _KINDS[name] and bounds.max is not None
            if (day := _slot_free_from(case, name, bounds.max, days)) is not None
        ]
        if not frees:
            return None
        return _since("join.slot_cooldown_days", days, max(frees) - timedelta(days=days), case)

    return check


def _slot_free_from(case: Case, name: str, most: int, days: int) -> date | None:
    """Return from which day there is room again beside the places that stay empty for a while.

    None where there is room, and where there would be none without them either.
    """
    facts = case.parties.group
    room = most - _taken(facts, name) - 1
    if facts is None or room < 0:
        return None
    ends = sorted(
        windows.local_day(slot.left_at, case.zone) + timedelta(days=days)
        for slot in facts.left
        if slot.kind in _KINDS[name]
    )
    blocking = [day for day in ends if day > case.today]
    return blocking[len(blocking) - room - 1] if len(blocking) > room else None


def _lock_in(days: int, self_removal: str) -> Check:
    def check(case: Case) -> Failure | None:
        act, place = case.act, case.parties.actor_place
        if place is None or (act.event is Event.CHANGE and act.kind is not Kind.NOMINEE):
            return None
        if self_removal == "any_time" and not act.by_head:
            return None
        joined = windows.local_day(place.joined_at, case.zone)
        return _since("join.lock_in_days", days, joined, case)

    return check


def _freeze(hours: int) -> Check:
    def check(case: Case) -> Failure | None:
        act, place = case.act, case.parties.actor_place
        if place is None or (act.event is Event.REDEEM and not takes_from_others(case)):
            return None
        then = windows.hours_after(place.joined_at, hours, case.zone)
        passed = act.at - place.joined_at
        if passed >= timedelta(hours=hours):
            return None
        return Failure(
            rule="join.freeze_hours",
            limit=hours,
            used=passed // timedelta(hours=1),
            next_possible_at=then,
        )

    return check


def _head_only(case: Case) -> Failure | None:
    if case.act.by_head:
        return None
    return Failure(rule="exits.self_removal", limit="head_only", used=None)
