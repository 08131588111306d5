"""Made-up members, groups and acts for the evaluator, and short ways to ask it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import (
    Act,
    DayUse,
    Failure,
    GroupFacts,
    Parties,
    Party,
    Place,
    Usage,
    UsageKey,
    Verdict,
)
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind

OSLO = ZoneInfo("Europe/Oslo")
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
"""A Sunday, ten o'clock in Oslo."""

ACTOR = UUID(int=1)
GROUP = UUID(int=900)
BEFORE = datetime(2020, 3, 10, 12, tzinfo=UTC)


# Any: documents are written as they are in files.
def rule_set(mechanism: str = "p2p", **parts: Any) -> RuleSet:
    """Return a rule set of the parts that are given, read as from a file."""
    return msgspec.convert({"title": "A rule set", "mechanism": mechanism} | parts, RuleSet)


_PARTY = Party(member=ACTOR, joined=BEFORE, balance=1_000_000, was_active=True)
_GROUP = GroupFacts(group=GROUP, formed_at=BEFORE, counts={Kind.ADULT: 2}, pool=1_000_000)
_PLACE = Place(role="spouse", kind=Kind.ADULT, joined_at=BEFORE)


# Any: facts of many types, by the names of their fields, as in `msgspec.structs.replace`.
def party(number: int = 1, **facts: Any) -> Party:
    """Return a member with plenty of points who joined long ago."""
    return msgspec.structs.replace(_PARTY, member=UUID(int=number), **facts)


def group(**facts: Any) -> GroupFacts:
    """Return a group of two adults that was formed long ago."""
    return msgspec.structs.replace(_GROUP, **facts)


def place(role: str = "spouse", **facts: Any) -> Place:
    """Return the place of an adult who has long belonged to the group."""
    return msgspec.structs.replace(_PLACE, role=role, **facts)


def between(sender: Party | None = None, receiver: Party | None = None, **more: Any) -> Parties:
    """Return the two sides of a transfer."""
    return Parties(actor=sender or party(1), receiver=receiver or party(2), **more)


def within(actor: Party | None = None, **more: Any) -> Parties:
    """Return a member who acts in a group, whose head is another."""
    return Parties(**{"actor": actor or party(1), "head": party(3), "group": group()} | more)


def act(event: Event = Event.TRANSFER, points: int = 0, at: datetime = AT, **more: Any) -> Act:
    """Return an act at ten o'clock."""
    return Act(event=event, at=at, points=points, **more)


def judged(
    document: RuleSet,
    wanted: Act | None = None,
    parties: Parties | None = None,
    usage: Usage | None = None,
    zone: ZoneInfo = OSLO,
) -> Verdict:
    """Return the verdict on an act; a transfer of 1,000 points unless another is given."""
    return rules.evaluate(
        document, wanted or act(points=1000), parties or between(), usage or Usage(), zone
    )


def failures(*asked: Any, **more: Any) -> dict[str, Failure]:
    """Return the failures by their rule."""
    return {failure.rule: failure for failure in judged(*asked, **more).failures}


def told(failure: Failure) -> tuple[object, object, object, str | None]:
    """Return limit, used, remaining and next_possible_at, the last as text."""
    then = failure.next_possible_at
    text = None if then is None else then.isoformat()
    return failure.limit, failure.used, failure.remaining, text


def used(
    *uses: tuple[str, int] | tuple[str, int, int],
    subject: UUID = ACTOR,
    side: str = "sender",
    event: Event = Event.TRANSFER,
) -> Usage:
    """Return usage of one subject: days as text, points, and the number of the other member."""
    days = tuple(
        DayUse(date.fromisoformat(day), UUID(int=(*other, 2)[0]), points, 1)
        for day, points, *other in uses
    )
    return Usage(days={UsageKey(subject, side, event): days})


def names(found: Iterable[Failure]) -> Sequence[str]:
    """Return the rules of failures in their order."""
    return [failure.rule for failure in found]
