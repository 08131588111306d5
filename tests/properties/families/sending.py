"""How the model sends points: at once, or when everybody has agreed and all have waited."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.properties.families.asked import Document, Done, Question
from tests.properties.families.house import SENDING, Answer, House, day, moved_end
from tests.properties.families.lots import Lot, Part, first_of, is_alive
from tests.properties.families.rules import failures, fee_points


@dataclass(kw_only=True)
class Sent:
    """A transfer as it stands."""

    sender: UUID
    receiver: UUID
    points: int
    fee: int
    rules: Document
    state: str
    waits_for: set[str]
    head: UUID | None
    act: Done
    ends_at: datetime | None = None
    hold_hours: int = 0
    undo_until: datetime | None = None
    reserved: tuple[Part, ...] = ()
    moved: tuple[tuple[Lot, Lot, int], ...] = ()
    name: UUID | None = None


class Sending(House):
    """A house whose members send points to each other."""

    def __init__(self, *given: Any) -> None:
        """Begin with nothing sent."""
        super().__init__(*given)
        self.sent: list[Sent] = []

    def ask_to_send(
        self,
        sender: UUID,
        receiver: UUID,
        points: int,
        at: datetime,
        *,
        purpose: bool,
        signed_in: bool,
    ) -> Question:
        """Return the question whether points may be sent."""
        family = next(
            (
                one
                for one in self.families_of(sender)
                if one.seat(receiver) and one.rules["mechanism"] in SENDING
            ),
            None,
        )
        asked = self.question("transfer", sender, at, family, points)
        asked.receiver = self.person(receiver, at)
        asked.purpose, asked.signed_in = purpose, signed_in
        if not asked.part("transfer").get("may_move_on", True):
            there = self.points.spendable([sender], day(at))
            asked.received = sum(part for lot, part in there if lot.received)
        return asked

    def send(self, asked: Question) -> Answer:
        """Send points, or let them wait as the rules say."""
        found = failures(asked)
        assert asked.receiver is not None, "somebody is to have the points"
        if found:
            return Answer("refused", tuple(found))
        control, fee = asked.part("control"), fee_points(asked)
        words = {one["by"] for one in control.get("approvals", ()) if asked.points > one["above"]}
        if asked.family is None or asked.family.head == asked.actor.id:
            words.discard("head")
        is_new = all(
            act.receiver != asked.receiver.id or act.actor != asked.actor.id or not act.counts
            for act in self.done
            if act.event == "transfer"
        )
        hold = control.get("hold", {}).get("new_receiver_hours", 0) if is_new else 0
        state = "requested" if words else ("held" if hold else "completed")
        sent = Sent(
            sender=asked.actor.id,
            receiver=asked.receiver.id,
            points=asked.points,
            fee=fee,
            rules=asked.rules,
            state=state,
            waits_for=words,
            head=asked.family.head if asked.family else None,
            act=self.note(asked),
            hold_hours=hold,
        )
        movable = self.movable(sent, asked.at)
        chosen = first_of(sent.points, movable)
        taken = dict(chosen)
        rest = [
            (lot, part - taken.get(lot, 0))
            for lot, part in self.points.spendable([sent.sender], day(asked.at))
        ]
        cost = first_of(fee, rest)
        if state == "completed":
            self._complete(sent, chosen, cost, asked.at)
        else:
            for lot, part in (*chosen, *cost):
                self.points.take(lot, part)
            sent.reserved = (*chosen, *cost)
            days = control.get("approval_days", 14)
            waits = timedelta(days=days) if words else timedelta(hours=hold)
            sent.ends_at = asked.at + waits
        self.sent.append(sent)
        return Answer(state, points=sent.points)

    def movable(self, sent: Sent, at: datetime) -> list[Part]:
        """Return the lots that a transfer may take, in the order in which it does."""
        by_age = sent.rules.get("debit", {}).get("order") == "oldest_earned"
        there = self.points.spendable([sent.sender], day(at), by_age=by_age)
        moves_on = sent.rules.get("transfer", {}).get("may_move_on", True)
        return [one for one in there if moves_on or not one[0].received]

    def _complete(self, sent: Sent, chosen: list[Part], cost: list[Part], at: datetime) -> None:
        for lot, part in cost:
            self.points.take(lot, part)
        ends = moved_end(sent.rules, at)
        sent.moved = tuple(self.points.move(chosen, sent.receiver, ends=ends, received=True))
        sent.state = "completed"
        hours = sent.rules.get("control", {}).get("undo_hours", 0)
        sent.undo_until = at + timedelta(hours=hours) if hours else None

    def approve(self, sent: Sent, word: str, at: datetime) -> Answer:
        """Give a word that a transfer waits for."""
        if sent.state != "requested":
            return Answer("not_open")
        sent.waits_for.discard(word)
        if not sent.waits_for:
            if sent.hold_hours:
                sent.state, sent.ends_at = "held", at + timedelta(hours=sent.hold_hours)
            else:
                self._arrive(sent, at)
        return Answer(sent.state)

    def _arrive(self, sent: Sent, at: datetime) -> None:
        """Let what was reserved go: the points first, then the fee."""
        for lot, part in sent.reserved:
            self.points.put(lot, part)
        chosen = first_of(sent.points, sent.reserved)
        taken = dict(chosen)
        rest: list[Part] = []
        for lot, part in sent.reserved:
            gone = min(part, taken.get(lot, 0))
            taken[lot] = taken.get(lot, 0) - gone
            rest.append((lot, part - gone))
        self._complete(sent, chosen, first_of(sent.fee, rest), at)

    def give_up(self, sent: Sent, state: str) -> Answer:
        """End a transfer that waits: its points are free, and it counts no longer."""
        if sent.state not in ("requested", "held"):
            return Answer("not_open")
        for lot, part in sent.reserved:
            self.points.put(lot, part)
        sent.state, sent.act.counts = state, False
        return Answer(state)

    def undo(self, sent: Sent, at: datetime) -> Answer:
        """Take a transfer back whose points, or others alike, lie unspent with the receiver."""
        if sent.state != "completed" or sent.undo_until is None or sent.undo_until <= at:
            return Answer("not_open")
        gone: dict[Lot, int] = {}
        for _, into, part in sent.moved:
            gone[into] = gone.get(into, 0) + part
        for into, part in gone.items():
            if not is_alive(into, day(at)) or self.points.free.get(into, 0) < part:
                return Answer("already_spent")
        for source, into, part in sent.moved:
            self.points.take(into, part)
            back = (
                source
                if is_alive(source, day(at))
                else source._replace(ends=day(at) + timedelta(days=30))
            )
            self.points.put(back, part)
        sent.state, sent.act.counts = "undone", False
        return Answer("undone")

    def due(self, at: datetime) -> None:
        """Move what was held for long enough, and give up what nobody agreed to."""
        waiting = [one for one in self.sent if one.state in ("requested", "held")]
        for sent in waiting:
            if sent.ends_at is not None and sent.ends_at <= at:
                if sent.state == "held":
                    self._arrive(sent, at)
                else:
                    self.give_up(sent, "expired")
