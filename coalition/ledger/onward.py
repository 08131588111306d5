"""Shares of what is earned that go on to others at once, such as to the head of a family.

An issue is posted whole to its earner; then the share goes on by a transfer, and the passage says
how much of which lot went where, so that a reversal of the issue brings it back.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.money import split
from coalition.ledger import clocks, lots, passages
from coalition.ledger.accounts import Kind
from coalition.ledger.clocks import Activity, Started
from coalition.ledger.drafts import Issue, Outcome, Posted
from coalition.ledger.halves import add_pair
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.passages import EARNED_TOGETHER, Passage, brought_by, shares_of
from coalition.ledger.provenance import NO_CLOCK, Provenance, lot_id
from coalition.ledger.selecting import Onward
from coalition.ledger.transferable import passes


async def send_on(
    connection: Connection, journal: Journal, drafts: Sequence[Issue], outcomes: Sequence[Outcome]
) -> None:
    """Send on the shares of issues that were posted; their holders and receivers are locked."""
    made = [
        (draft, outcome)
        for draft, outcome in zip(drafts, outcomes, strict=True)
        if draft.onward and isinstance(outcome, Posted)
    ]
    if not made:
        return
    owners = {
        lot_id(draft.holder, grant.provenance): draft.holder
        for draft, _ in made
        for grant in draft.grants
    }
    kept = await lots.read(connection, list(owners), list(owners.values()), journal.today)
    sending = _Sending(journal, kept)
    for draft, outcome in made:
        sending.send(draft, outcome)
    await sending.write(connection)


class _Sending:
    """Shares on their way out of the lots of one stage's issues."""

    def __init__(self, journal: Journal, kept: dict[UUID, KeptLot]) -> None:
        self._journal = journal
        self._left = {lot: one.available if one.live else 0 for lot, one in kept.items()}
        self._out, self._into = LotChanges(), LotChanges()
        self._passed: list[Passage] = []
        self._handed_on: dict[Started, UUID] = {}
        self._started: set[Started] = set()
        self._earning: set[Activity] = set()

    def send(self, draft: Issue, outcome: Posted) -> None:
        """Send each receiver its share of what the issue gave and no debt has taken."""
        issued: dict[Provenance, int] = defaultdict(int)
        for grant in draft.grants:
            issued[grant.provenance] += grant.points
        paid = sum(one.points for one in outcome.recovered)
        gone = []
        for onward in draft.onward or ():
            counted = {
                provenance: points
                for provenance, points in issued.items()
                if self._counts(provenance, draft, onward)
            }
            there = [
                min(points, self._left[lot_id(draft.holder, provenance)])
                for provenance, points in counted.items()
            ]
            share = max(sum(counted.values()) - paid, 0) * onward.percent // 100
            points = min(share, sum(there))
            if points:
                parts = dict(zip(counted, split(points, there), strict=True))
                self._pass(draft, outcome, onward, parts)
                gone.append((onward.receiver, points))
        outcome.shares = shares_of(gone)

    async def write(self, connection: Connection) -> None:
        """Write what has changed; who is given a share has earned, as far as clocks count that."""
        await self._out.write(connection)
        await self._into.write(connection)
        await passages.write(connection, self._passed)
        journal = self._journal
        await clocks.hand_on(connection, self._handed_on, journal.today)
        await clocks.start(connection, journal.clocks, self._started, journal.today)
        await clocks.set_back(connection, journal.clocks, self._earning, journal.today)

    def _pass(
        self, draft: Issue, outcome: Posted, onward: Onward, parts: dict[Provenance, int]
    ) -> None:
        legs: list[tuple[Leg, Leg]] = []
        for provenance, part in parts.items():
            if not part:
                continue
            lot = lot_id(draft.holder, provenance)
            arriving = _arriving(provenance, draft, onward)
            self._left[lot] -= part
            self._out.take_out(lot, draft.holder, points=part)
            into = self._into.put_in(onward.receiver, arriving, part)
            legs.append(((lot, part, None), (into, part, None)))
            self._passed.append(Passage(outcome.posting, lot, onward.receiver, into, part, 0))
            self._note_clock(draft, onward, arriving)
        self._earning.add(Activity(onward.receiver, outcome.currency_no, Kind.ISSUE))
        way = draft.holder, onward.receiver
        add_pair(
            self._journal, Kind.TRANSFER, way, outcome.currency_no, legs, reason=EARNED_TOGETHER
        )

    def _counts(self, provenance: Provenance, draft: Issue, onward: Onward) -> bool:
        """Tell whether points of an issue count for a share: as wanted, and where they live."""
        return (
            passes(onward.lots, provenance, draft.holder)
            and self._left[lot_id(draft.holder, provenance)] > 0
            and not _arrives_dead(_arriving(provenance, draft, onward), self._journal.today)
        )

    def _note_clock(self, draft: Issue, onward: Onward, arriving: Provenance) -> None:
        """Let points under a clock live on; one that has not begun begins with them."""
        if arriving.clock_no == NO_CLOCK:
            return
        started = Started(onward.receiver, arriving.currency_no, arriving.clock_no)
        self._started.add(started)
        if onward.endings is None or arriving.contract_no not in onward.endings:
            self._handed_on.setdefault(started, draft.holder)


def _arriving(was: Provenance, draft: Issue, onward: Onward) -> Provenance:
    """Return the provenance that points of an issue have where their share goes."""
    arrives = brought_by(was, draft.holder, onward.receiver)
    if onward.classes is not None:
        arrives = arrives._replace(class_no=onward.classes.get(was.class_no, was.class_no))
    end = (onward.endings or {}).get(was.contract_no)
    if end is None:
        return arrives
    return arrives._replace(expires_on=end.expires_on, clock_no=end.clock_no)


def _arrives_dead(arriving: Provenance, today: date) -> bool:
    return arriving.expires_on is not None and arriving.expires_on < today
