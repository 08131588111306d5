"""How the model lets members join, bring points in, and leave with what is theirs."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from tests.properties.families.asked import Family, Question, Seat, age, kind_of
from tests.properties.families.house import DONE, Answer, day, moved_end, seat_of
from tests.properties.families.lots import Part, first_of, shared
from tests.properties.families.rules import failures
from tests.properties.families.spending import Spending


class Home(Spending):
    """A house with groups whose members come and go."""

    def ask_to_join(self, family: Family, member: UUID, at: datetime) -> Question:
        """Return the question whether a member may join."""
        asked = self.question("join", member, at, family)
        asked.kind = kind_of(family.rules, self.people[member].born, asked.today)
        return asked

    def join(self, family: Family, member: UUID, role: str, at: datetime) -> Answer:
        """Let a member join, and bring what has to go in."""
        if family.separating is not None:
            return Answer("group_separating")
        asked = self.ask_to_join(family, member, at)
        found = failures(asked)
        if found:
            return Answer("refused", tuple(found))
        self.note(asked)
        family.seats.append(
            Seat(
                person=member,
                role=role,
                kind=asked.kind,
                joined_at=at,
                percent=self._percent(family, member),
                came_younger=age(self.people[member].born, asked.today)
                < asked.part("exits").get("at_age", 0),
            )
        )
        if family.rules.get("contribution", {}).get("existing") == "all":
            own = [
                (lot, part)
                for lot, part in self.points.spendable([member], day(at))
                if lot.owner == member
            ]
            self._bring(family, member, own, at)
        return DONE

    def _percent(self, family: Family, member: UUID) -> int:
        if member == family.head and family.pool is None:
            return 0
        if family.rules["mechanism"] == "linked_wallet":
            return 100
        offered = family.rules.get("contribution", {}).get("future_percent", ())
        return int(offered[0]) if offered else 0

    def _bring(self, family: Family, member: UUID, parts: Iterable[Part], at: datetime) -> None:
        pot = self.pot(family)
        if pot not in (None, member):
            assert pot is not None, "just asked"
            self.points.move(parts, pot, brought_by=member, ends=moved_end(family.rules, at))

    def contribute(self, family: Family, member: UUID, points: int, at: datetime) -> Answer:
        """Bring points into the pot."""
        if family.separating is not None:
            return Answer("group_separating")
        if self.pot(family) in (None, member):
            return Answer("no_pot")
        if self.people[member].stopped:
            return Answer("frozen_by_guardian")
        asked = self.question("contribute", member, at, family, points)
        found = failures(asked)
        if found:
            return Answer("refused", tuple(found))
        by_age = asked.part("debit").get("order") == "oldest_earned"
        own = [
            (lot, part)
            for lot, part in self.points.spendable([member], day(at), by_age=by_age)
            if lot.owner == member
        ]
        if sum(part for _, part in own) < points:
            return Answer("not_enough")
        self.note(asked)
        self._bring(family, member, first_of(points, own), at)
        return DONE

    def leave(
        self, family: Family, member: UUID, at: datetime, *, by_head: bool, heir: UUID | None
    ) -> Answer:
        """Let a member leave; a head hands over first, or closes the group if it is alone."""
        refused = self.keeps_from_leaving(family, member, at, by_head=by_head, heir=heir)
        if refused is not None:
            return refused
        asked = self.question("leave", member, at, family)
        asked.by_head = by_head
        self.note(asked)
        if member == family.head:
            if heir is None or heir == member:
                return Answer("done", points=self.close(family, at, of=member))
            self.hand_over(family, heir, at)
        treatment = asked.part("exits").get("leaving", "keep_own_share")
        return Answer("done", points=self.depart(family, member, treatment, at))

    def keeps_from_leaving(
        self, family: Family, member: UUID, at: datetime, *, by_head: bool, heir: UUID | None
    ) -> Answer | None:
        """Return why a member may not leave; None where it may."""
        if family.separating is not None:
            return Answer("group_separating")
        asked = self.question("leave", member, at, family)
        asked.by_head = by_head
        found = failures(asked)
        if found:
            return Answer("refused", tuple(found))
        if member != family.head:
            return None
        if heir in (None, member):
            return Answer("must_hand_over") if len(family.seats) > 1 else None
        seat = family.seat(heir)
        if seat is None:
            return Answer("not_in_group")
        return None if seat.kind == "adult" else Answer("not_an_adult")

    def hand_over(self, family: Family, heir: UUID, at: datetime) -> None:
        old, new = seat_of(family, family.head), seat_of(family, heir)
        if family.pool is None and self.pot(family) is not None:
            there = self.points.spendable([old.person], day(at))
            for lot, part in there:
                if lot.owner != old.person:
                    self.points.move([(lot, part)], heir, brought_by=lot.owner)
        old.role = {"child": "parent", "parent": "child"}.get(new.role, new.role)
        new.role, family.head = "head", heir
        if family.pool is None:
            new.percent = 0
            old.percent = self._percent(family, old.person)

    def would_take(self, family: Family, member: UUID, treatment: str, at: datetime) -> int:
        """Return what somebody takes along of what lies in the pot."""
        return sum(
            part
            for receiver, share, _ in self._exit(family, [member], treatment, at)
            if receiver == member
            for _, part in share
        )

    def depart(self, family: Family, member: UUID, treatment: str, at: datetime) -> int:
        """Let a member go, and its points as a treatment says; return what it takes along."""
        return self._go(family, [member], treatment, at).get(member, 0)

    def close(self, family: Family, at: datetime, *, of: UUID | None = None) -> int:
        """Let everybody go; nothing stays in the account. Return what `of` takes along."""
        treatment = family.rules.get("exits", {}).get("closing", "keep_own_share")
        everybody = [seat.person for seat in family.seats]
        taken = self._go(family, everybody, treatment, at, closes=True)
        family.closed = True
        if family.pool is not None:
            self.points.closed.add(family.pool)
        return taken.get(of, 0) if of is not None else 0

    def _go(
        self,
        family: Family,
        going: list[UUID],
        treatment: str,
        at: datetime,
        *,
        closes: bool = False,
    ) -> dict[UUID, int]:
        taken: dict[UUID, int] = {}
        for receiver, parts, by in self._exit(family, going, treatment, at, closes=closes):
            self.points.move(parts, receiver, brought_by=by)
            taken[receiver] = taken.get(receiver, 0) + sum(part for _, part in parts)
        for member in going:
            family.left.append((seat_of(family, member).kind, at))
            self.people[member].left_at = at
        family.seats = [seat for seat in family.seats if seat.person not in going]
        return taken

    def _exit(
        self,
        family: Family,
        going: list[UUID],
        treatment: str,
        at: datetime,
        *,
        closes: bool = False,
    ) -> list[tuple[UUID, list[Part], UUID | None]]:
        """Return which lots of the pot go to whom."""
        pot = self.pot(family)
        if pot is None:
            return []
        left = [
            (lot, part) for lot, part in self.points.spendable([pot], day(at)) if lot.owner != pot
        ]
        brought: dict[UUID, int] = {}
        for lot, part in left:
            brought[lot.owner] = brought.get(lot.owner, 0) + part
        gone: list[tuple[UUID, list[Part], UUID | None]] = []
        staying = [seat.person for seat in family.seats if seat.person not in going]
        owners = [one for one in going if one in brought]
        if closes and family.pool is not None:
            owners += sorted(one for one in brought if one not in going)
        for owner in owners:
            weights = staying if owner in going else [seat.person for seat in family.seats]
            shares = self._shares(family, owner, brought, treatment, weights, closes=closes)
            own = [(lot, part) for lot, part in left if lot.owner == owner]
            for receiver, points in shares.items():
                if receiver == pot or not points:
                    continue
                parts = first_of(points, own)
                taken = dict(parts)
                own = [(lot, part - taken.get(lot, 0)) for lot, part in own]
                gone.append((receiver, parts, None))
        return gone

    def _shares(
        self,
        family: Family,
        owner: UUID,
        brought: dict[UUID, int],
        treatment: str,
        weights: list[UUID],
        *,
        closes: bool,
    ) -> dict[UUID, int]:
        points = brought[owner]
        belongs = family.seat(owner) is not None
        if belongs and (treatment == "keep_own_share" or (closes and treatment == "split")):
            return {owner: points}
        if treatment == "stays_in_pool" and not closes:
            return {}
        if treatment in ("stays_in_pool", "stays_with_head"):
            return {family.head: points}
        counting = {one: brought[one] for one in weights if brought.get(one)}
        return shared(points, counting) if counting else {family.head: points}

    def grow_up(self, at: datetime) -> None:
        """Let who is old enough leave, and everybody count as what they are by now."""
        for family in sorted(self.families, key=lambda one: one.id):
            if family.closed or family.separating is not None:
                continue
            today = at.astimezone(self.zone(family.rules)).date()
            exits = family.rules.get("exits", {})
            going = [
                seat.person
                for seat in family.seats
                if seat.person != family.head
                and "at_age" in exits
                and age(self.people[seat.person].born, today) >= exits["at_age"]
                and seat.came_younger
            ]
            if going:
                self._go(family, going, exits.get("ageing_out", "keep_own_share"), at)
        for family in self.families:
            today = at.astimezone(self.zone(family.rules)).date()
            for seat in family.seats:
                seat.kind = kind_of(family.rules, self.people[seat.person].born, today)
