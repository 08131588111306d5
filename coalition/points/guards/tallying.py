"""Adds acts up by rule, subject and slot, in memory, before anything is asked of the database."""

from collections.abc import Iterable, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.kernel.ids import digest16, uuid_from_bytes
from coalition.points.guards import rules
from coalition.points.guards.documents import DISTINCT, GuardRule
from coalition.points.guards.queries import Range
from coalition.points.guards.rules import Act, Count, Key

Place = tuple[str, int, UUID]
"""A subject in words, and where it is counted: its bucket and its digest."""


class Tally:
    """What some acts add. Each act of the coalition comes by here, so little is done twice."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Count nothing yet; days are those of `zone`."""
        self.sums: dict[tuple[Key, int], Count] = {}
        self.sighted: list[tuple[Key, int, UUID]] = []
        """What distinct things subjects were seen with, and in which slot."""
        self.acts: dict[Key, list[tuple[int, Act]]] = {}
        self.subjects: dict[Key, tuple[GuardRule, str]] = {}
        self.single: list[tuple[GuardRule, str, int, Act]] = []
        """Acts that pass a number by themselves, with rule, subject and slot."""
        self._zone = zone
        self._places: dict[str, Place] = {}

    def add(self, act: Act, watching: Iterable[GuardRule]) -> None:
        """Add `act` to the count of each rule that counts it and whose subject it names."""
        named: dict[Sequence[object], Place | None] = {}
        for rule in watching:
            document = rule.document
            amount = rules.counts(document, act)
            is_single = document.window is None
            if amount is None or (is_single and not rules.is_passed(document, amount)):
                continue
            if document.subject not in named:
                named[document.subject] = self._place(rules.subject_text(document, act))
            place = named[document.subject]
            if place is None:
                continue
            if is_single:
                slot = rules.slot_of(None, act.occurred_at, self._zone)
                self.single.append((rule, place[0], slot, act))
            else:
                self._count(rule, place, amount, act)

    def add_sighted(self, new: Iterable[tuple[Key, int]]) -> None:
        """Count what subjects had not been seen with before."""
        for key, slot in new:
            self._sum(key, slot, Count(1))

    def ranges(self) -> list[Range]:
        """Return the slots that lie in one window with any of the acts."""
        found = []
        for key, acts in self.acts.items():
            window = self.subjects[key][0].document.window
            assert window is not None, "what has no window is not summed"
            around = rules.length(window) - 1
            slots = [slot for slot, _ in acts]
            found.append(Range(key, min(slots) - around, max(slots) + around))
        return found

    def _place(self, subject: str | None) -> Place | None:
        if subject is None:
            return None
        place = self._places.get(subject)
        if place is None:
            bucket, _, digest = rules.key_of(0, subject)
            place = self._places[subject] = (subject, bucket, digest)
        return place

    def _count(self, rule: GuardRule, place: Place, amount: Count, act: Act) -> None:
        subject, bucket, digest = place
        key = Key(bucket, rule.no, digest)
        slot = rules.slot_of(rule.document.window, act.occurred_at, self._zone)
        if rule.document.measure in DISTINCT:
            thing = rules.distinct_thing(rule.document, act)
            if thing is None:
                return
            self.sighted.append((key, slot, uuid_from_bytes(digest16("thing", thing))))
        else:
            self._sum(key, slot, amount)
        self.subjects[key] = rule, subject
        self.acts.setdefault(key, []).append((slot, act))

    def _sum(self, key: Key, slot: int, amount: Count) -> None:
        known = self.sums.get((key, slot))
        self.sums[key, slot] = amount if known is None else rules.plus(known, amount)
