"""What a batch does to the clocks of its holders: it starts them, and sets them back."""

from collections.abc import Iterable, Sequence

from coalition.kernel.database import Connection
from coalition.ledger import clocks
from coalition.ledger.accounts import Kind
from coalition.ledger.clocks import Activity, Clock, Started
from coalition.ledger.drafts import Adjust, Draft, Issue, Outcome, Posted
from coalition.ledger.journal import Journal
from coalition.ledger.provenance import NO_CLOCK, Provenance


class Clockwork:
    """The registered clocks, as the postings of one batch move them.

    What was issued and redeemed sets clocks back when the batch is done, in one statement. That is
    `at_once` after each stage where what follows in the batch depends on it: for holders whose
    clock had lapsed, and for conversions, which hand clocks on.
    """

    def __init__(self, registered: Sequence[Clock], journal: Journal, *, at_once: bool) -> None:
        """Follow the postings of `journal`."""
        self._clocks = registered
        self._journal = journal
        self._at_once = at_once

    async def follow(
        self, connection: Connection, done: Iterable[tuple[Draft, Outcome | None]]
    ) -> None:
        """Start the clocks of points that a stage has given, so that the next can spend them."""
        started = {
            Started(outcome.holder, provenance.currency_no, provenance.clock_no)
            for draft, outcome in done
            if isinstance(outcome, Posted)
            for provenance in _given(draft)
            if provenance.clock_no != NO_CLOCK
        }
        await clocks.start(connection, self._clocks, started, self._journal.today)
        if self._at_once:
            await self._set_back(connection)

    async def finish(self, connection: Connection) -> None:
        """Let what was issued and redeemed count as activity, unless it has."""
        if not self._at_once:
            await self._set_back(connection)

    async def _set_back(self, connection: Connection) -> None:
        activities = {
            Activity(holder, currency_no, kind)
            for kind, holder, currency_no in self._journal.moves()
            if kind in (Kind.ISSUE, Kind.REDEEM)
        }
        await clocks.set_back(connection, self._clocks, activities, self._journal.today)


def _given(draft: Draft) -> list[Provenance]:
    """Return where the points come from that a draft puts into new lots."""
    if isinstance(draft, Issue):
        return [grant.provenance for grant in draft.grants]
    return [draft.given] if isinstance(draft, Adjust) and draft.given else []
