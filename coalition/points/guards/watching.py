"""The guards after the commit: counts what was posted, set by set, and opens cases.

A batch is counted once, however often its event is delivered: it is marked in the transaction that
counts it. So is what the cases get. What the till hears does not depend on any of this.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import structlog

from coalition.federation import catalogue
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.outbox import Delivery, GatheringSubscriber
from coalition.ledger import acts as ledger_acts
from coalition.ledger.accounts import Kind
from coalition.ledger.posting import PINNED_FOR_LINES
from coalition.members import service as members
from coalition.points.guards import queries, rules
from coalition.points.guards.documents import GuardRule, Mode, Subject
from coalition.points.guards.queries import KEPT_MOST, Hit, NewCase
from coalition.points.guards.rules import Act, ActiveGuards, ActKind, Count
from coalition.points.guards.signals import GUARDED, POSTED, Outcome, PostedBatch, Signal, Signals
from coalition.points.guards.tallying import Tally

ACTOR = "system:guards"
BATCHES_KEPT = timedelta(days=14)
"""How long it is remembered that a batch was counted: longer than any job is tried again."""

POSTINGS_AT_ONCE = 5000
"""When a transaction of the worker has so many postings to count, the rest waits for the next."""

_KINDS = {
    Kind.ISSUE: ActKind.ISSUE,
    Kind.REDEEM: ActKind.REDEMPTION,
    Kind.REVERSAL: ActKind.REVERSAL,
}

_logger = structlog.get_logger(__name__)


class Noticed(NamedTuple):
    """Acts of one subject that passed the number of a rule within the window ending with `slot`."""

    rule: GuardRule
    subject: str
    slot: int
    outcome: Outcome
    reached: int
    acts: tuple[Act, ...]


async def watch(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Count the acts that `deliveries` tell of, and write what passes a number into cases."""
    for part in _parts(deliveries):
        await retrying(partial(_watch, part, at))


def _parts(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Yield `deliveries` in parts that one transaction counts, so that a backlog needs no more."""
    part: list[Delivery] = []
    postings = 0
    for delivery in deliveries:
        if part and postings >= POSTINGS_AT_ONCE:
            yield part
            part, postings = [], 0
        part.append(delivery)
        postings += delivery.payload.get("postings", 1)
    if part:
        yield part


async def _watch(deliveries: Sequence[Delivery], at: datetime) -> None:
    async with transaction(PINNED_FOR_LINES) as connection:
        known = await catalogue.load(connection)
        guards = ActiveGuards(await queries.read_rules(connection))
        batches = _batches(deliveries)
        told = {one.id: one for one in deliveries if one.kind == GUARDED}
        fresh = await queries.take(connection, [*batches, *told], at)
        acts = await _posted(connection, [one for no, one in batches.items() if no in fresh])
        signals = [
            signal
            for no, one in told.items()
            if no in fresh
            for signal in msgspec.convert(one.payload, Signals).signals
        ]
        acts += [signal.act for signal in signals if signal.rule_no is None]
        noticed = await _count(connection, acts, guards, known.zone)
        noticed += _of_signals(signals, guards, known.zone)
        await _write(connection, noticed, known.zone, at)


SUBSCRIBER = GatheringSubscriber("guards", frozenset({POSTED, GUARDED}), watch)
"""Who counts what was posted."""


async def tidy(at: datetime) -> int:
    """Drop counts that lie before every window of their rule; return how many rows."""
    async with transaction() as connection:
        known = await catalogue.load(connection)
        if not known.is_set_up:
            return 0
        oldest = {}
        for rule in await queries.read_rules(connection, retired=True):
            window = rule.document.window
            if window is not None:
                slot = rules.slot_of(window, at, known.zone)
                # As long again is kept, for acts that come in late.
                oldest[rule.no] = slot - 2 * rules.length(window)
        return await queries.forget(connection, oldest, batches_before=at - BATCHES_KEPT)


def _batches(deliveries: Iterable[Delivery]) -> dict[UUID, PostedBatch]:
    """Return the committed batches that name their partners; guards can look up no others."""
    found = {}
    for delivery in deliveries:
        if delivery.kind != GUARDED and delivery.payload.get("partners"):
            batch = msgspec.convert(delivery.payload, PostedBatch)
            found[batch.batch] = batch
    return found


async def _posted(connection: Connection, batches: Sequence[PostedBatch]) -> list[Act]:
    """Return what tills posted in `batches`, in the order of the postings."""
    wanted = [(one.batch, partner_no) for one in batches for partner_no in one.partners]
    if not wanted:
        return []
    cards: dict[bytes, str] = {}
    measured: set[UUID] = set()
    for one in batches:
        cards |= one.card_of()
        measured.update(one.measured)
    recorded = await ledger_acts.of_batches(connection, wanted)
    return [
        Act(
            _KINDS[Kind(one.kind)],
            one.partner_no,
            one.holder,
            one.occurred_at,
            one.points,
            one.store_no,
            one.client_no,
            one.cashier,
            cards.get(one.id.bytes[8:]),
            one.kind == Kind.ISSUE and one.is_manual and one.id not in measured,
            one.id,
        )
        for one in sorted(recorded, key=lambda one: one.id)
    ]


async def _count(
    connection: Connection, acts: Sequence[Act], guards: ActiveGuards, zone: ZoneInfo
) -> list[Noticed]:
    """Count `acts` under every rule that watches; return what passed a number."""
    tally = Tally(zone)
    for act in acts:
        tally.add(act, guards.watching(act.kind))
    tally.add_sighted(await queries.sight(connection, tally.sighted))
    await queries.add(connection, tally.sums)
    held = await queries.read(connection, tally.ranges())
    noticed = [
        Noticed(rule, subject, slot, _outcome(rule), act.points, (act,))
        for rule, subject, slot, act in tally.single
    ]
    for key, (rule, subject) in tally.subjects.items():
        found = _worst(rule, held.get(key, {}), tally.acts[key])
        if found is not None:
            noticed.append(Noticed(rule, subject, *found))
    return noticed


def _worst(
    rule: GuardRule, slots: Mapping[int, Count], acts: Sequence[tuple[int, Act]]
) -> tuple[int, Outcome, int, tuple[Act, ...]] | None:
    """Return the window with one of `acts` in it that passes the rule's number by the most."""
    document = rule.document
    assert document.window is not None, "what has no window is not summed"
    size = rules.length(document.window)
    passed = [
        found
        for found in rules.windows(slots, {slot for slot, _ in acts}, size)
        if rules.is_passed(document, found.sum)
    ]
    if not passed:
        return None
    worst = max(passed, key=lambda found: (rules.reached(document, found.sum), found.end))
    within = tuple(act for slot, act in acts if worst.end - size < slot <= worst.end)
    return worst.end, _outcome(rule), rules.reached(document, worst.sum), within


def _outcome(rule: GuardRule) -> Outcome:
    return Outcome.FROZEN if rule.document.mode is Mode.FREEZE else Outcome.REPORTED


def _of_signals(signals: Iterable[Signal], guards: ActiveGuards, zone: ZoneInfo) -> list[Noticed]:
    """Return what enforced rules asked, let pass and refused; one retired since opens no case."""
    found = []
    for signal in signals:
        rule = guards.by_no.get(signal.rule_no or 0)
        if rule is None or signal.outcome is None:
            continue
        subject = rules.subject_text(rule.document, signal.act)
        assert subject is not None, "an enforced rule has judged it"
        slot = rules.slot_of(rule.document.window, signal.act.occurred_at, zone)
        found.append(Noticed(rule, subject, slot, signal.outcome, signal.reached, (signal.act,)))
    return found


async def _write(
    connection: Connection, noticed: Sequence[Noticed], zone: ZoneInfo, at: datetime
) -> None:
    """Add what was noticed to the open cases of its subjects; freeze where the rule says so."""
    wanted = {(one.rule.no, one.subject): _case(one) for one in noticed}
    cases = await queries.open_cases(connection, [wanted[key] for key in sorted(wanted)], at)
    gathered: dict[tuple[UUID, int, Outcome], list[Noticed]] = {}
    for one in noticed:
        key = cases[one.rule.no, one.subject], one.slot, one.outcome
        gathered.setdefault(key, []).append(one)
    await queries.add_hits(
        connection, [_hit(case, same, zone) for (case, _, _), same in sorted(gathered.items())]
    )
    frozen = {act.member for one in noticed if one.outcome is Outcome.FROZEN for act in one.acts}
    for member in sorted(frozen):
        await _freeze(member, at)


async def _freeze(member: UUID, at: datetime) -> None:
    try:
        await members.freeze(MemberId(member), actor=ACTOR, at=at)
    except Refused as refusal:  # closed or merged meanwhile
        _logger.warning("guard_froze_nobody", code=refusal.code)


def _case(one: Noticed) -> NewCase:
    named = {Subject.MEMBER, Subject.CARD} & set(one.rule.document.subject)
    act = one.acts[-1]
    return NewCase(one.rule.no, one.subject, act.member if named else None, act.partner_no)


def _hit(case: UUID, same: Sequence[Noticed], zone: ZoneInfo) -> Hit:
    one = same[0]
    window = one.rule.document.window
    size = 1 if window is None else rules.length(window)
    acts = [act for noticed in same for act in noticed.acts]
    return Hit(
        case,
        one.slot,
        one.outcome,
        rules.slot_start(window, one.slot - size + 1, zone),
        rules.slot_start(window, one.slot + 1, zone),
        max(noticed.reached for noticed in same),
        one.rule.document.most,
        len(acts),
        [act.posting for act in acts if act.posting is not None][:KEPT_MOST],
        sorted({act.cashier for act in acts if act.cashier is not None})[:KEPT_MOST],
        sorted({act.confirmed_by for act in acts if act.confirmed_by is not None})[:KEPT_MOST],
    )
