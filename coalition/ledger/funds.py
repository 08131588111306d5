"""What the holders of one stage can spend, and what each of its drafts takes of it, in turn."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.ledger import holders, passages, pool_lots
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Hold, Redeem, Sources
from coalition.ledger.drawing import countable, draw, owners, take_away
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.passages import Through
from coalition.ledger.provenance import Provenance
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.rules import Available, take_in_order
from coalition.ledger.spending import after_redeeming, spendable


class Funds:
    """The lots of holders that drafts take from; what one has taken the next does not find."""

    def __init__(self, journal: Journal) -> None:
        """Begin with nothing known."""
        self._journal = journal
        self._available: dict[tuple[int, UUID], list[Available]] = {}
        self._kept: dict[UUID, Provenance] = {}

    @classmethod
    async def of(
        cls, connection: Connection, journal: Journal, drafts: Sequence[Redeem | Hold]
    ) -> "Funds":
        """Read what the holders of `drafts` can spend, and who pay with them; all are locked.

        Where several pay all that they have is read, else no more than is wanted.
        """
        funds = cls(journal)
        pooled: dict[int, set[UUID]] = defaultdict(set)
        alone: dict[int, dict[UUID, int]] = defaultdict(dict)
        for draft in drafts:
            if (sources := _others(draft)) is not None:
                pooled[draft.currency_no].update((draft.holder, *owners(draft.holder, sources)))
            else:
                wanted = alone[draft.currency_no]
                wanted[draft.holder] = wanted.get(draft.holder, 0) + draft.points
        for currency_no, payers in pooled.items():
            found = await pool_lots.read(connection, journal, payers, currency_no)
            funds._add(currency_no, found.available)
            funds._kept |= found.kept
            for holder in payers & alone[currency_no].keys():
                del alone[currency_no][holder]
        for currency_no, wanted in alone.items():
            if wanted:
                found_alone = await spendable(connection, journal, wanted, currency_no)
                funds._add(currency_no, found_alone)
        return funds

    def take(self, draft: Redeem | Hold, changes: LotChanges) -> Through | NotEnoughPoints:
        """Return the lots of its own holder that a draft takes, or why it cannot be covered.

        What others give has passed into them in `changes`, and is posted.
        """
        if (sources := _others(draft)) is not None:
            return self._take_together(draft, sources, changes)
        key = draft.currency_no, draft.holder
        left = self._available[key]
        taken = take_in_order(draft.points, left)
        if taken is None:
            return _not_enough(draft.points, left)
        self._note(draft)
        return Through(taken, {})

    def _take_together(
        self, draft: Redeem | Hold, sources: Sources, changes: LotChanges
    ) -> Through | NotEnoughPoints:
        currency_no = draft.currency_no
        available = {
            holder: self._available[currency_no, holder] for holder in owners(draft.holder, sources)
        }
        lots = countable(draft.holder, sources, available, self._kept)
        left = [one for of in lots.values() for one in of]
        if sum([one.points for one in left]) < draft.points:
            return _not_enough(draft.points, left)
        drawn = draw(draft.points, draft.holder, sources, lots, self._kept)
        gone: dict[UUID, dict[UUID, int]] = defaultdict(dict)
        for holder, lot, points in drawn:
            gone[holder][lot] = points
        for holder, parts in gone.items():
            take_away(available[holder], parts)
        self._note(draft)
        return passages.take(self._journal, changes, draft.holder, drawn, self._kept)

    def _note(self, draft: Redeem | Hold) -> None:
        """Let a redemption count as activity, as its holder's clocks stand then."""
        if self._journal.clocks and isinstance(draft, Redeem):
            key = draft.currency_no, draft.holder
            self._available[key] = after_redeeming(self._journal, self._available[key])

    def _add(self, currency_no: int, found: dict[UUID, list[Available]]) -> None:
        for holder, of in found.items():
            self._available[currency_no, holder] = of


def _others(draft: Redeem | Hold) -> Sources | None:
    """Return the sources of a draft for which others than its own holder pay."""
    sources = draft.sources
    return sources if sources is not None and (sources.holders or not sources.own) else None


def _not_enough(points: int, left: Sequence[Available]) -> NotEnoughPoints:
    return NotEnoughPoints(
        f"{points} points are wanted and fewer can be spent; ask for at most the balance",
        points=points,
        balance=sum(one.points for one in left),
    )


class Together(NamedTuple):
    """What a holder can spend: of its own, and of others."""

    own: int
    others: int


async def together(
    connection: Connection, journal: Journal, wanted: Mapping[UUID, Sources], currency_no: int
) -> dict[UUID, Together]:
    """Return what each holder could spend now by its sources; nothing is locked."""
    asked = {holder: owners(holder, sources) for holder, sources in wanted.items()}
    everybody = set(wanted).union(*asked.values())
    states = await holders.read_states(connection, everybody)
    active = {one for one, kept in states.items() if kept.state == HolderState.ACTIVE}
    found = await pool_lots.read(connection, journal, everybody, currency_no)
    balances = {}
    for holder, sources in wanted.items():
        counted = tuple(one for one in sources.holders if one in active)
        lots = countable(
            holder, structs.replace(sources, holders=counted), found.available, found.kept
        )
        sums = {one: sum(lot.points for lot in of) for one, of in lots.items()}
        own = sums.pop(holder, 0)
        balances[holder] = Together(own, sum(sums.values()))
    return balances
