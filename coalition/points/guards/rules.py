"""The arithmetic of guards, pure: whom an act counts for, in which slots, and what is too much.

Counts are kept per slot, so that a window costs a handful of rows however much happens in it. A day
of the coalition is one slot. Minutes and hours have slots of a minute, or of a sixtieth of the
window, and a window takes in one slot more than its length: it is never shorter than what the rule
says, and at most a sixtieth (or a minute) longer.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from coalition.kernel.ids import bucket_of, digest16, uuid_from_bytes
from coalition.points.guards.documents import (
    ENFORCING,
    GuardDocument,
    GuardRule,
    Measure,
    Subject,
    Window,
)

CARD_BYTES = 8
"""Of the digest of a card, so many bytes tell the cards of one coalition apart."""

_MINUTE_S = 60
_FINE_MINUTES = 120


class ActKind(StrEnum):
    """What happened at the till."""

    ISSUE = "issue"
    REDEMPTION = "redemption"
    REVERSAL = "reversal"
    DUPLICATE_RECEIPT = "duplicate_receipt"


class Act(msgspec.Struct, frozen=True, omit_defaults=True):
    """One act at a till: posted, to be judged, or refused for its receipt."""

    kind: ActKind
    partner_no: int
    member: UUID
    occurred_at: datetime
    points: int
    store_no: int | None = None
    client_no: int | None = None
    cashier: str | None = None
    card: str | None = None
    """The beginning of the card's digest, in hexadecimal; never its number."""
    is_manual: bool = False
    """Points that were given without a purchase."""
    posting: UUID | None = None
    confirmed_by: str | None = None


class Count(NamedTuple):
    """What was counted: of a percentage the whole and the part, else a sum and nothing."""

    total: int
    part: int = 0


NOTHING = Count(0)


def plus(one: Count, other: Count) -> Count:
    """Return the sum of two counts."""
    return Count(one.total + other.total, one.part + other.part)


_ONE = Count(1)
_PART = Count(0, 1)

_COUNTED: dict[Measure, frozenset[ActKind]] = {
    Measure.ISSUES: frozenset({ActKind.ISSUE}),
    Measure.ISSUED_POINTS: frozenset({ActKind.ISSUE}),
    Measure.MANUAL_POINTS: frozenset({ActKind.ISSUE}),
    Measure.REDEMPTIONS: frozenset({ActKind.REDEMPTION}),
    Measure.REDEEMED_POINTS: frozenset({ActKind.REDEMPTION}),
    Measure.POINTS_OF_ONE_REDEMPTION: frozenset({ActKind.REDEMPTION}),
    Measure.REVERSALS: frozenset({ActKind.REVERSAL}),
    Measure.REVERSAL_PERCENT: frozenset({ActKind.ISSUE, ActKind.REDEMPTION, ActKind.REVERSAL}),
    Measure.DISTINCT_MEMBERS: frozenset({ActKind.ISSUE, ActKind.REDEMPTION}),
    Measure.DISTINCT_STORES: frozenset({ActKind.ISSUE, ActKind.REDEMPTION}),
    Measure.DUPLICATE_RECEIPTS: frozenset({ActKind.DUPLICATE_RECEIPT}),
}
_IN_POINTS = frozenset(
    {
        Measure.ISSUED_POINTS,
        Measure.MANUAL_POINTS,
        Measure.REDEEMED_POINTS,
        Measure.POINTS_OF_ONE_REDEMPTION,
    }
)


class Key(NamedTuple):
    """Where a rule counts of somebody; keys are locked in this order."""

    bucket: int
    rule_no: int
    subject: UUID


def key_of(rule_no: int, subject: str) -> Key:
    """Return where rule `rule_no` counts of `subject`; the words are not kept there."""
    digest = uuid_from_bytes(digest16("guard", subject))
    return Key(bucket_of(digest), rule_no, digest)


def subject_text(document: GuardDocument, act: Act) -> str | None:
    """Return of whom `act` counts, such as `store:7`; None where the act does not say."""
    parts = [_named(one, act) for one in document.subject]
    return " ".join(parts) if all(parts) else None


def _named(subject: Subject, act: Act) -> str:
    known: object
    match subject:
        case Subject.MEMBER:
            known = act.member
        case Subject.CARD:
            known = act.card
        case Subject.CASHIER:
            known = act.cashier and f"{act.partner_no}/{act.cashier}"
        case Subject.STORE:
            known = act.store_no
        case Subject.PARTNER:
            known = act.partner_no
        case Subject.CLIENT:
            known = act.client_no
    return f"{subject}:{known}" if known is not None else ""


def counts(document: GuardDocument, act: Act) -> Count | None:
    """Return what `act` adds to the count of a rule, None where the rule does not count it."""
    measure = document.measure
    if act.kind not in _COUNTED[measure] or document.partner not in {None, act.partner_no}:
        return None
    if measure is Measure.MANUAL_POINTS and not act.is_manual:
        return None
    if measure is Measure.DUPLICATE_RECEIPTS:
        return _ONE
    least, most = document.points_from or 0, document.points_to
    if act.points < least or (most is not None and act.points > most):
        return None
    if measure is Measure.REVERSAL_PERCENT and act.kind is ActKind.REVERSAL:
        return _PART
    return Count(act.points) if measure in _IN_POINTS else _ONE


def distinct_thing(document: GuardDocument, act: Act) -> str | None:
    """Return what a rule about distinct things tells apart in `act`; None where there is none."""
    if document.measure is Measure.DISTINCT_MEMBERS:
        return f"member:{act.member}"
    return None if act.store_no is None else f"store:{act.store_no}"


def is_passed(document: GuardDocument, count: Count) -> bool:
    """Tell whether `count` is more than the rule's number."""
    if document.measure is not Measure.REVERSAL_PERCENT:
        return count.total > document.most
    enough = count.total >= (document.at_least or 1)
    return enough and count.part * 100 > document.most * count.total


def reached(document: GuardDocument, count: Count) -> int:
    """Return what a case says was reached: the sum, or the percentage rounded down."""
    if document.measure is not Measure.REVERSAL_PERCENT:
        return count.total
    return count.part * 100 // count.total if count.total else 0


def slot_minutes(window: Window | None) -> int:
    """Return how long a slot of `window` is, in minutes; 0 is a day of the coalition."""
    if window is None or window.minutes is not None:
        return 1
    if window.hours is not None:
        return 1 if window.hours * 60 <= _FINE_MINUTES else window.hours
    return 0


def length(window: Window) -> int:
    """Return how many slots are counted together."""
    if window.days is not None:
        return window.days
    minutes = window.minutes or (window.hours or 0) * 60
    return minutes // slot_minutes(window) + 1


def slot_of(window: Window | None, instant: datetime, zone: ZoneInfo) -> int:
    """Return the slot in which `instant` lies."""
    minutes = slot_minutes(window)
    if minutes == 0:
        return instant.astimezone(zone).toordinal()
    return int(instant.timestamp()) // (minutes * _MINUTE_S)


def slot_start(window: Window | None, slot: int, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which `slot` begins."""
    minutes = slot_minutes(window)
    if minutes == 0:
        day = date.fromordinal(slot)
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return datetime.fromtimestamp(slot * minutes * _MINUTE_S, UTC)


class Held(NamedTuple):
    """What the window that ends with slot `end` holds."""

    end: int
    sum: Count


def windows(slots: Mapping[int, Count], touched: Collection[int], size: int) -> Iterator[Held]:
    """Yield the windows of `size` slots that end in a counted slot and hold a `touched` one.

    No other window holds more. Acts come in any order, so an act may also complete a window that
    ends after it.
    """
    ordered = sorted(slots)
    marks = sorted(touched)
    first, passed, count = 0, 0, NOTHING
    for end in ordered:
        count = plus(count, slots[end])
        while ordered[first] <= end - size:
            left = slots[ordered[first]]
            count = Count(count.total - left.total, count.part - left.part)
            first += 1
        while passed < len(marks) and marks[passed] <= end - size:
            passed += 1
        if passed < len(marks) and marks[passed] <= end:
            yield Held(end, count)


def first_possible(
    slots: Mapping[int, int], size: int, most: int, adding: int, from_slot: int
) -> int | None:
    """Return the first slot, `from_slot` or later, in which `adding` passes no window.

    None when it never will, being more than `most` by itself.
    """
    if adding > most:
        return None
    counted = sorted(slots)
    sums = list(accumulate((slots[slot] for slot in counted), initial=0))

    def held(end: int) -> int:
        return sums[bisect_right(counted, end)] - sums[bisect_right(counted, end - size)]

    # Room comes when a counted slot leaves the window, and at no other time.
    candidates = sorted({from_slot, *(slot + size for slot in counted if slot + size > from_slot)})
    return next(
        slot
        for slot in candidates
        if all(
            held(end) + adding <= most
            for end in (slot, *counted[bisect_right(counted, slot) :])
            if end < slot + size
        )
    )


class ActiveGuards:
    """The guard rules of one version of the catalogue; never changed once made."""

    def __init__(self, rules: Iterable[GuardRule] = ()) -> None:
        """Sort `rules` (active ones) into those that judge before posting and those that watch."""
        known = sorted(rules, key=lambda rule: rule.no)
        self.enforced = tuple(rule for rule in known if rule.document.mode in ENFORCING)
        self.watched = tuple(rule for rule in known if rule.document.mode not in ENFORCING)
        self.by_no = {rule.no: rule for rule in known}
        self.needs_cards = any(Subject.CARD in rule.document.subject for rule in known)
        self._judging: dict[tuple[int, ActKind], tuple[GuardRule, ...]] = {}
        self._watching = {
            kind: tuple(rule for rule in self.watched if kind in _COUNTED[rule.document.measure])
            for kind in ActKind
        }

    def watching(self, kind: ActKind) -> tuple[GuardRule, ...]:
        """Return the rules that watch acts of `kind`."""
        return self._watching[kind]

    def judging(self, partner_no: int, kind: ActKind) -> tuple[GuardRule, ...]:
        """Return the enforced rules that count acts of `kind` at the partner."""
        found = self._judging.get((partner_no, kind))
        if found is None:
            found = self._judging[partner_no, kind] = tuple(
                rule
                for rule in self.enforced
                if kind in _COUNTED[rule.document.measure]
                and rule.document.partner in {None, partner_no}
            )
        return found


NO_GUARDS = ActiveGuards()


def pack_cards(cards: Iterable[tuple[UUID, bytes]]) -> bytes:
    """Return which postings were made by card: the ends of their ids and of the cards' digests."""
    return b"".join(posting.bytes[8:] + digest[:CARD_BYTES] for posting, digest in cards)


def unpack_cards(packed: bytes) -> dict[bytes, str]:
    """Return the card of each posting, by the last 8 bytes of the posting's id."""
    step = 8 + CARD_BYTES
    return {
        packed[at : at + 8]: packed[at + 8 : at + step].hex()
        for at in range(0, len(packed) - step + 1, step)
    }
