"""What is asked of the server for the lines of a batch while their drafts are made.

The members are read first, and where the batch only gives points their receipts are claimed next:
for both only what the lines say is needed. By the time there are drafts the server is done.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.meanwhile import meanwhile
from coalition.kernel.errors import Refused
from coalition.kernel.ids import uuid7
from coalition.ledger import holders, receipts
from coalition.ledger.accounts import Kind
from coalition.ledger.claiming import Claimed
from coalition.ledger.drafts import Till
from coalition.ledger.holders import PLAIN, Standing
from coalition.ledger.waiting import Waiting
from coalition.points.commands import Asked, IssueBody
from coalition.points.deciding import Drafted
from coalition.points.drafting import till_of
from coalition.points.pooled import Planning
from coalition.points.terms import Beside, Terms

Tills = Mapping[int, Till]
"""By position among what is asked, where it is known."""
Drafting = Callable[[Tills], dict[int, Drafted]]


class Receipts(NamedTuple):
    """The receipts of what is asked, which are being claimed for the batch of this id."""

    batch: UUID
    digests: Mapping[int, bytes]
    """By position among what is asked."""

    def of(self, places: Sequence[int]) -> Claimed:
        """Return them for the drafts that were made of what is at `places`."""
        found = [(i, self.digests.get(place)) for i, place in enumerate(places)]
        return Claimed(self.batch, {i: digest for i, digest in found if digest is not None})


class Ahead:
    """Reads and claims what lines ask for, while their drafts are made."""

    def __init__(
        self,
        asked: Sequence[Asked],
        cards: Mapping[str, UUID],
        terms: Terms,
        at: datetime,
        planning: Planning | None,
    ) -> None:
        """Prepare for what is `asked`; `cards` tell who holds them."""
        self.standings: dict[UUID, Standing] = {}
        """How those stand who are given points."""
        self.claimed: Receipts | None = None
        """The receipts, where they are claimed."""
        self._asked = asked
        self._cards = cards
        self._terms = terms
        self._at = at
        self._planning = planning

    @property
    def beside(self) -> Beside:
        """How the receivers stand, as it is told of what is read beside the terms."""
        return Beside(self._terms, self.standings, None, {})

    async def draft(
        self, connection: Connection, drafting: Drafting, waiting: Waiting
    ) -> dict[int, Drafted]:
        """Return what `drafting` makes, by position.

        Receipts are claimed only where no holder has to be locked before, and what is drafted will
        be posted unless a line before it stands on the same receipt. While they are, nothing is
        asked of the connection: see `Later.begin`.
        """
        receivers, later = self._receivers(), waiting.later
        if not receivers:
            return drafting({})
        reading = holders.read_states(connection, receivers)
        may_claim = waiting.trusts_ahead and waiting.defers and later.may_begin
        if not (may_claim and self._only_gives() and self._locks_none_of(receivers)):
            self.standings, drafted = await meanwhile(reading, lambda: drafting({}))
            return drafted
        self.standings, (tills, digests) = await meanwhile(reading, self._receipts)
        self._leave_out_refused(receivers, digests)
        if not digests or any(map(_is_locked, self.standings.values())):
            return drafting(tills)
        self.claimed = Receipts(uuid7(self._at), digests)
        receipts.claim_unused(later, set(digests.values()), self.claimed.batch)
        await later.begin(connection)
        drafted = drafting(tills)
        if undone := digests.keys() - drafted.keys():
            await later.settle()
            free = {digests[place] for place in undone}
            free -= {digests[place] for place in drafted if place in digests}
            await receipts.give_back(connection, sorted(free))
        return drafted

    def _receivers(self) -> set[UUID]:
        commands = [one.command for one in self._asked if isinstance(one.command, IssueBody)]
        receivers = {one.member_id for one in commands}
        if None in receivers:
            receivers |= {self._cards.get(one.card or "") for one in commands}
        return {one for one in receivers if one is not None}

    def _only_gives(self) -> bool:
        return all(isinstance(one.command, IssueBody) for one in self._asked)

    def _locks_none_of(self, receivers: set[UUID]) -> bool:
        """Tell whether giving points locks and refuses none of them, as far as it is known before.

        They are locked where clocks are, where a rule is capped or a guard enforced, and where they
        share; what a partner has to pay at once may be refused.
        """
        terms, planning = self._terms, self._planning
        if terms.catalogue.clocks or terms.has_caps or terms.guards.enforced:
            return False
        if terms.prepaid and not terms.prepaid.isdisjoint(one.partner_no for one in self._asked):
            return False
        return planning is None or planning.sharers.isdisjoint(receivers)

    def _leave_out_refused(self, receivers: set[UUID], digests: dict[int, bytes]) -> None:
        """Take out of `digests` what is given to members who are not there, or not active."""
        standings = self.standings
        refused = {one for one in receivers if standings.get(one) is not PLAIN}
        refused = {one for one in refused if holders.refusal_by_state(standings, one) is not None}
        if not refused:
            return
        for place in list(digests):
            command = self._asked[place].command
            assert isinstance(command, IssueBody), "all is to give points"
            if (command.member_id or self._cards.get(command.card or "")) in refused:
                del digests[place]

    def _receipts(self) -> tuple[dict[int, Till], dict[int, bytes]]:
        """Return the tills and the digests of the receipts, as far as the tills are right."""
        tills: dict[int, Till] = {}
        digests: dict[int, bytes] = {}
        for place, one in enumerate(self._asked):
            command = one.command
            assert isinstance(command, IssueBody), "all is to give points"
            try:
                till = till_of(one, command, self._terms, self._at)
            except Refused:
                continue  # its draft tells why
            tills[place] = till
            digests[place] = receipts.digest(
                partner_no=till.partner_no,
                store_no=till.store_no,
                receipt=command.receipt,
                business_day=till.business_day,
                kind=Kind.ISSUE,
            )
        return tills, digests


def _is_locked(standing: Standing) -> bool:
    """Tell whether a holder has to be locked, or asked with whom it shares, before it is given."""
    return standing is not PLAIN and (standing.owes > 0 or standing.shares or standing.keeps_shares)
