"""What a batch does to the clocks of its holders: it starts them, and sets them back."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger import clocks
from coalition.ledger.accounts import Kind
from coalition.ledger.clocks import Activity, Started
from coalition.ledger.drafts import (
    Adjust,
    Convert,
    Draft,
    Issue,
    Outcome,
    Posted,
    Redeem,
    Transfer,
)
from coalition.ledger.journal import Journal
from coalition.ledger.provenance import NO_CLOCK, Provenance


class Clockwork:
    """The registered clocks, as the postings of one batch move them.

    What was issued and redeemed sets clocks back when the batch is done, in one statement. That is
    `at_once` after each stage where what follows in the batch depends on it: for holders whose
    clock had lapsed, for those who act more than once, since clocks have a say in what is spent
    first, and for conversions and transfers, which hand clocks on.
    """

    def __init__(self, journal: Journal, *, at_once: bool) -> None:
        """Follow the postings of `journal`."""
        self._clocks = journal.clocks
        self._journal = journal
        self._at_once = at_once
        self._told: set[Activity] = set()
        self._renewed: set[tuple[UUID, int]] = set()

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
        } - self._told
        await clocks.set_back(connection, self._clocks, activities, self._journal.today)
        self._told |= activities
        renewed = self._journal.active - self._renewed
        await clocks.renew(connection, self._clocks, renewed, self._journal.today)
        self._renewed |= renewed


def one_after_another(acting: Sequence[tuple[UUID, Draft]]) -> bool:
    """Tell whether one of some drafts, each with its holder, may depend on an earlier one's clock.

    A conversion and a transfer hand clocks on within their own stage; who spends points of others
    may set theirs back.
    """
    holders = {holder for holder, _ in acting}
    return len(holders) < len(acting) or any(
        isinstance(draft, Convert | Transfer)
        or (isinstance(draft, Redeem) and draft.sources is not None and draft.sources.is_activity)
        for _, draft in acting
    )


def _given(draft: Draft) -> list[Provenance]:
    """Return where the points come from that a draft puts into new lots."""
    if isinstance(draft, Issue):
        return [grant.provenance for grant in draft.grants]
    return [draft.given] if isinstance(draft, Adjust) and draft.given else []
