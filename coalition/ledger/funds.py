"""What the holders of one stage can spend, and what each of its drafts takes of it, in turn."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.ledger import holders, lots, passages, pool_lots
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Hold, Redeem
from coalition.ledger.drawing import (
    Countable,
    Drawn,
    Opening,
    countable,
    draw,
    draw_shares,
    goes_by_shares,
    opening,
    owners,
    shares,
    take_away,
)
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.passages import Through
from coalition.ledger.provenance import Provenance
from coalition.ledger.refusals import NotEnoughPoints, bound_elsewhere
from coalition.ledger.rules import Available, take_in_order
from coalition.ledger.selecting import Sources
from coalition.ledger.spending import after_redeeming, after_spending_of_others, spendable
from coalition.ledger.waiting import Waiting
from coalition.ledger.walking import walk_telling


class _Payers:
    """Who pays in one stage, by currency: together, or alone, so much and at which partner."""

    def __init__(self, drafts: Sequence[Redeem | Hold]) -> None:
        self.together: dict[int, set[UUID]] = defaultdict(set)
        self.alone: dict[int, dict[UUID, int]] = defaultdict(dict)
        self.partners: dict[int, dict[UUID, int]] = defaultdict(dict)
        self.about: set[tuple[int, UUID]] = set()
        """Who asks alone at several partners."""
        for draft in drafts:
            currency_no, holder = draft.currency_no, draft.holder
            if (sources := others_of(draft)) is not None:
                self.together[currency_no].update((holder, *owners(holder, sources)))
                continue
            points, partner_no = self.alone[currency_no], draft.till.partner_no
            points[holder] = points.get(holder, 0) + draft.points
            if self.partners[currency_no].setdefault(holder, partner_no) != partner_no:
                self.about.add((currency_no, holder))


class Funds:
    """The lots of holders that drafts take from; what one has taken the next does not find."""

    def __init__(self, journal: Journal) -> None:
        """Begin with nothing known."""
        self._journal = journal
        self._available: dict[tuple[int, UUID], list[Available]] = {}
        self._kept: dict[UUID, Provenance] = {}
        self._whole: set[tuple[int, UUID]] = set()
        """Of whom all lots are here, whether or not they are open where it asks."""
        self._given: dict[int, Mapping[UUID, int] | NotEnoughPoints] = {}
        """What each gives for a draft, by the draft's identity, where balances say it."""

    @classmethod
    async def of(
        cls,
        connection: Connection,
        journal: Journal,
        drafts: Sequence[Redeem | Hold],
        waiting: Waiting | None = None,
    ) -> "Funds":
        """Read what the holders of `drafts` can spend, and who pay with them; all are locked.

        Where several pay all that they have is read, unless their balances alone say what each
        gives; else no more than is wanted, and `waiting` is told what there was.
        """
        funds = cls(journal)
        payers = _Payers(drafts)
        whole = payers.together
        for currency_no in [no for no in whole if funds._goes_by_shares(no, drafts, payers)]:
            await funds._read_shares(connection, currency_no, drafts, whole.pop(currency_no))
        if journal.classes.are_bound:
            for currency_no, holder in payers.about:
                whole[currency_no].add(holder)
        for currency_no, wanted in whole.items():
            found = await pool_lots.read(connection, journal, wanted, currency_no)
            funds._add(currency_no, found.available)
            funds._kept |= found.kept
            funds._whole |= {(currency_no, holder) for holder in wanted}
        # Lines of a batch are told no balance: of who pays them only what covers them is read.
        tells = waiting if waiting is not None and waiting.counts else None
        for currency_no, points in payers.alone.items():
            rest = {one: points[one] for one in points.keys() - whole.get(currency_no, set())}
            if rest and tells is not None and not whole and not journal.suspended:
                walked = await walk_telling(
                    connection, rest, currency_no, journal.today, tells.standings
                )
                funds._add(currency_no, walked.available)
                tells.found |= {(one, currency_no): of for one, of in walked.spendable.items()}
            elif rest:
                where = payers.partners[currency_no] if journal.classes.are_bound else None
                found_alone = await spendable(connection, journal, rest, currency_no, where)
                funds._add(currency_no, found_alone)
        return funds

    def _goes_by_shares(
        self, currency_no: int, drafts: Sequence[Redeem | Hold], payers: _Payers
    ) -> bool:
        """Tell whether balances say what each gives, whose lots are spent in the order of ids."""
        journal = self._journal
        if journal.clocks or journal.classes.are_bound:
            return False
        if not payers.together[currency_no].isdisjoint(payers.alone.get(currency_no, ())):
            return False
        asked = (others_of(draft) for draft in drafts if draft.currency_no == currency_no)
        return all(sources is None or goes_by_shares(sources) for sources in asked)

    async def _read_shares(
        self,
        connection: Connection,
        currency_no: int,
        drafts: Sequence[Redeem | Hold],
        payers: Collection[UUID],
    ) -> None:
        """Read what those who pay together have, and of their lots no more than each gives."""
        today, suspended = self._journal.today, self._journal.suspended
        left = await lots.balances(connection, payers, currency_no, today, suspended)
        wanted: dict[UUID, int] = defaultdict(int)
        for draft in drafts:
            sources = others_of(draft)
            if sources is None or draft.currency_no != currency_no:
                continue
            balances = {holder: left[holder] for holder in owners(draft.holder, sources)}
            if sum(balances.values()) < draft.points:
                self._given[id(draft)] = _not_enough(draft.points, sum(balances.values()))
                continue
            given = shares(draft.points, draft.holder, sources.order, balances)
            self._given[id(draft)] = given
            for holder, points in given.items():
                left[holder] -= points
                wanted[holder] += points
        asked = {holder: points for holder, points in wanted.items() if points}
        if asked:
            found = await lots.walk(connection, asked, currency_no, today, suspended)
            self._add(currency_no, found)
            pairs = [(one.lot, holder) for holder, of in found.items() for one in of]
            ids, holders_of = zip(*pairs, strict=True)
            kept = await lots.read(connection, ids, holders_of, today)
            self._kept |= {lot: one.provenance for lot, one in kept.items()}

    def take(self, draft: Redeem | Hold, changes: LotChanges) -> Through | NotEnoughPoints:
        """Return the lots of its own holder that a draft takes, or why it cannot be covered.

        What others give has passed into them in `changes`, and is posted.
        """
        if (sources := others_of(draft)) is not None:
            return self._take_together(draft, sources, changes)
        key = draft.currency_no, draft.holder
        left = self._available[key]
        is_open = self._journal.classes.open_at(draft.till.partner_no)
        if is_open is not None and key in self._whole:
            counted = [one for one in left if is_open(self._kept[one.lot])]
            taken = take_in_order(draft.points, counted)
            if taken is None:
                return _not_enough(draft.points, _sum(counted))
            take_away(left, dict(taken))
        elif (taken := take_in_order(draft.points, left)) is None:
            return _not_enough(draft.points, _sum(left))
        self._note(draft)
        return Through(taken, {})

    def _take_together(
        self, draft: Redeem | Hold, sources: Sources, changes: LotChanges
    ) -> Through | NotEnoughPoints:
        given = self._given.get(id(draft))
        if isinstance(given, NotEnoughPoints):
            return given
        if given is not None:
            return self._take_shares(draft, given, changes)
        currency_no = draft.currency_no
        available = {
            holder: self._available[currency_no, holder] for holder in owners(draft.holder, sources)
        }
        where = opening(self._journal.classes, sources, draft.till.partner_no)
        lots = countable(draft.holder, sources, available, self._kept, where)
        left = [one for of in lots.values() for one in of]
        if sum([one.points for one in left]) < draft.points:
            anywhere = countable(draft.holder, sources, available, self._kept, Opening())
            every = [one for of in anywhere.values() for one in of]
            return _not_enough(draft.points, _sum(left), _sum(every))
        drawn = draw(draft.points, draft.holder, sources, lots, self._kept)
        self._take_away(currency_no, drawn)
        self._note(draft)
        if sources.is_activity and isinstance(draft, Redeem):
            self._note_others(draft, drawn)
        taken = passages.take(self._journal, changes, draft.holder, drawn, self._kept)
        return taken._replace(is_activity=sources.is_activity)

    def _take_shares(
        self, draft: Redeem | Hold, given: Mapping[UUID, int], changes: LotChanges
    ) -> Through:
        lots_of: Countable = {
            holder: self._available[draft.currency_no, holder]
            for holder, points in given.items()
            if points
        }
        drawn = draw_shares(given, lots_of)
        assert sum(one.points for one in drawn) == draft.points, "lots cover what balances do"
        self._take_away(draft.currency_no, drawn)
        return passages.take(self._journal, changes, draft.holder, drawn, self._kept)

    def _take_away(self, currency_no: int, drawn: Iterable[Drawn]) -> None:
        gone: dict[UUID, dict[UUID, int]] = defaultdict(dict)
        for holder, lot, points in drawn:
            gone[holder][lot] = points
        for holder, parts in gone.items():
            take_away(self._available[currency_no, holder], parts)

    def _note(self, draft: Redeem | Hold) -> None:
        """Let a redemption count as activity, as its holder's clocks stand then."""
        if self._journal.clocks and isinstance(draft, Redeem):
            key = draft.currency_no, draft.holder
            self._available[key] = after_redeeming(self._journal, self._available[key])

    def _note_others(self, draft: Redeem, drawn: Iterable[Drawn]) -> None:
        """Let a redemption count as activity of those others whose points it takes."""
        if not self._journal.clocks:
            return
        for holder in {one.holder for one in drawn} - {draft.holder}:
            self._journal.active.add((holder, draft.currency_no))
            key = draft.currency_no, holder
            left = self._available[key]
            self._available[key] = after_spending_of_others(self._journal, left)

    def _add(self, currency_no: int, found: dict[UUID, list[Available]]) -> None:
        for holder, of in found.items():
            self._available[currency_no, holder] = of


def others_of(draft: Redeem | Hold) -> Sources | None:
    """Return the sources of a draft for which several pay, or one who has points of several."""
    sources = draft.sources
    if sources is None or (sources.own and not sources.holders and sources.pot is None):
        return None
    return sources


def _sum(lots: Iterable[Available]) -> int:
    return sum([one.points for one in lots])


def _not_enough(points: int, balance: int, anywhere: int = 0) -> NotEnoughPoints:
    """Return the refusal of a balance at a partner, which may be more `anywhere`."""
    refusal = NotEnoughPoints(
        f"{points} points are wanted and fewer can be spent; ask for at most the balance",
        points=points,
        balance=balance,
    )
    return bound_elsewhere(refusal, anywhere - balance) if anywhere > balance else refusal


class Together(NamedTuple):
    """What a holder can spend: of its own, and of others."""

    own: int
    others: int


async def together(
    connection: Connection,
    journal: Journal,
    wanted: Mapping[tuple[UUID, int], Sources],
    currency_no: int,
) -> dict[tuple[UUID, int], Together]:
    """Return what each holder could spend now at a partner by its sources; nothing is locked.

    At partner 0 it is what it could spend at any.
    """
    asked = [(holder, *owners(holder, sources)) for (holder, _), sources in wanted.items()]
    everybody = {one for some in asked for one in some}
    states = await holders.read_states(connection, everybody)
    active = {one for one, kept in states.items() if kept.state == HolderState.ACTIVE}
    if not journal.classes.are_bound and not any(map(_tells_apart, wanted.values())):
        sums = await lots.balances(
            connection, everybody, currency_no, journal.today, journal.suspended, standings=states
        )
        return {key: _sum_of(key[0], sources, sums, active) for key, sources in wanted.items()}
    found = await pool_lots.read(connection, journal, everybody, currency_no)
    balances = {}
    for (holder, partner_no), sources in wanted.items():
        counted = structs.replace(
            sources, holders=tuple(one for one in sources.holders if one in active)
        )
        where = opening(journal.classes, sources, partner_no)
        open_lots = countable(holder, counted, found.available, found.kept, where)
        sums = {one: sum(lot.points for lot in of) for one, of in open_lots.items()}
        own = sums.pop(holder, 0)
        balances[holder, partner_no] = Together(own, sum(sums.values()))
    return balances


def _tells_apart(sources: Sources) -> bool:
    """Tell whether only some of the points of others count."""
    return sources.lots is not None or sources.binding is not None


def _sum_of(
    holder: UUID, sources: Sources, balances: Mapping[UUID, int], active: Collection[UUID]
) -> Together:
    payers = owners(holder, sources)
    others = sum(balances.get(one, 0) for one in payers if one != holder and one in active)
    return Together(balances.get(holder, 0) if holder in payers else 0, others)
