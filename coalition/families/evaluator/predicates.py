"""What the parts of the evaluator share: the case that is judged, and a predicate with its facts.

A rule set is turned once into the predicates that it asks at an event, so that a rule which asks
for nothing costs nothing. A predicate answers with its failure or None and names what it reads.
"""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.families.evaluator import windows
from coalition.families.evaluator.acts import Act, Failure, Parties, Party, Place, Usage
from coalition.families.rule_sets.vocabulary import Kind

NOBODY = UUID(int=0)


class Case(NamedTuple):
    """One act as it is judged; `today` is its day in `zone`."""

    act: Act
    parties: Parties
    usage: Usage
    zone: ZoneInfo
    today: date
    fee_points: int
    """What whoever acts pays in points beside the act."""
    starts_session: bool
    """Whether it is a change of the group that counts as one of its own."""


Check = Callable[[Case], Failure | None]


class Predicate(NamedTuple):
    """A check and the facts that it reads, such as `actor.balance` or `act.purpose`."""

    check: Check
    facts: tuple[str, ...] = ()


def is_minor(party: Party, place: Place | None, *, adult_from: int, today: date) -> bool:
    """Tell whether a member counts as a minor: by its age, where that is known, else its place."""
    if party.born is not None:
        return windows.age(party.born, today) < adult_from
    return place is not None and place.kind is Kind.MINOR
