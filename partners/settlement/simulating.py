"""Replays past periods of a partner under a draft contract: who would have paid what, line by line.

The same code as always prices the moves (`pricing`) and composes the statements (`rules`); only the
contract is another. The draft stands in place of every version that was in force in the replayed
time, also for points that were issued under those versions earlier. Nothing is written.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from coalition.federation import rules as federation
from coalition.federation.catalogue import Catalogue
from coalition.federation.settlement_rules import PRICE_PLACES
from coalition.federation.terms import Contract, ContractTerms
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import BUCKETS_PER_SHARD, SHARDS
from coalition.ledger.money import MoneyAccount, MoneyEntry
from partners.settlement import closing, draining, feed, periods, statements, sums
from partners.settlement.calendars import Period, beginning_of_day
from partners.settlement.kinds import ChargeKind
from partners.settlement.pricing import Charge, Move, PriceBook, counts_from, price
from partners.settlement.refusals import UnknownPeriod
from partners.settlement.rules import Composed, Group, Line

STEPS = SHARDS
"""In how many parts a simulation is read; it tells after each of them."""

_SNAPSHOT = feed.PLANS | {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
}
_OF_PARTIES = (MoneyAccount.PARTNER, MoneyAccount.PROMOTION)
_LONG_AGO = date(2000, 1, 1)

Tell = Callable[[], None]
"""Called after each of the `STEPS` parts."""


class LineChange(msgspec.Struct, frozen=True, kw_only=True):
    """What charges of one kind and origin come to in a period: as it was, and as it would be.

    Minor units without and with VAT beside them; positive is what the partner pays.
    """

    period: str
    kind: ChargeKind
    origin: str
    currency: str
    points: int
    was_minor: int
    was_vat_minor: int
    would_be_minor: int
    would_be_vat_minor: int

    @property
    def more_minor(self) -> int:
        """Return how much more the partner would pay, VAT included."""
        would_be = self.would_be_minor + self.would_be_vat_minor
        return would_be - self.was_minor - self.was_vat_minor


class PartyChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner, or the operator as a funder, pays net of all, VAT included."""

    partner_no: int
    currency: str
    was_minor: int
    would_be_minor: int

    @property
    def more_minor(self) -> int:
        """Return how much more the party would pay."""
        return self.would_be_minor - self.was_minor


class AccountChange(msgspec.Struct, frozen=True, kw_only=True):
    """What comes into an account of the operator; major units, as exact as the money book."""

    account: MoneyAccount
    currency: str
    was: Decimal
    would_be: Decimal

    @property
    def more(self) -> Decimal:
        """Return how much more would come in."""
        return self.would_be - self.was


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A replay of `periods`; `lines` are the partner's, `parties` begin with the partner.

    What all parties would pay more is what would come more into the `accounts`.
    """

    partner_no: int
    periods: tuple[Period, ...]
    lines: tuple[LineChange, ...]
    parties: tuple[PartyChange, ...]
    accounts: tuple[AccountChange, ...]


async def simulate(
    partner_no: int, terms: ContractTerms, *, first: date, last: date, at: datetime, tell: Tell
) -> Simulation:
    """Replay the partner's periods that begin in the months of `first` to `last` under `terms`.

    What was posted is replayed in the period in which it occurred, whether or not it was booked in
    a later one; adjustments of money by hand are left out. Raises `UnknownPeriod` where there is no
    such period by `at`, and `InvalidTerms`.
    """
    settled = federation.settled_terms(terms)
    await periods.ensure(at)
    async with transaction(_SNAPSHOT) as connection:
        book = await draining.read_book(connection)
        chosen = _chosen(book, partner_no, first, last, at)
        drafts = _drafts(book.catalogue, partner_no, settled, chosen)
        drafted = PriceBook(_with(book.catalogue, drafts), book.periods)
        was, would_be = _Replayed(book), _Replayed(drafted)
        for shard in range(STEPS):
            for move in await _moves(connection, shard, chosen, book):
                was.add(move)
                would_be.add(redrawn(move, drafts, partner_no))
            tell()
        await was.compose(connection, chosen)
        await would_be.compose(connection, chosen)
    return Simulation(
        partner_no=partner_no,
        periods=tuple(chosen),
        lines=_lines(chosen, book.periods[partner_no], was, would_be),
        parties=_parties(partner_no, was, would_be),
        accounts=_accounts(was, would_be),
    )


class Draft(NamedTuple):
    """A contract version that was in force, and as it would have been."""

    was: Contract
    would_be: Contract


def redrawn(move: Move, drafts: Mapping[int, Draft], partner_no: int) -> Move:
    """Return `move` with what its lots, or the debt that they pay, would have cost at issue."""
    draft = drafts.get(move.contract_no)
    if draft is not None:
        move = move._replace(issue_price=_price(move.issue_price, draft))
        if move.funder_no == partner_no:
            move = move._replace(prefunded_share=draft.would_be.prefunded_share)
    paid = drafts.get(move.accept_contract_no or 0)
    if paid is not None and move.accept_price is not None:
        move = move._replace(accept_price=_price(move.accept_price, paid))
    return move


def _price(kept: Decimal, draft: Draft) -> Decimal:
    """Return the drafted issue price; of points that were converted in the same proportion."""
    was, would_be = draft.was.issue_price, draft.would_be.issue_price
    if was in {kept, Decimal(0)}:
        return would_be
    return (kept * would_be / was).quantize(PRICE_PLACES)


def _chosen(
    book: PriceBook, partner_no: int, first: date, last: date, at: datetime
) -> list[Period]:
    """Return the partner's periods whose first day lies in the months of `first` to `last`."""
    found = [
        period
        for period in book.periods.get(partner_no, ())
        if period.starts_at <= at
        and (first.year, first.month)
        <= _month(period.starts_at.astimezone(ZoneInfo(period.timezone)))
        <= (last.year, last.month)
    ]
    if not found:
        raise UnknownPeriod(
            f"no period of the partner begins from {first:%Y-%m} to {last:%Y-%m}",
            partner_no=partner_no,
        )
    return found


def _month(instant: datetime) -> tuple[int, int]:
    return instant.year, instant.month


def _drafts(
    known: Catalogue, partner_no: int, terms: ContractTerms, chosen: Sequence[Period]
) -> dict[int, Draft]:
    """Return by number each version in force in the chosen time, and what it would be."""
    plain = {field: getattr(terms, field) for field in ContractTerms.__struct_fields__}
    versions = known.contracts_of(partner_no)
    begins = [counts_from(version) for version in versions]
    ends = [*begins[1:], None]
    # What came before the first version counts as in it.
    begins[0] = min(begins[0], chosen[0].starts_at)
    return {
        version.no: Draft(version, msgspec.structs.replace(version, **plain))
        for version, begin, end in zip(versions, begins, ends, strict=True)
        if begin < chosen[-1].ends_at and (end is None or end > chosen[0].starts_at)
    }


def _with(known: Catalogue, drafts: Mapping[int, Draft]) -> Catalogue:
    """Return the catalogue with the drafted versions in their places."""
    return Catalogue(
        version=known.version,
        coalition=known.coalition,
        partners=known.partners,
        stores=known.stores,
        contracts=[drafts[one.no].would_be if one.no in drafts else one for one in known.contracts],
        currencies=known.currencies,
        rates=known.rates,
        money_rates=known.money_rates,
        clocks=known.clocks,
        defaults=known.defaults,
    )


async def _moves(
    connection: Connection, shard: int, chosen: Sequence[Period], book: PriceBook
) -> list[Move]:
    """Return the moves of a shard in the chosen time; the first period has what came before it."""
    since = chosen[0].starts_at
    if chosen[0].no == 1:
        since = beginning_of_day(_LONG_AGO, ZoneInfo(chosen[0].timezone))
    first = shard * BUCKETS_PER_SHARD
    buckets = first, first + BUCKETS_PER_SHARD - 1
    return await feed.moves_between(connection, since, chosen[-1].ends_at, book, buckets=buckets)


class _Replayed:
    """Moves as one price book has them: groups of all parties, statements, and the money book."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._groups: dict[int, dict[int, list[Group]]] = defaultdict(lambda: defaultdict(list))
        self._totals: dict[Charge, list[int]] = defaultdict(lambda: [0, 0])
        self.sides: dict[tuple[MoneyAccount, str], Decimal] = defaultdict(Decimal)
        self.made: dict[int, dict[int, Composed]] = {}

    def add(self, move: Move) -> None:
        """Price a move and add up what it costs whom."""
        priced = price(move, self._book)
        for side in priced.sides:
            self.sides[side.account, side.currency] += side.unit * move.points
        for charge in priced.charges:
            total = self._totals[draining.booked(charge, {})]
            total[0] += move.points
            total[1] += move.postings

    async def compose(self, connection: Connection, chosen: Sequence[Period]) -> None:
        """Make the statements of all parties, with what their closes book.

        Those `chosen` also where nothing happened: there may be fees of the period as such.
        """
        for period in chosen:
            self._groups[period.partner_no][period.no] = []
        for charge, (points, charges) in self._totals.items():
            self._book_all(draining.vat_entries(charge, points))
            group = sums.priced(charge, points=points, charges=charges)
            self._groups[charge.partner_no][charge.period_no].append(group)
        for partner_no, groups in sorted(self._groups.items()):
            held = [one for one in self._book.periods[partner_no] if one.no in groups]
            known = self._book.catalogue
            made = await statements.composed(connection, held, known, groups)
            self.made[partner_no] = {period.no: one for period, one in zip(held, made, strict=True)}
            for one in made:
                for line in one.lines:
                    self._book_all(closing.entries(line, partner_no))

    def _book_all(self, entries: Iterable[MoneyEntry]) -> None:
        for entry in entries:
            self.sides[entry.account, entry.currency] += entry.amount

    def lines(self, partner_no: int, period_no: int) -> tuple[Line, ...]:
        """Return the lines of a partner's period."""
        made = self.made.get(partner_no, {}).get(period_no)
        return made.lines if made is not None else ()

    def net(self, partner_no: int) -> dict[str, int]:
        """Return what a partner pays in all, by currency, in minor units with VAT."""
        found: dict[str, int] = defaultdict(int)
        for one in self.made.get(partner_no, {}).values():
            for total in one.totals:
                found[total.currency] += total.net_minor
        return found


def _lines(
    chosen: Sequence[Period], all_periods: Sequence[Period], was: _Replayed, would_be: _Replayed
) -> tuple[LineChange, ...]:
    names = {period.no: period.name for period in all_periods}
    found = []
    for period in chosen:
        before = _summed(was.lines(period.partner_no, period.no))
        after = _summed(would_be.lines(period.partner_no, period.no))
        for kind, origin_no, currency in sorted(before.keys() | after):
            key = kind, origin_no, currency
            one, other = before.get(key, _NOTHING), after.get(key, _NOTHING)
            found.append(
                LineChange(
                    period=period.name,
                    kind=kind,
                    origin=names[origin_no],
                    currency=currency,
                    points=other.points or one.points,
                    was_minor=one.amount_minor,
                    was_vat_minor=one.vat_minor,
                    would_be_minor=other.amount_minor,
                    would_be_vat_minor=other.vat_minor,
                )
            )
    return tuple(found)


class _Sum(NamedTuple):
    points: int
    amount_minor: int
    vat_minor: int


_NOTHING = _Sum(0, 0, 0)


def _summed(lines: Iterable[Line]) -> dict[tuple[ChargeKind, int, str], _Sum]:
    """Return the lines of a statement without regard to contract version and VAT code."""
    found: dict[tuple[ChargeKind, int, str], _Sum] = {}
    for line in lines:
        key = line.kind, line.origin_no, line.currency
        held = found.get(key, _NOTHING)
        found[key] = _Sum(
            held.points + line.points,
            held.amount_minor + line.amount_minor,
            held.vat_minor + line.vat_minor,
        )
    return found


def _parties(partner_no: int, was: _Replayed, would_be: _Replayed) -> tuple[PartyChange, ...]:
    """Return the partner, and all others for whom anything changes."""
    found = []
    for party in sorted(was.made.keys() | would_be.made, key=lambda no: (no != partner_no, no)):
        before, after = was.net(party), would_be.net(party)
        found += [
            PartyChange(
                partner_no=party,
                currency=currency,
                was_minor=before.get(currency, 0),
                would_be_minor=after.get(currency, 0),
            )
            for currency in sorted(before.keys() | after)
            if party == partner_no or before.get(currency, 0) != after.get(currency, 0)
        ]
    return tuple(found)


def _accounts(was: _Replayed, would_be: _Replayed) -> tuple[AccountChange, ...]:
    """Return what comes into the operator's accounts: the other side of what parties pay."""
    return tuple(
        AccountChange(
            account=account,
            currency=currency,
            was=-was.sides.get((account, currency), Decimal(0)),
            would_be=-would_be.sides.get((account, currency), Decimal(0)),
        )
        for account, currency in sorted(was.sides.keys() | would_be.sides)
        if account not in _OF_PARTIES
    )
