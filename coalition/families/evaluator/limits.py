"""Caps: which usage a limit counts, how much of it is left, and from when there is room again.

Usage is kept by subject, its side in the act, event, other member and local day, as `counting`
writes it.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.families.evaluator import windows
from coalition.families.evaluator.acts import (
    LIFETIME,
    Act,
    DayUse,
    Failure,
    Parties,
    UsageKey,
    UsageWanted,
)
from coalition.families.evaluator.counting import COUNTED_AS
from coalition.families.evaluator.predicates import NOBODY, Case, Check, Predicate
from coalition.families.rule_sets.notation import Limit, RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind, Measure, Subject, WindowKind

_SIDES_OF_A_TRANSFER = {
    Subject.SENDER: ("sender", "actor"),
    Subject.PAIR: ("sender", "actor"),
    Subject.MEMBER: ("sender", "actor"),
    Subject.RECEIVER: ("receiver", "receiver"),
}


class Cap(NamedTuple):
    """A limit made ready for one event."""

    rule: str
    limit: Limit
    window: windows.Window
    side: str
    who: str
    """Which of the parties is the subject: actor, receiver or group."""


class _Subject(NamedTuple):
    """Whose usage a cap counts in one act, the only other that counts, and since when it is."""

    key: UsageKey
    only: UUID | None
    joined: datetime


def caps(rule_set: RuleSet, event: Event) -> tuple[Cap, ...]:
    """Return the limits that an event counts for, in their order."""
    return tuple(
        Cap(f"limits.{limit.name}", limit, windows.parsed(limit.window), *_side(limit, event))
        for limit in rule_set.limits
        if limit.on is event or (limit.on is Event.CHANGE and event in COUNTED_AS)
    )


def predicates(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield the limits of an event as predicates, in their order."""
    for cap in caps(rule_set, event):
        yield Predicate(_check(cap), _facts(cap))


def wanted(
    ready: Iterable[Cap], parties: Parties, act: Act, today: date, zone: ZoneInfo
) -> list[UsageWanted]:
    """Return which days of whose usage have to be known; whole lives are kept under one day."""
    found: dict[tuple[UsageKey, bool], UsageWanted] = {}
    for cap in ready:
        subject = _subject(cap, parties, act)
        if subject is None:
            continue
        is_life = cap.window.kind is WindowKind.LIFETIME
        first = last = LIFETIME
        if not is_life:
            first = windows.first_day(cap.window, today, _anchor(cap, subject, zone))
            last = today
        is_apart = cap.limit.measure is Measure.COUNTERPARTIES
        want = UsageWanted(subject.key, first, last, (), subject.only, is_apart)
        known = found.get((subject.key, is_life))
        found[subject.key, is_life] = want if known is None else both(known, want)
    return sorted(found.values(), key=lambda want: want.last == LIFETIME)


def both(one: UsageWanted, other: UsageWanted) -> UsageWanted:
    """Return what is wanted of a key for one reason and for another."""
    firsts = sorted({one.first, *one.cuts, other.first, *other.cuts})
    asked = {one.only, other.only} - {None}
    return UsageWanted(
        one.key,
        firsts[0],
        max(one.last, other.last),
        tuple(firsts[1:]),
        one.only or other.only,
        one.is_apart or other.is_apart or len(asked) > 1,
    )


def _side(limit: Limit, event: Event) -> tuple[str, str]:
    if limit.subject is Subject.GROUP:
        return "group", "group"
    if event is Event.TRANSFER:
        return _SIDES_OF_A_TRANSFER[limit.subject]
    return "member", "actor"


def _facts(cap: Cap) -> tuple[str, ...]:
    if cap.who == "group":
        return ("group.formed_at", "group.change_session_at")
    return (f"{cap.who}.joined",)


def _subject(cap: Cap, parties: Parties, act: Act) -> _Subject | None:
    """Return whose usage counts, or None where nobody is concerned: outside of a group."""
    event = cap.limit.on
    if cap.who == "group":
        group = parties.group
        if group is None:
            return None
        return _Subject(UsageKey(group.group, cap.side, event), None, group.formed_at)
    party = parties.receiver if cap.who == "receiver" else parties.actor
    if party is None or act.kind is Kind.NOMINEE:
        return None
    is_pair = cap.limit.subject is Subject.PAIR and parties.receiver is not None
    only = parties.receiver.member if is_pair and parties.receiver else None
    return _Subject(UsageKey(party.member, cap.side, event), only, party.joined)


def _anchor(cap: Cap, subject: _Subject, zone: ZoneInfo) -> date:
    """Return the day on which the years of a subject begin; only membership years ask for it."""
    if cap.window.kind is not WindowKind.MEMBERSHIP_YEAR:
        return LIFETIME
    return windows.local_day(subject.joined, zone)


def _check(cap: Cap) -> Check:
    if cap.limit.measure is Measure.COUNTERPARTIES:
        return lambda case: _counterparties(cap, case)
    if cap.limit.measure is Measure.AMOUNT:
        return lambda case: _capped(cap, case, case.act.points)
    if cap.who == "group" and cap.limit.on is Event.CHANGE:
        return lambda case: _capped(cap, case, 1) if case.starts_session else None
    return lambda case: _capped(cap, case, 1)


def _capped(cap: Cap, case: Case, adds: int) -> Failure | None:
    """Judge a limit whose uses add up."""
    subject = _subject(cap, case.parties, case.act)
    if subject is None:
        return None
    anchor = _anchor(cap, subject, case.zone)
    most, is_amount = cap.limit.max, cap.limit.measure is Measure.AMOUNT
    uses = [
        (use.day, use.amount if is_amount else use.times)
        for use in _counted(cap, case, subject, anchor)
    ]
    used = sum(size for _, size in uses)
    if used + adds <= most:
        return None
    then = _room_from(cap, uses, used + adds - most, anchor) if adds <= most else None
    return _failure(cap, case, used, then)


def _counterparties(cap: Cap, case: Case) -> Failure | None:
    """Judge how many others there are: one that is known passes, one more counts."""
    subject = _subject(cap, case.parties, case.act)
    if subject is None:
        return None
    anchor = _anchor(cap, subject, case.zone)
    last: dict[UUID, date] = {}
    for use in _counted(cap, case, subject, anchor):
        if use.times > 0:
            last[use.other] = max(use.day, last.get(use.other, use.day))
    most, used = cap.limit.max, len(last)
    if used < most or _other(cap, case.act, case.parties) in last:
        return None
    uses = [(day, 1) for day in last.values()]
    then = _room_from(cap, uses, used + 1 - most, anchor) if most else None
    return _failure(cap, case, used, then)


def _counted(cap: Cap, case: Case, subject: _Subject, anchor: date) -> Iterator[DayUse]:
    """Yield the uses in the window of a limit that ends today."""
    first = windows.first_day(cap.window, case.today, anchor)
    of_life = first == LIFETIME
    for use in case.usage.days.get(subject.key, ()):
        is_in = use.day == LIFETIME if of_life else use.day >= first
        if is_in and (subject.only is None or use.other == subject.only):
            yield use


def _room_from(cap: Cap, uses: list[tuple[date, int]], too_many: int, anchor: date) -> date | None:
    """Return the first day on which so many of the uses, oldest first, have fallen out."""
    oldest_first = sorted(uses)
    fallen_out = accumulate(size for _, size in oldest_first)
    enough = zip(oldest_first, fallen_out, strict=True)
    day = next(day for (day, _), fallen in enough if fallen >= too_many)
    return windows.falls_out(cap.window, day, anchor)


def _failure(cap: Cap, case: Case, used: int, then: date | None) -> Failure:
    most = cap.limit.max
    return Failure(
        rule=cap.rule,
        limit=most,
        used=used,
        remaining=most - used,
        next_possible_at=None if then is None else windows.start_of(then, case.zone),
        private=_private(cap),
    )


def _private(cap: Cap) -> tuple[str, ...]:
    """Return what of a limit on the receiver would tell what others have sent to it, and when.

    The end of a day, a month or a year of the calendar tells nothing.
    """
    if cap.who != "receiver":
        return ()
    of_calendar = (WindowKind.DAY, WindowKind.CALENDAR_MONTH, WindowKind.CALENDAR_YEAR)
    measured = ("used", "remaining")
    return measured if cap.window.kind in of_calendar else (*measured, "next_possible_at")


def _other(cap: Cap, act: Act, parties: Parties) -> UUID:
    """Return under whom an act is counted as the other side of its subject."""
    if act.event is Event.TRANSFER and cap.side == "sender":
        return parties.receiver.member if parties.receiver else NOBODY
    if cap.side == "member":
        return parties.group.group if parties.group else NOBODY
    return NOBODY if act.kind is Kind.NOMINEE else parties.actor.member
