"""What of a batch waits to be written until its transaction ends, and what it will change.

Lots of whoever gives, redeems and holds in a single stage of its batch are read by nobody else in
it. So they wait, and what their holders can spend afterwards is what they can spend now and what is
counted here.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import Draft, Held, Hold, Issue, Outcome, Posted, Redeem
from coalition.ledger.holders import Standing
from coalition.ledger.provenance import RECEIVED_CLASS, Provenance, may_live

_TAKING, _DONE = (Redeem, Hold), (Posted, Held)  # unions would be made anew for each draft


class Waiting:
    """What waits of one batch. Who posts it writes `later`, last of all."""

    def __init__(
        self,
        *,
        defers: bool = False,
        trusts: bool = False,
        trusts_ahead: bool = False,
        counts: bool = True,
        locks_last: bool = False,
    ) -> None:
        """Begin with nothing.

        Unless it `defers` postings and lots, only what goes with postings waits. It `trusts` that
        receipts are unused where nothing else depends on it, and what was read of acts that are
        named to stand; if it `trusts_ahead`, receipts of gifts are claimed so before there are
        drafts. It `counts` what will change, unless nobody asks for it. Where it `locks_last`, lots
        of many gifts are written after their postings: others wait for them for a shorter time, and
        the server for the postings.
        """
        self.later = Later(locks_last=locks_last)
        self.defers = defers
        self.trusts = trusts
        self.trusts_ahead = trusts_ahead
        self.counts = counts
        self.given: dict[tuple[UUID, int], int] = {}
        """By holder and point currency: what of gifts that wait can be spent at once.

        Of these holders nothing else has changed since their standing was read.
        """
        self.taken: dict[tuple[UUID, int], int] = {}
        """The same of what is taken, or held, when it is written; of holders that were locked."""
        self.found: dict[tuple[UUID, int], int] = {}
        """What those holders could spend before, where it was read with their lots."""
        self.standings: Mapping[UUID, Standing] = {}
        """How the holders of the batch stand, once its lots may wait."""
        self.trusts_acts = False
        """Whether holds and postings that are named are trusted to stand as they were read."""
        self._today = date.min

    def defer_nothing(self) -> None:
        """Let only what goes with postings wait, for this batch."""
        self.defers = self.trusts = False

    def by(self, connection: Connection) -> Connection | Later:
        """Return what takes a statement that may wait as postings do."""
        return self.later if self.defers else connection

    def stand(self, batch: Batch) -> None:
        """Learn how the holders of `batch` stand, whose lots may wait."""
        self.standings, self._today = batch.standings, batch.journal.today
        # By its id alone a lot does not tell whose promise its points are.
        self.trusts_acts = self.trusts and not batch.journal.suspended

    def note_lot(self, holder: UUID, lot: UUID, currency_no: int, points: int) -> None:
        """Count that `points` more of a lot of `holder`, who is locked, are neither spent nor held.

        There are no clocks.
        """
        until = self.standings[holder].suspended_until
        if (until is not None and until >= self._today) or may_live(lot, self._today):
            _add(self.taken, holder, currency_no, -points)

    def change(self, holder: UUID, currency_no: int) -> int:
        """Return by how much what `holder` can spend grows when it is written."""
        key = holder, currency_no
        return self.given.get(key, 0) - self.taken.get(key, 0)

    def note(self, batch: Batch, outcomes: Iterable[tuple[Draft, Outcome]]) -> None:
        """Count what those drafts that wait do to what their holders can spend."""
        if not self.counts:
            return
        for draft, outcome in outcomes:
            if type(draft) is Issue and isinstance(outcome, Posted):
                standing, points = batch.standings[draft.holder], 0
                for grant in draft.grants:
                    if _is_live(grant.provenance, standing, batch):
                        points += grant.points
                # Whoever was locked, to decide what it earns, is read after that.
                sums, sign = (self.taken, -1) if draft.is_open else (self.given, 1)
                _add(sums, draft.holder, outcome.currency_no, sign * points)
            elif isinstance(draft, _TAKING) and isinstance(outcome, _DONE):
                _add(self.taken, draft.holder, draft.currency_no, outcome.points)


def lots_may_wait(waiting: Waiting | None, batch: Batch) -> Waiting | None:
    """Return `waiting` where lots of the batch may wait, else None.

    They may where nobody acts in two ways, or together with others. Where there are clocks or
    classes, or where somebody owes, more is read between the stages.
    """
    journal = batch.journal
    if waiting is None or not waiting.defers or journal.clocks or journal.classes.are_bound:
        return None
    if batch.owing or batch.others:
        return None
    if any(standing.shares or standing.keeps_shares for standing in batch.standings.values()):
        return None
    if not batch.only_gives and _acts_twice(batch):
        return None
    are_ordinary = all(
        grant.provenance.class_no <= RECEIVED_CLASS
        for draft in batch.drafts
        if type(draft) is Issue
        for grant in draft.grants
    )
    if not are_ordinary:
        return None
    waiting.stand(batch)
    return waiting


def _acts_twice(batch: Batch) -> bool:
    """Tell whether any holder acts in several ways, so in several stages."""
    acting: dict[type[Draft], set[UUID]] = {}
    for i in batch.open():
        acting.setdefault(type(batch.drafts[i]), set()).add(batch.holders[i])
    return sum(map(len, acting.values())) > len(set().union(*acting.values()))


def _is_live(provenance: Provenance, standing: Standing, batch: Batch) -> bool:
    """Tell whether points can be spent today; see `lots.balances`."""
    today, until = batch.journal.today, standing.suspended_until
    is_kept = until is not None and until >= today
    return (
        is_kept or provenance.expires_on is None or provenance.expires_on >= today
    ) and provenance.funder_no not in batch.journal.suspended


def _add(sums: dict[tuple[UUID, int], int], holder: UUID, currency_no: int, points: int) -> None:
    key = holder, currency_no
    sums[key] = sums.get(key, 0) + points
