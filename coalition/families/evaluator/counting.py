"""What an act adds to usage, and which changes of a group count as one.

A transfer counts at its sender and its receiver, everything else at whoever acts, and all of it at
the group. What joins, leaves or changes a group is a change as well; of several changes in one
session only the first counts at the group.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

from coalition.families.evaluator.acts import Act, GroupFacts, Parties, UsageKey, UsageMade
from coalition.families.evaluator.predicates import NOBODY
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind

COUNTED_AS = {
    Event.JOIN: (Event.JOIN, Event.CHANGE),
    Event.LEAVE: (Event.LEAVE, Event.CHANGE),
    Event.CHANGE: (Event.CHANGE,),
}
"""Under which events what happens in a group is counted: its own, and that of changes."""


def change_session_hours(rule_set: RuleSet) -> int:
    """Return for how long after the first all changes of a group count as one."""
    own = (limit.within_hours for limit in rule_set.limits if limit.on is Event.CHANGE)
    return max(rule_set.join.change_window_hours, *own, 0)


def starts_change_session(act: Act, group: GroupFacts | None, session_hours: int) -> bool:
    """Tell whether an act is a change of a group and none that counts as one with an earlier."""
    if group is None or act.event not in COUNTED_AS:
        return False
    began = group.change_session_at
    return began is None or act.at >= began + timedelta(hours=session_hours)


def goes_freely(rule_set: RuleSet, act: Act) -> bool:
    """Tell whether a member leaves that may do so at any time: no change of the group's own."""
    is_own_word = act.event is Event.LEAVE and not act.by_head
    return is_own_word and rule_set.exits.self_removal == "any_time"


def made(act: Act, parties: Parties, today: date, *, starts_session: bool) -> tuple[UsageMade, ...]:
    """Return what an act adds to usage."""
    return tuple(
        UsageMade(UsageKey(subject, side, event), other, today, amount, 1)
        for subject, side, event, other, amount in _rows(
            act, parties, starts_session=starts_session
        )
    )


_Row = tuple[UUID, str, Event, UUID, int]


def _rows(act: Act, parties: Parties, *, starts_session: bool) -> Iterator[_Row]:
    actor, receiver, group = parties.actor.member, parties.receiver, parties.group
    if act.event is Event.TRANSFER:
        assert receiver is not None, "a transfer has a receiver"
        yield actor, "sender", act.event, receiver.member, act.points
        yield receiver.member, "receiver", act.event, actor, act.points
        if group is not None:
            yield group.group, "group", act.event, actor, act.points
        return
    is_nominee = act.kind is Kind.NOMINEE
    for event in COUNTED_AS.get(act.event, (act.event,)):
        if not is_nominee:
            yield actor, "member", event, group.group if group else NOBODY, act.points
        if group is not None and (event is not Event.CHANGE or starts_session):
            yield group.group, "group", event, NOBODY if is_nominee else actor, act.points
