"""Transfers: points of one holder go to another lot by lot, and keep where they came from.

Who issued them, under which contract, for whose money, in which month and at what price never
changes. When they end is carried over unless the draft says otherwise, so that a transfer does not
wash a date away. What is owed is not paid by points received, and does not keep anybody from
sending: a transfer is no earning.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import clocks, lots, pool_lots, resolutions
from coalition.ledger.accounts import OUT_OF_LOT, Account, HoldState, Kind
from coalition.ledger.clocks import Started, months_later
from coalition.ledger.drafts import Held, Outcome, Passed, Transfer, Transferred, Waiting
from coalition.ledger.halves import OPERATOR, add_pair
from coalition.ledger.holds import Holds
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import LotChanges
from coalition.ledger.provenance import NO_CLOCK, Provenance
from coalition.ledger.refusals import (
    CaptureExceedsHold,
    HoldResolved,
    NotEnoughPoints,
    UnknownHold,
)
from coalition.ledger.resolutions import KeptHold, Resolutions
from coalition.ledger.rules import Available, after_activity, take_in_order
from coalition.ledger.selecting import Side, TakingOrder
from coalition.ledger.transferable import arriving, may_move, passes, without

Taken = list[tuple[UUID, int]]


class _Chosen(NamedTuple):
    """What a draft takes for the receiver, and what for its fee."""

    points: Taken
    fee: Taken


async def transfer(
    connection: Connection, journal: Journal, drafts: Sequence[Transfer]
) -> list[Outcome]:
    """Post `drafts`, whose senders and receivers are locked; refuse one that is not covered.

    Drafts of one sender are posted in their order. What somebody receives is not sent on by
    another of them: that is for the next wave. Points of suspended funders move only where a hold
    reserved them before.
    """
    stage = await _Stage.of(connection, journal, drafts)
    outcomes = [stage.post(draft) for draft in drafts]
    await stage.write(connection)
    return outcomes


class _Stage:
    """Transfers of one stage: what their senders have left, and what changes."""

    def __init__(
        self,
        journal: Journal,
        available: dict[tuple[int, UUID], list[Available]],
        holds: dict[UUID, KeptHold],
        kept: dict[UUID, Provenance],
    ) -> None:
        self._journal = journal
        self._available = available
        self._holds = holds
        self._kept = kept
        self._resolutions = Resolutions(journal.at)
        # What a hold reserved is released and taken in one step.
        self._out, self._into = self._resolutions.changes, LotChanges()
        self._reserved = Holds(journal, self._out)
        self._started: dict[Started, UUID | None] = {}
        """Clocks of points that arrive, each with the sender whose clock they have had."""
        self._active: set[tuple[UUID, int]] = set()
        self._fresh = {
            clock.no: months_later(journal.today, clock.months) for clock in journal.clocks
        }

    @classmethod
    async def of(
        cls, connection: Connection, journal: Journal, drafts: Sequence[Transfer]
    ) -> "_Stage":
        """Read what the senders of `drafts` can give, and what their holds reserve."""
        reserved = {draft.hold for draft in drafts if draft.hold is not None}
        holds = await resolutions.read_holds(connection, reserved) if reserved else {}
        first, whole = _senders(journal, drafts)
        available: dict[tuple[int, UUID], list[Available]] = {}
        kept = await _provenances(
            connection,
            journal,
            {(leg.lot, one.holder) for one in holds.values() for leg in one.legs},
        )
        for currency_no, wanted in first.items():
            found = await lots.walk(
                connection, wanted, currency_no, journal.today, journal.suspended
            )
            asked = {(one.lot, holder) for holder, of in found.items() for one in of}
            kept |= await _provenances(connection, journal, asked)
            for holder, of in found.items():
                if all(_is_alive(kept[one.lot], journal) for one in of):
                    available[currency_no, holder] = of
                else:
                    whole[currency_no].add(holder)
        for currency_no, holders in whole.items():
            read = await pool_lots.read(connection, journal, holders, currency_no)
            kept |= read.kept
            available |= {(currency_no, holder): of for holder, of in read.available.items()}
        return cls(journal, available, holds, kept)

    def post(self, draft: Transfer) -> Outcome:
        """Post a transfer that can be done whole."""
        assert draft.till.partner_no == OPERATOR, "members move points, not partners"
        chosen = self._choose(draft) if draft.hold is None else self._of_hold(draft)
        if isinstance(chosen, Refused):
            return chosen
        if draft.waits is not None:
            return self._reserve(draft, chosen, draft.waits)
        legs: list[tuple[Leg, Leg]] = []
        for lot, part in chosen.points:
            arrives = arriving(draft, self._kept[lot])
            # What another sent is told by its class; what comes from a pool was earned before.
            again = arrives.class_no not in self._journal.classes.received
            into = self._into.put_in(draft.receiver, arrives, part, comes_again=again)
            legs.append(((lot, part, None), (into, part, None)))
            self._note_clock(draft, self._kept[lot], arrives)
        till = structs.replace(draft.till, receipt=None)
        left, arrived = add_pair(
            self._journal,
            Kind.TRANSFER,
            (draft.holder, draft.receiver),
            draft.currency_no,
            legs,
            till=till,
            reason=draft.reason,
        )
        fee_posting = self._add_fee(draft, chosen.fee, left) if chosen.fee else None
        for lot, part in (*chosen.points, *chosen.fee):
            self._out.take_out(lot, draft.holder, points=part)
        if draft.hold is not None:
            self._resolve(self._holds[draft.hold], left)
        self._note_activity(draft)
        return Transferred(
            posting=left,
            into_posting=arrived,
            holder=draft.holder,
            receiver=draft.receiver,
            points=draft.points,
            legs=tuple(Passed(gave[0], got[0], gave[1]) for gave, got in legs),
            fee_posting=fee_posting,
            currency_no=draft.currency_no,
        )

    async def write(self, connection: Connection) -> None:
        """Write what has changed; clocks run on where the points have gone."""
        await self._resolutions.write(connection)
        await self._reserved.write(connection)
        await self._into.write(connection)
        journal = self._journal
        handed_on = {one: sender for one, sender in self._started.items() if sender is not None}
        await clocks.hand_on(connection, handed_on, journal.today)
        fresh = self._started.keys() - handed_on.keys()
        await clocks.start(connection, journal.clocks, fresh, journal.today)
        await clocks.renew(connection, journal.clocks, self._active, journal.today)

    def _choose(self, draft: Transfer) -> _Chosen | NotEnoughPoints:
        """Take points and fee of what the sender can spend, or nothing at all."""
        key = draft.currency_no, draft.holder
        left = self._available[key]
        today = self._journal.today
        movable = [one for one in left if may_move(draft, one, self._kept[one.lot], today)]
        if draft.order is TakingOrder.OLDEST_EARNED:
            movable.sort(key=lambda one: self._kept[one.lot].earned_month)
        balance = sum(one.points for one in movable)
        taken = take_in_order(draft.points, movable)
        if taken is None:
            return _not_enough(draft.points, balance)
        rest = without(left, taken)
        fee = take_in_order(draft.fee_points, rest)
        if fee is None:
            return _not_enough(draft.points + draft.fee_points, sum(one.points for one in left))
        self._available[key] = rest
        return _Chosen(taken, fee)

    def _reserve(self, draft: Transfer, chosen: _Chosen, waits: Waiting) -> Held:
        """Hold what a transfer would take, points and fee."""
        parts: dict[UUID, int] = {}
        for lot, part in (*chosen.points, *chosen.fee):
            parts[lot] = parts.get(lot, 0) + part
        till = structs.replace(draft.till, receipt=waits.receipt)
        return self._reserved.add(
            draft.holder, till, draft.currency_no, list(parts.items()), expires_at=waits.until
        )

    def _of_hold(self, draft: Transfer) -> _Chosen | Refused:
        """Take points and fee of the legs of the draft's hold, also what has ended meanwhile.

        The points are those first that the draft would choose; the fee is any of the rest.
        """
        assert draft.hold is not None, "only drafts with a hold come here"
        kept = self._holds.get(draft.hold)
        if kept is None or (kept.holder, kept.partner_no, kept.currency_no) != (
            draft.holder,
            draft.till.partner_no,
            draft.currency_no,
        ):
            return UnknownHold()
        if kept.state != HoldState.OPEN or kept.expires_at <= self._journal.at:
            return HoldResolved()
        legs = sorted(kept.legs, key=lambda leg: self._rank(draft, self._kept[leg.lot]))
        taken, fee = take_in_order(draft.points, legs), take_in_order(draft.fee_points, legs)
        if taken is None or fee is None:
            return CaptureExceedsHold(
                f"the hold reserves {kept.points} points; transfer at most that, with the fee",
                limit=kept.points,
            )
        return _Chosen(taken, fee)

    @staticmethod
    def _rank(draft: Transfer, was: Provenance) -> tuple[bool, int]:
        by_age = draft.order is TakingOrder.OLDEST_EARNED
        is_other = not passes(draft.lots, was, draft.holder)
        return is_other, was.earned_month if by_age else 0

    def _resolve(self, kept: KeptHold, posting: UUID) -> None:
        self._resolutions.resolve(kept, HoldState.CAPTURED, posting)
        self._holds[kept.id] = kept._replace(state=HoldState.CAPTURED)

    def _add_fee(self, draft: Transfer, fee: Taken, posting: UUID) -> UUID:
        return self._journal.add(
            kind=Kind.FEE,
            holder=draft.holder,
            till=structs.replace(draft.till, receipt=None),
            currency_no=draft.currency_no,
            direction=OUT_OF_LOT,
            legs=[(lot, part, None) for lot, part in fee],
            account=Account.ADJUSTED,
            linked=posting,
            reason=draft.reason,
        )

    def _note_clock(self, draft: Transfer, was: Provenance, arrives: Provenance) -> None:
        """Let points under a clock live on: as long as with the sender, or from today on.

        What comes first starts the clock. A sender that was active before has it run from today.
        """
        if arrives.clock_no == NO_CLOCK:
            return
        started = Started(draft.receiver, arrives.currency_no, arrives.clock_no)
        is_carried = draft.endings is None or was.contract_no not in draft.endings
        was_active = (draft.holder, draft.currency_no) in self._active
        self._started.setdefault(started, draft.holder if is_carried and not was_active else None)

    def _note_activity(self, draft: Transfer) -> None:
        if not self._journal.clocks:
            return
        if Side.RECEIVER in draft.activity:
            self._active.add((draft.receiver, draft.currency_no))
        if Side.SENDER in draft.activity:
            self._active.add((draft.holder, draft.currency_no))
            key = draft.currency_no, draft.holder
            self._available[key] = after_activity(self._available.get(key, ()), self._fresh)


def _senders(
    journal: Journal, drafts: Sequence[Transfer]
) -> tuple[dict[int, dict[UUID, int]], dict[int, set[UUID]]]:
    """Return by currency of whom the first lots do, and for how many points; and of whom not.

    Without clocks lots are spent in the order of their ids. All that a sender has is read where
    a draft takes certain lots only, in another order, or points that may not arrive alive.
    """
    first: dict[int, dict[UUID, int]] = defaultdict(dict)
    whole: dict[int, set[UUID]] = defaultdict(set)
    for draft in drafts:
        if draft.hold is not None:
            continue
        is_plain = draft.lots is None and not draft.endings and not journal.clocks
        if is_plain and draft.order is TakingOrder.EARLIEST_EXPIRY:
            wanted = first[draft.currency_no]
            points = draft.points + draft.fee_points
            wanted[draft.holder] = wanted.get(draft.holder, 0) + points
        else:
            whole[draft.currency_no].add(draft.holder)
    for currency_no, holders in whole.items():
        for holder in holders & first[currency_no].keys():
            del first[currency_no][holder]
    return {currency_no: wanted for currency_no, wanted in first.items() if wanted}, whole


def _is_alive(of: Provenance, journal: Journal) -> bool:
    """Tell whether points live elsewhere too: not only as expiry is suspended for their holder."""
    return of.expires_on is None or of.expires_on >= journal.today


async def _provenances(
    connection: Connection, journal: Journal, wanted: Collection[tuple[UUID, UUID]]
) -> dict[UUID, Provenance]:
    if not wanted:
        return {}
    ids, holders = zip(*sorted(wanted), strict=True)
    found = await lots.read(connection, ids, holders, journal.today)
    return {lot: one.provenance for lot, one in found.items()}


def _not_enough(points: int, balance: int) -> NotEnoughPoints:
    return NotEnoughPoints(
        f"{points} points are to move and fewer can; ask for at most the balance",
        points=points,
        balance=balance,
    )
