"""A model of members, their groups and points: who there is, what was done, what is earned."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.properties.families.asked import (
    Document,
    Done,
    Fails,
    Family,
    Person,
    Question,
    Seat,
    begins_session,
)
from tests.properties.families.lots import Lot, Points, end_of_month, same_day

COALITION = ZoneInfo("Europe/Stockholm")
MONTHS = 2
"""How many months after that of earning points end, under every contract of the model."""

SENDING = ("p2p", "head_pull")
POOLING = ("pool_view", "pool_account", "sweep_to_head", "linked_wallet")


class Answer(NamedTuple):
    """What the model says to an act: done, or refused by rules, or by a code of the product."""

    code: str
    failures: tuple[Fails, ...] = ()
    points: int = 0


DONE = Answer("done")


class House:
    """Everybody and everything; instants are given with every act."""

    def __init__(self, tie: Callable[[Lot], bytes], rules: Document, home: Document) -> None:
        """Begin with rules of transfers between anybody, and of one kind of groups."""
        self.points = Points(tie)
        self.rules = rules
        self.home = home
        self.people: dict[UUID, Person] = {}
        self.families: list[Family] = []
        self.done: list[Done] = []

    def zone(self, rules: Document) -> ZoneInfo:
        """Return in whose days rules count."""
        return ZoneInfo(rules["timezone"]) if "timezone" in rules else COALITION

    def person(self, one: UUID, at: datetime) -> Person:
        """Return a member as it stands."""
        return replace(
            self.people[one],
            balance=self.points.balance(one, day(at)),
            groups=sum(family.seat(one) is not None for family in self.families),
        )

    def families_of(self, one: UUID) -> list[Family]:
        """Return the groups to which a member belongs, in the order of joining."""
        found = [(family.seat(one), family) for family in self.families]
        there = [(seat.joined_at, family.id, family) for seat, family in found if seat is not None]
        return [family for *_, family in sorted(there, key=lambda one: one[:2])]

    def pot(self, family: Family) -> UUID | None:
        """Return with whom points of a group lie together."""
        if family.rules["mechanism"] in ("sweep_to_head", "linked_wallet"):
            return family.head
        return family.pool

    def question(
        self, event: str, actor: UUID, at: datetime, family: Family | None, points: int = 0
    ) -> Question:
        """Return what a member wants, as its group's rules judge it, or those for anybody."""
        rules = family.rules if family is not None else self.rules
        return Question(
            event=event,
            at=at,
            rules=rules,
            zone=self.zone(rules),
            actor=self.person(actor, at),
            points=points,
            head=self.person(family.head, at) if family is not None else None,
            family=family,
            done=self.done,
        )

    def note(self, asked: Question) -> Done:
        """Remember that an act was done."""
        act = Done(
            event=asked.event,
            day=asked.today,
            actor=asked.actor.id,
            points=asked.points,
            receiver=asked.receiver.id if asked.receiver else None,
            family=asked.family.id if asked.family else None,
            begins_session=begins_session(asked),
        )
        if act.begins_session and asked.family is not None:
            asked.family.changing_since = asked.at
        self.done.append(act)
        return act

    def earn(self, member: UUID, points: int, issuer: int, at: datetime) -> None:
        """Let a member earn; shares of it go on to the pots of its groups."""
        lot = Lot(member, issuer, at.astimezone(COALITION).year * 100 + day(at).month, fresh(at))
        self.points.put(lot, points)
        left = 100
        for family in self.families_of(member):
            pot, seat = self.pot(family), family.seat(member)
            if pot is None or pot == member or seat is None or family.separating is not None:
                continue
            percent = min(seat.percent, left)
            left -= percent
            share = points * percent // 100
            if share:
                ends = moved_end(family.rules, at)
                self.points.move([(lot, share)], pot, brought_by=member, ends=ends)


def day(at: datetime) -> date:
    """Return the coalition's day, on which points can be spent or not."""
    return at.astimezone(COALITION).date()


def fresh(at: datetime) -> date:
    """Return until when points can be spent that are earned at an instant."""
    return end_of_month(day(at), MONTHS)


def moved_end(rules: Document, at: datetime) -> date | None:
    """Return when points end that move by some rules; None: when they would have."""
    expiry = rules.get("expiry", {})
    if expiry.get("treatment") == "reset":
        return same_day(day(at), expiry["months"])
    return fresh(at) if expiry.get("treatment") == "receiver_policy" else None


def seat_of(family: Family, member: UUID) -> Seat:
    """Return where a member sits who does."""
    seat = family.seat(member)
    assert seat is not None, "it belongs to the group"
    return seat
