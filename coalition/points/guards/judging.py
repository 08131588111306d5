"""The guards' part in a posting transaction: judges drafts before they are posted, counts after.

Nothing is asked of the database unless an enforced rule covers a draft of the batch. Then whoever
is counted is locked first, in the order of the keys, and what others have counted is read after.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel import outbox
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger.drafts import Draft, Held, Hold, Issue, Outcome, Posted, Redeem
from coalition.ledger.refusals import DuplicateReceipt
from coalition.points.commands import Asked, IssueBody, RedeemBody
from coalition.points.guards import queries, rules, signals
from coalition.points.guards.documents import GuardRule, Mode
from coalition.points.guards.queries import Range
from coalition.points.guards.refusals import ConfirmationNeeded, VelocityExceeded
from coalition.points.guards.rules import NOTHING, Act, ActKind, Count, Key
from coalition.points.guards.signals import Signal
from coalition.points.terms import Terms


class _Counted(NamedTuple):
    """What one act adds under one rule; without a window nothing is kept."""

    rule: GuardRule
    key: Key | None
    slot: int
    amount: int


SIGNALS_MOST = 1000
"""A batch tells of so many acts that did not go the usual way; the first say enough."""

Slots = dict[Key, dict[int, Count]]


class Guarding:
    """What the guards make of one batch; its drafts are named by their positions."""

    def __init__(
        self,
        terms: Terms,
        asked: Sequence[Asked],
        cards: Mapping[str, bytes],
    ) -> None:
        """Prepare for a batch of drafts of what was `asked`; `cards` are digests by card."""
        self._guards = terms.guards
        self._zone = terms.catalogue.zone
        self._asked = asked
        self._cards = cards
        self._counted: dict[int, list[_Counted]] = {}
        self._signals: list[Signal] = []
        self._confirmed: dict[int, list[Signal]] = {}

    @property
    def judges(self) -> bool:
        """Tell whether any rule is enforced, so that drafts must be judged before posting."""
        return bool(self._guards.enforced)

    async def judge(
        self, connection: Connection, drafts: Mapping[int, Draft]
    ) -> dict[int, Draft | Refused]:
        """Return the refusals of `drafts` that pass the number of an enforced rule.

        Whoever is counted stays locked until the transaction ends. An act is judged by when it
        occurred, together with those of the batch before it.
        """
        acts: dict[int, Act] = {}
        counted: dict[int, list[_Counted]] = {}
        for position in sorted(drafts):
            act = self._act(position, drafts[position])
            if act is not None and (found := self._counts(act)):
                acts[position], counted[position] = act, found
        slots = await self._read_locked(connection, counted)
        refusals: dict[int, Draft | Refused] = {}
        for position, act in acts.items():
            refusal = self._judge(position, act, counted[position], slots)
            if refusal is not None:
                refusals[position] = refusal
        return refusals

    async def count(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        """Count what was judged and then posted or held; the rest leaves nothing."""
        sums: dict[tuple[Key, int], Count] = {}
        for position, counted in self._counted.items():
            if isinstance(outcomes[position], Refused):
                continue
            for one in counted:
                if one.key is not None:
                    at = (one.key, one.slot)
                    sums[at] = rules.plus(sums.get(at, NOTHING), Count(one.amount))
        await queries.add(connection, sums)

    def events(
        self, drafts: Sequence[Draft], outcomes: Sequence[Outcome], batch: UUID
    ) -> list[outbox.Event]:
        """Return what the batch tells the outbox: what it posted, and what its guards saw.

        Nothing where nothing was posted and no guard, nor a receipt used twice, stood in the way.
        """
        told = self._seen(drafts, outcomes)
        postings = sum(1 + len(one.recovered) for one in outcomes if isinstance(one, Posted))
        events = [outbox.Event(signals.GUARDED, {"signals": told})] if told else []
        if postings:
            events.append(outbox.Event(signals.POSTED, self._posted(outcomes, batch, postings)))
        return events

    def _posted(self, outcomes: Sequence[Outcome], batch: UUID, postings: int) -> dict[str, object]:
        pairs = list(zip(self._asked, outcomes, strict=True))
        partners = {asked.partner_no for asked, one in pairs if not isinstance(one, Refused)}
        posted = [(asked, one) for asked, one in pairs if isinstance(one, Posted)]
        cards = []
        if self._guards.needs_cards:
            digests = [(one.posting, self._card_digest(asked)) for asked, one in posted]
            cards = [(posting, digest) for posting, digest in digests if digest is not None]
        measured = [one.posting for asked, one in posted if _is_measured(asked)]
        told = {"batch": str(batch), "postings": postings, "partners": sorted(partners)}
        if cards:
            told["cards"] = base64.b64encode(rules.pack_cards(cards)).decode()
        return told | {"measured": measured} if measured else told

    def _seen(self, drafts: Sequence[Draft], outcomes: Sequence[Outcome]) -> list[Signal]:
        told = list(self._signals)
        places = set(self._confirmed)
        if self._guards.watching(ActKind.DUPLICATE_RECEIPT):
            places |= {i for i, one in enumerate(outcomes) if isinstance(one, DuplicateReceipt)}
        for position in sorted(places):
            outcome = outcomes[position]
            if isinstance(outcome, DuplicateReceipt):
                act = self._act(position, drafts[position])
                if act is not None:
                    told.append(Signal(_as_duplicate(act)))
            elif isinstance(outcome, Posted | Held):
                made = outcome.posting if isinstance(outcome, Posted) else outcome.hold
                told += [_with_posting(one, made) for one in self._confirmed.get(position, ())]
        return told[:SIGNALS_MOST]

    def _card_digest(self, asked: Asked) -> bytes | None:
        """Return the digest of the card that was presented; None where there is none."""
        command = asked.command
        card = command.card if isinstance(command, IssueBody | RedeemBody) else None
        return self._cards.get(card) if card is not None else None

    def _act(self, position: int, draft: Draft) -> Act | None:
        if not isinstance(draft, Issue | Redeem | Hold):
            return None
        command = self._asked[position].command
        digest = self._card_digest(self._asked[position])
        if isinstance(draft, Issue):
            kind, points = ActKind.ISSUE, sum(grant.points for grant in draft.grants)
        else:
            kind, points = ActKind.REDEMPTION, draft.points
        return Act(
            kind,
            draft.till.partner_no,
            draft.holder,
            draft.till.occurred_at,
            points,
            draft.till.store_no,
            draft.till.client_no,
            draft.till.cashier,
            digest[: rules.CARD_BYTES].hex() if digest else None,
            isinstance(command, IssueBody) and command.points is not None,
            confirmed_by=command.confirmed_by if isinstance(command, RedeemBody) else None,
        )

    def _counts(self, act: Act) -> list[_Counted]:
        """Return what `act` adds under each rule; those that refuse come first."""
        found = []
        for rule in self._guards.judging(act.partner_no, act.kind):
            amount = rules.counts(rule.document, act)
            subject = rules.subject_text(rule.document, act)
            if amount is None or subject is None:
                continue
            window = rule.document.window
            key = None if window is None else rules.key_of(rule.no, subject)
            slot = rules.slot_of(window, act.occurred_at, self._zone)
            found.append(_Counted(rule, key, slot, amount.total))
        return sorted(
            found, key=lambda one: (one.rule.document.mode is not Mode.REFUSE, one.rule.no)
        )

    async def _read_locked(
        self, connection: Connection, counted: Mapping[int, list[_Counted]]
    ) -> Slots:
        """Lock whoever is counted, then return what was counted of them so far."""
        latest: dict[Key, int] = {}
        ranges: dict[Key, Range] = {}
        for found in counted.values():
            for one in found:
                window = one.rule.document.window
                if one.key is None or window is None:
                    continue
                around = rules.length(window) - 1
                known = ranges.get(one.key, Range(one.key, one.slot, one.slot))
                first, last = one.slot - around, one.slot + around
                ranges[one.key] = Range(one.key, min(known.first, first), max(known.last, last))
                latest[one.key] = max(latest.get(one.key, one.slot), one.slot)
        if not latest:
            return {}
        await queries.lock(connection, latest)
        return await queries.read(connection, list(ranges.values()))

    def _judge(
        self, position: int, act: Act, counted: Sequence[_Counted], slots: Slots
    ) -> Refused | None:
        """Return why the act may not be done; if it may, it counts for those that follow."""
        confirmed = []
        for one in counted:
            held = slots.get(one.key, {}) if one.key is not None else {}
            reached = _reached(one, held)
            if reached <= one.rule.document.most:
                continue
            if one.rule.document.mode is Mode.REFUSE:
                return self._refuse(one, act, reached, held)
            if not _is_confirmed(act):
                return self._ask(one, act, reached)
            confirmed.append(Signal(act, one.rule.no, signals.Outcome.CONFIRMED, reached))
        for one in counted:
            if one.key is not None:
                kept = slots.setdefault(one.key, {})
                kept[one.slot] = rules.plus(kept.get(one.slot, NOTHING), Count(one.amount))
        self._counted[position] = list(counted)
        self._confirmed[position] = confirmed
        return None

    def _refuse(
        self, one: _Counted, act: Act, reached: int, held: Mapping[int, Count]
    ) -> VelocityExceeded:
        self._signals.append(Signal(act, one.rule.no, signals.Outcome.REFUSED, reached))
        document = one.rule.document
        free_at = None
        if document.window is not None:
            totals = {slot: count.total for slot, count in held.items()}
            size = rules.length(document.window)
            slot = rules.first_possible(totals, size, document.most, one.amount, one.slot)
            if slot is not None:
                free_at = rules.slot_start(document.window, slot, self._zone)
        within = f" within {document.window.text}" if document.window else ""
        later = f"it is possible from {_text(free_at)}" if free_at else "that is too much by itself"
        return VelocityExceeded(
            f"{document.measure.replace('_', ' ')}{within} would be {reached} and at most "
            f"{document.most} are allowed; {later}",
            limit=document.most,
            used=reached - one.amount,
            measure=document.measure,
            subject=[str(subject) for subject in document.subject],
            next_possible_at=_text(free_at),
        )

    def _ask(self, one: _Counted, act: Act, reached: int) -> ConfirmationNeeded:
        self._signals.append(Signal(act, one.rule.no, signals.Outcome.ASKED, reached))
        document = one.rule.document
        within = f" within {document.window.text}" if document.window else ""
        return ConfirmationNeeded(
            f"{document.measure.replace('_', ' ')}{within} would be {reached} and above "
            f"{document.most} somebody must answer for it who is not the cashier; send it again "
            "with confirmed_by",
            limit=document.most,
            points=act.points,
            measure=document.measure,
            subject=[str(subject) for subject in document.subject],
            confirm_with="confirmed_by",
        )


def _reached(one: _Counted, held: Mapping[int, Count]) -> int:
    """Return the most that any window with this act in it would hold."""
    window = one.rule.document.window
    if window is None:
        return one.amount
    raised = {**held, one.slot: rules.plus(held.get(one.slot, NOTHING), Count(one.amount))}
    size = rules.length(window)
    return max(found.sum.total for found in rules.windows(raised, [one.slot], size))


def _is_measured(asked: Asked) -> bool:
    """Tell whether points are given for visits or hours: without a purchase, and by a rule."""
    command = asked.command
    return type(command) is IssueBody and command.purchase is None and command.points is None


def _is_confirmed(act: Act) -> bool:
    """Tell whether somebody else than the cashier answers for the act."""
    by, cashier = _spelled(act.confirmed_by), _spelled(act.cashier)
    return by not in {"", cashier}


def _spelled(name: str | None) -> str:
    """Return a name without what tills spell differently: blanks around it, small letters."""
    return (name or "").strip().casefold()


def _as_duplicate(act: Act) -> Act:
    return msgspec.structs.replace(act, kind=ActKind.DUPLICATE_RECEIPT)


def _with_posting(signal: Signal, posting: UUID) -> Signal:
    act = msgspec.structs.replace(signal.act, posting=posting)
    return msgspec.structs.replace(signal, act=act)


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant else None
