"""What a model of families knows of people, groups and acts, and what it is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

Document = Mapping[str, Any]
CHANGES = ("join", "leave", "change")


class Fails(NamedTuple):
    """A rule that an act does not pass."""

    rule: str
    limit: Any
    used: Any
    remaining: int | None = None


@dataclass(kw_only=True)
class Person:
    """A member as rules see it."""

    id: UUID
    joined: datetime
    born: date
    stopped: bool = False
    """By its guardian: it spends and sends nothing."""
    balance: int = 0
    groups: int = 0
    left_at: datetime | None = None


@dataclass(kw_only=True)
class Seat:
    """A member's place in a group."""

    person: UUID
    role: str
    kind: str
    joined_at: datetime
    percent: int = 0
    came_younger: bool = False
    """Than the age at which it has to leave."""


@dataclass(kw_only=True)
class Family:
    """A group as it stands."""

    id: UUID
    rules: Document
    head: UUID
    pool: UUID | None
    formed_at: datetime
    seats: list[Seat] = field(default_factory=list)
    left: list[tuple[str, datetime]] = field(default_factory=list)
    changing_since: datetime | None = None
    closed: bool = False
    separating: UUID | None = None
    """Who separates from the head, while that is not settled."""
    head_wants: str | None = None
    member_wants: str | None = None

    def seat(self, person: UUID) -> Seat | None:
        """Return where somebody sits."""
        return next((seat for seat in self.seats if seat.person == person), None)

    def counted(self, kinds: Iterable[str]) -> int:
        """Return how many there are of some kinds."""
        return sum(seat.kind in kinds for seat in self.seats)


@dataclass(kw_only=True)
class Done:
    """An act that was done, on a day of its rules' zone."""

    event: str
    day: date
    actor: UUID
    points: int = 0
    receiver: UUID | None = None
    family: UUID | None = None
    counts: bool = True
    begins_session: bool = False


@dataclass(kw_only=True)
class Question:
    """What somebody wants to do, and who is concerned."""

    event: str
    at: datetime
    rules: Document
    zone: ZoneInfo
    actor: Person
    points: int = 0
    receiver: Person | None = None
    head: Person | None = None
    family: Family | None = None
    kind: str = "adult"
    received: int = 0
    purpose: bool = False
    signed_in: bool = False
    by_head: bool = False
    guards: frozenset[UUID] = frozenset()
    """Whom who acts guards: it is told what others have sent to its ward."""
    done: list[Done] = field(default_factory=list)

    @property
    def today(self) -> date:
        """Return the day of the question."""
        return self.at.astimezone(self.zone).date()

    @property
    def seat(self) -> Seat | None:
        """Return where who acts sits."""
        return self.family.seat(self.actor.id) if self.family else None

    @property
    def takes_others(self) -> bool:
        """Tell whether more is spent than is the spender's own."""
        return self.points > self.actor.balance

    def part(self, name: str) -> Document:
        """Return a part of the rules."""
        found: Document = self.rules.get(name, {})
        return found


def begins_session(asked: Question) -> bool:
    """Tell whether a change of a group is none that counts as one with an earlier."""
    if asked.event not in CHANGES or asked.family is None or goes_freely(asked):
        return False
    hours = max(
        asked.part("join").get("change_window_hours", 0),
        *(one.get("within_hours", 0) for one in asked.rules.get("limits", ())),
        0,
    )
    began = asked.family.changing_since
    return began is None or asked.at - began >= timedelta(hours=hours)


def goes_freely(asked: Question) -> bool:
    """Tell whether a member leaves that may do so at any time."""
    anytime = asked.part("exits").get("self_removal") == "any_time"
    return asked.event == "leave" and anytime and not asked.by_head


def age(born: date, today: date) -> int:
    """Return how many birthdays somebody has had."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def kind_of(rules: Document, born: date, today: date) -> str:
    """Return as what somebody counts in a group."""
    group = rules.get("group", {})
    years = age(born, today)
    if years < group.get("infant_below", 0):
        return "infant"
    return "minor" if years < group.get("adult_from", 18) else "adult"


def spends(rules: Document, seat: Seat) -> tuple[str, str]:
    """Return under which word the rules say what somebody spends, and what."""
    spend = rules.get("group", {}).get("spend", {})
    for word in (seat.role, seat.kind, "member"):
        if word in spend:
            return word, spend[word]["scope"]
    return "member", "own"
