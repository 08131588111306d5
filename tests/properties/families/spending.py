"""How the model spends: a member's own points, or those of its group."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from tests.properties.families.asked import Done, Family, Question, spends
from tests.properties.families.house import POOLING, Answer, day, seat_of
from tests.properties.families.lots import Part, Spent, first_of, shared
from tests.properties.families.rules import failures
from tests.properties.families.sending import Sending


@dataclass(kw_only=True)
class Bought:
    """A redemption, or a hold that may become one."""

    spent: Spent
    counted: Done | None = None
    """What limits on spending count of it."""
    is_open: bool = True
    name: UUID | None = None

    def concerns(self, member: UUID) -> bool:
        """Tell whether points of a member were spent, or it spent."""
        sources = {one.source.holder for one in self.spent.passed}
        return member == self.spent.spender or member in sources


class Spending(Sending):
    """A house whose members spend together."""

    counted: Done | None = None
    """What limits on spending count of the last that was spent."""

    def ask_to_spend(self, member: UUID, points: int, at: datetime) -> Question | None:
        """Return the question whether a member may spend, by its group where it shares one."""
        groups = [one for one in self.families_of(member) if one.rules["mechanism"] in POOLING]
        may = (one for one in groups if spends(one.rules, seat_of(one, member))[1] == "pool")
        family = next(may, groups[0] if groups else None)
        return self.question("redeem", member, at, family, points) if family else None

    def spend(self, member: UUID, points: int, at: datetime) -> tuple[Answer, Spent | None]:
        """Take points of a member, and of those whose points it may spend."""
        if self.people[member].stopped:
            return Answer("frozen_by_guardian"), None
        asked = self.ask_to_spend(member, points, at)
        if asked is not None:
            found = failures(asked)
            if found:
                return Answer("refused", tuple(found)), None
        parts = self.drawn(asked, member, points, at)
        if parts is None:
            return Answer("not_enough"), None
        self.counted = None
        if asked is not None and any(
            one.get("on") == "redeem" for one in asked.rules.get("limits", ())
        ):
            self.counted = self.note(asked)
        return Answer("done", points=points), self.points.spend(member, parts)

    def give_back(self, bought: Bought, at: datetime, *, grace: bool) -> None:
        """Let all that was spent come back; it counts no longer."""
        self.points.give_back(bought.spent, day(at), grace=grace)
        if bought.counted is not None:
            bought.counted.counts = False

    def drawn(
        self, asked: Question | None, member: UUID, points: int, at: datetime
    ) -> list[Part] | None:
        """Return which lots of whom are taken; None where they do not have so much."""
        today = day(at)
        order, owners = "own_first", [member]
        if asked is not None and asked.family is not None:
            wider = replace(asked, points=max(points, asked.actor.balance + 1))
            if not failures(wider):
                order = asked.part("debit").get("order", "earliest_expiry")
                owners = self.owners(asked.family, member, order, at)
        balances = {one: self.points.balance(one, today) for one in sorted(set(owners))}
        if sum(balances.values()) < points:
            return None
        if order in ("earliest_expiry", "oldest_earned"):
            there = self.points.spendable(owners, today, by_age=order == "oldest_earned")
            return first_of(points, there)
        if order == "proportional" and asked is not None and asked.family is not None:
            return self.in_proportion(asked.family, owners, points, today)
        shares: dict[UUID, int] = {}
        if order in ("own_first", "one_owner") and member in balances:
            own = min(points, balances[member])
            others = {one: size for one, size in balances.items() if one != member}
            shares = {member: own}
            if points > own:
                shares |= shared(points - own, others)
        else:
            shares = shared(points, balances)
        return [
            part
            for one, share in shares.items()
            for part in first_of(share, self.points.spendable([one], today))
        ]

    def in_proportion(
        self, family: Family, owners: list[UUID], points: int, today: date
    ) -> list[Part]:
        """Return what each owner gives; what lies in the pot is of whoever brought it."""
        pot = self.pot(family)
        there: dict[UUID, list[Part]] = {}
        for lot, size in self.points.spendable(owners, today):
            owner = lot.owner if lot.holder == pot else lot.holder
            there.setdefault(owner, []).append((lot, size))
        weights = {one: sum(size for _, size in of) for one, of in there.items()}
        return [
            part
            for one, share in shared(points, weights).items()
            for part in first_of(share, there[one])
        ]

    def owners(self, family: Family, member: UUID, order: str, at: datetime) -> list[UUID]:
        """Return whose points a member spends that may spend those of its group."""
        if family.rules["mechanism"] == "pool_view" and order != "one_owner":
            hours = timedelta(hours=family.rules.get("join", {}).get("freeze_hours", 0))
            others = [
                seat.person
                for seat in family.seats
                if seat.joined_at + hours <= at and not self.people[seat.person].stopped
            ]
            return sorted({member, *others})
        owner = self.pot(family) or family.head
        return [owner] if order == "one_owner" else sorted({member, owner})
