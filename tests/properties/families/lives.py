"""What befalls families in the model: guardians, separation, death, fees that are waited for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tests.properties.families.asked import Family, Question, age
from tests.properties.families.homes import Home
from tests.properties.families.house import DONE, Answer, day
from tests.properties.families.rules import failures

GUARDED_BELOW = 18
PAID_WITHIN = timedelta(days=14)


@dataclass(kw_only=True)
class Waiting:
    """An act that waits for its fee, and how it is done then."""

    name: UUID
    what: tuple[object, ...]
    member: UUID
    family: Family
    until: datetime
    do: Callable[[datetime], Answer]


class Lives(Home):
    """A house whose members separate, die, are guarded, and pay."""

    guardian: UUID | None = None
    """Of everybody who is young, as long as it lives."""
    guarded: frozenset[UUID] = frozenset()
    waiting: tuple[Waiting, ...] = ()
    dead: frozenset[UUID] = frozenset()

    def question(
        self, event: str, actor: UUID, at: datetime, family: Family | None, points: int = 0
    ) -> Question:
        """Return what a member wants, who may be the guardian of others."""
        asked = super().question(event, actor, at, family, points)
        asked.guards = self.guarded if actor == self.guardian else frozenset()
        return asked

    def stop(self, minor: UUID, *, stops: bool) -> Answer:
        """Let a guardian stop what its ward spends and sends, or let it go on."""
        if minor not in self.guarded:
            return Answer("unknown_guardian")
        self.people[minor].stopped = stops
        return DONE

    def grow_up(self, at: datetime) -> None:
        """Let guardianships end with the years as well."""
        super().grow_up(at)
        grown = {
            one for one in self.guarded if age(self.people[one].born, day(at)) >= GUARDED_BELOW
        }
        self._let_go(grown)

    def _let_go(self, wards: "set[UUID] | frozenset[UUID]") -> None:
        for one in wards:
            self.people[one].stopped = False
        self.guarded -= wards

    def separate(self, family: Family, member: UUID) -> Answer:
        """Let a member separate from the head."""
        if member == family.head:
            return Answer("head_only")
        if family.separating is None:
            family.separating, family.head_wants, family.member_wants = member, None, None
        return DONE

    def want(self, family: Family, by: UUID, outcome: str, at: datetime) -> Answer:
        """Let the head or the member say how it ends; what both want is done."""
        if family.separating is None:
            return Answer("not_separating")
        if by == family.head:
            family.head_wants = outcome
        elif by == family.separating:
            family.member_wants = outcome
        else:
            return Answer("not_yourself")
        if family.head_wants != family.member_wants:
            return DONE
        member, family.separating = family.separating, None
        if outcome == "close":
            self.close(family, at)
        elif outcome == "leave":
            treatment = family.rules.get("exits", {}).get("leaving", "keep_own_share")
            self.depart(family, member, treatment, at)
        return DONE

    def die(self, member: UUID, at: datetime) -> None:
        """Let a member leave its groups; who leads one is followed by the eldest adult."""
        for family in self.families_of(member):
            family.separating = None
            if member == family.head:
                adults = [
                    seat for seat in family.seats if seat.kind == "adult" and seat.person != member
                ]
                if not adults:
                    self.close(family, at)
                    continue
                heir = min(adults, key=lambda seat: seat.joined_at).person
                self.hand_over(family, heir, at)
            self.depart(family, member, "keep_own_share", at)
        self.dead |= {member}
        self.waiting = tuple(one for one in self.waiting if one.member != member)
        if member == self.guardian:
            self._let_go(self.guarded)
        self.guarded -= {member}

    def costs(self, asked: Question) -> bool:
        """Tell whether an act that passes has to wait for money."""
        return any(
            "money" in fee and fee.get("on", "transfer") == asked.event
            for fee in asked.rules.get("fees", ())
        )

    def waits_to_join(self, family: Family, member: UUID, at: datetime) -> bool:
        """Tell whether a member may join, but for the money."""
        asked = self.ask_to_join(family, member, at)
        return family.separating is None and self.costs(asked) and not failures(asked)

    def waits_to_leave(
        self, family: Family, member: UUID, at: datetime, *, heir: UUID | None
    ) -> bool:
        """Tell whether a member may leave, but for the money."""
        refused = self.keeps_from_leaving(family, member, at, by_head=False, heir=heir)
        return self.costs(self.question("leave", member, at, family)) and refused is None

    def keep_waiting(self, one: Waiting) -> Waiting:
        """Let an act wait; return the one that waits, which is the first of the same."""
        for known in self.waiting:
            if known.what == one.what and not known.family.closed:
                return known
        self.waiting = (*self.waiting, one)
        return one

    def pay(self, one: Waiting, at: datetime) -> Answer:
        """Do what waited, by the rules of this instant."""
        self.waiting = tuple(known for known in self.waiting if known is not one)
        return Answer("fee_not_due") if one.family.closed else one.do(at)

    def let_expire(self, at: datetime) -> None:
        """Let what nobody paid for in time be over."""
        self.waiting = tuple(one for one in self.waiting if one.until > at)
