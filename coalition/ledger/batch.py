"""A batch on its way: its drafts, whose points they move, and what became of each."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from coalition.kernel.errors import Refused
from coalition.ledger.drafts import Draft, Issue, Outcome
from coalition.ledger.holders import Standing
from coalition.ledger.journal import Journal
from coalition.ledger.originals import KeptPosting
from coalition.ledger.resolutions import KeptHold
from coalition.ledger.selecting import Side


class Batch:
    """Drafts on their way: whose points they move, where they stand, and what became of each."""

    def __init__(
        self, drafts: Sequence[Draft], journal: Journal, locked: Collection[UUID] = ()
    ) -> None:
        """Take `drafts`; nothing is decided yet, and nobody locked but who is `locked` already."""
        self.locked = locked
        self.drafts = list(drafts)
        gifts = [one for one in drafts if type(one) is Issue and not one.onward]
        self.only_gives = len(gifts) == len(drafts)
        """All drafts give points, each to its holder alone: so they are all one wave."""
        self.journal = journal
        self.outcomes: list[Outcome | None] = [None] * len(drafts)
        self.holders = {i: one.holder for i, one in enumerate(gifts)} if self.only_gives else {}
        """Of each draft from whom points are taken, or who is given some."""
        self.kept_holds: Mapping[UUID, KeptHold] = {}
        """The holds that are named, as they were before their holders were locked."""
        self.originals: Mapping[UUID, KeptPosting] = {}
        """The postings to be reversed, likewise."""
        self.others: dict[int, tuple[UUID, ...]] = {}
        """Of some drafts whose points move as well; they are locked with all takers."""
        self.sides: dict[int, dict[UUID, Side]] = {}
        """Of transfers, and of those undone: which side each of both holders is."""
        self.standings: dict[UUID, Standing] = {}
        self.owing: dict[UUID, Standing] = {}
        """The holders, all locked, that have debts: something is taken of what they are issued."""
        self.survivors: dict[UUID, UUID] = {}
        """Of postings to be reversed whose holders were merged: who has taken over since."""
        self.heirs: dict[UUID, UUID] = {}
        """Of transfers to be undone: who has taken over from a side that was merged."""
        self.tills = {i: one.till for i, one in enumerate(gifts)} if self.only_gives else {}
        self.digests: dict[int, bytes] | None = None
        """Of drafts that stand on a receipt, its digest; None until it is asked for."""
        self.is_claimed = False
        """Receipts are claimed since before there were drafts: see `claiming.Claimed`."""
        self.trusted: dict[int, bytes] = {}
        """Of drafts whose receipts are thought to be unused, and claimed last, their digests."""
        self.repeats: dict[int, bytes] = {}
        """Drafts whose receipt an earlier draft of the batch stands on, with its digest."""

    def concerned(self) -> set[UUID]:
        """Return all whose points the drafts move that are not refused so far."""
        concerned = {self.holders[i] for i in self.open()}
        return concerned.union(*(others for i, others in self.others.items() if self.is_open(i)))

    def is_open(self, i: int) -> bool:
        """Tell whether the draft at a position is not refused so far."""
        return self.outcomes[i] is None

    def is_refused(self, i: int) -> bool:
        """Tell whether the draft at a position is refused."""
        return isinstance(self.outcomes[i], Refused)

    def open(self) -> list[int]:
        """Return the positions of the drafts that are not refused so far."""
        return [i for i, outcome in enumerate(self.outcomes) if outcome is None]
