"""The federation as one frozen snapshot in memory, asked by the hot path on every line.

A process keeps one `Catalogue` and loads another when `version` has moved on. Every change of
reference data calls `bump` first: that locks the counter's row until the change commits, so changes
come one after the other and who reads version n sees all of them up to n.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from coalition.federation.refusals import (
    CoalitionNotSetUp,
    NoContract,
    NoExchangeRate,
    PartnerSuspended,
    UnknownPartner,
    UnknownPointCurrency,
    UnknownStore,
)
from coalition.federation.terms import (
    ENGLISH,
    Coalition,
    Contract,
    ExchangeRate,
    Exposure,
    MoneyRate,
    OnDefault,
    Partner,
    PartnerDefault,
    PointCurrency,
    Store,
)
from coalition.kernel.database import Connection
from coalition.ledger import classes, clocks
from coalition.ledger.classes import ONLY_BUILT_IN, LotClasses
from coalition.ledger.clocks import Clock

AS_TEXT: Final = ("volume_steps", "vat")
"""The terms of a contract that the database keeps as JSON text."""

_INVERSE_PLACES: Final = Decimal("0.000000000001")


class Catalogue:
    """Coalition, partners, contracts, point currencies and rates as of one version.

    It is never changed once made.

    Look-ups are one dictionary access; a contract is found by bisection over precomputed instants,
    or at once when the latest version holds, as it nearly always does.
    """

    def __init__(
        self,
        *,
        version: int,
        coalition: Coalition | None,
        partners: Iterable[Partner] = (),
        stores: Iterable[Store] = (),
        contracts: Iterable[Contract] = (),
        currencies: Iterable[PointCurrency] = (),
        rates: Iterable[ExchangeRate] = (),
        money_rates: Iterable[MoneyRate] = (),
        clocks: Iterable[Clock] = (),
        classes: LotClasses = ONLY_BUILT_IN,
        blocked: Iterable[Exposure] = (),
        defaults: Iterable[PartnerDefault] = (),
    ) -> None:
        """Index what was read; `coalition` is None until it is set up."""
        self.version = version
        self.partners = tuple(sorted(partners, key=lambda partner: partner.no))
        self.stores = tuple(sorted(stores, key=lambda store: store.no))
        self.contracts = tuple(sorted(contracts, key=lambda contract: contract.no))
        self.currencies = tuple(sorted(currencies, key=lambda currency: currency.no))
        self.rates = tuple(sorted(rates, key=lambda rate: (rate.from_no, rate.to_no, rate.no)))
        self.money_rates = tuple(sorted(money_rates, key=lambda rate: rate.no))
        self.clocks = tuple(clocks)
        self.classes = classes
        """Of lots: which points were received, and which are bound to partners."""
        self.blocked = {exposure.partner_no: exposure for exposure in blocked}
        """Partners that may issue nothing until they owe less; see partners/settlement/credit.py.
        """
        self.defaults = tuple(sorted(defaults, key=lambda one: (one.begins_at, one.no)))
        """Empty as long as every partner has always paid."""
        self._coalition = coalition
        self._zone = ZoneInfo(coalition.timezone) if coalition else None
        self._partner_by_no = {partner.no: partner for partner in self.partners}
        self._active_by_no = {partner.no: partner for partner in self.partners if partner.is_active}
        self._store_by_code = {(store.partner_no, store.code): store for store in self.stores}
        self._store_by_no = {store.no: store for store in self.stores}
        self._contract_by_no = {contract.no: contract for contract in self.contracts}
        self._timeline = _timelines(self.contracts)
        self._currency_by_code = {currency.code: currency for currency in self.currencies}
        self._currency_by_no = {currency.no: currency for currency in self.currencies}
        self._money_rates = _money_timelines(self.money_rates)

    @property
    def coalition(self) -> Coalition:
        """Return the coalition; refuse while it is not set up."""
        if self._coalition is None:
            raise CoalitionNotSetUp
        return self._coalition

    @property
    def is_set_up(self) -> bool:
        """Tell whether there is a coalition."""
        return self._coalition is not None

    @property
    def zone(self) -> ZoneInfo:
        """Return the coalition's zone, in which points are earned and expire."""
        if self._zone is None:
            raise CoalitionNotSetUp
        return self._zone

    @property
    def language(self) -> str:
        """Return what the coalition speaks; English while it is not set up."""
        return ENGLISH if self._coalition is None else self._coalition.language

    def partner(self, no: int) -> Partner:
        """Return the partner with this number."""
        try:
            return self._partner_by_no[no]
        except KeyError:
            raise UnknownPartner(partner_no=no) from None

    def active_partner(self, no: int) -> Partner:
        """Return the partner with this number; refuse one that is suspended."""
        partner = self._active_by_no.get(no)
        if partner is None:
            raise PartnerSuspended(partner_no=self.partner(no).no)
        return partner

    def store(self, partner_no: int, code: str) -> Store:
        """Return the store that the partner calls by this code."""
        try:
            return self._store_by_code[partner_no, code]
        except KeyError:
            raise UnknownStore(store=code) from None

    def store_by_no(self, no: int) -> Store:
        """Return the store with this number, which is written in our own books."""
        return self._store_by_no[no]

    def stores_of(self, partner_no: int) -> tuple[Store, ...]:
        """Return the partner's stores by number."""
        return tuple(store for store in self.stores if store.partner_no == partner_no)

    def currency_no(self, code: str | None) -> int:
        """Return the number of the point currency with this code; the coalition's own for None."""
        return self.coalition.point_currency_no if code is None else self.currency(code).no

    def currency(self, code: str) -> PointCurrency:
        """Return the point currency with this code."""
        try:
            return self._currency_by_code[code]
        except KeyError:
            raise UnknownPointCurrency(point_currency=code) from None

    def currency_by_no(self, no: int) -> PointCurrency:
        """Return the point currency with this number, which is written in our own books."""
        return self._currency_by_no[no]

    def rate_at(self, from_no: int, to_no: int, instant: datetime) -> ExchangeRate:
        """Return the rate that holds at an aware `instant` between two point currencies."""
        held = [
            rate
            for rate in self.rates
            if (rate.from_no, rate.to_no) == (from_no, to_no) and rate.valid_from <= instant
        ]
        if not held:
            raise NoExchangeRate
        return max(held, key=lambda rate: rate.valid_from)

    def money_rate_at(
        self, from_currency: str, to_currency: str, instant: datetime
    ) -> Decimal | None:
        """Return how much one unit of a currency is worth in another, at an aware `instant`.

        In major units. Where no rate of this direction holds then, it is the inverse of the other
        one's, at twelve places; None is that neither holds.
        """
        if from_currency == to_currency:
            return Decimal(1)
        rate = self._money_rate(from_currency, to_currency, instant)
        if rate is not None:
            return rate
        other = self._money_rate(to_currency, from_currency, instant)
        return None if other is None else (1 / other).quantize(_INVERSE_PLACES)

    def _money_rate(
        self, from_currency: str, to_currency: str, instant: datetime
    ) -> Decimal | None:
        starts, rates = self._money_rates.get((from_currency, to_currency), ((), ()))
        position = bisect_right(starts, instant)
        return rates[position - 1] if position else None

    def default_at(self, partner_no: int, instant: datetime) -> OnDefault | None:
        """Return what becomes of the points of a partner in default; None for one that pays."""
        held = None
        for one in self.defaults:
            if one.begins_at > instant:
                break
            if one.partner_no == partner_no:
                held = one.on_default
        return held

    def suspended_at(self, instant: datetime) -> frozenset[int]:
        """Return the partners in default whose points cannot be spent; nearly always none."""
        if not self.defaults:
            return frozenset()
        ever = {one.partner_no for one in self.defaults}
        return frozenset(no for no in ever if self.default_at(no, instant) is OnDefault.SUSPEND)

    def contract(self, no: int) -> Contract:
        """Return the contract version with this number, which is written in our own books."""
        return self._contract_by_no[no]

    def contracts_of(self, partner_no: int) -> tuple[Contract, ...]:
        """Return the partner's contract versions in the order in which they begin."""
        timeline = self._timeline.get(partner_no)
        return timeline[1] if timeline else ()

    def contract_at(self, partner_no: int, instant: datetime) -> Contract:
        """Return the contract version that holds at an aware `instant`.

        A version holds from 00:00 of its first day in its own zone until the next one begins.
        """
        if instant.tzinfo is not UTC:
            instant = instant.astimezone(UTC)  # comparing across zones costs ten times as much
        timeline = self._timeline.get(partner_no)
        if timeline is not None:
            starts, contracts = timeline
            if starts[-1] <= instant:
                return contracts[-1]
            position = bisect_right(starts, instant)
            if position:
                return contracts[position - 1]
        raise NoContract(
            "The partner has no contract that holds at that time; the first one begins later"
            if timeline
            else "The partner has no contract; sign one first",
            partner_no=partner_no,
        )


_Timeline = tuple[tuple[datetime, ...], tuple[Contract, ...]]


def _timelines(contracts: Iterable[Contract]) -> dict[int, _Timeline]:
    by_partner: dict[int, list[Contract]] = defaultdict(list)
    for contract in contracts:
        by_partner[contract.partner_no].append(contract)
    timelines = {}
    for partner_no, versions in by_partner.items():
        # Two versions may begin at one instant in different zones; the one signed later then holds.
        versions.sort(key=lambda contract: (beginning(contract), contract.version))
        starts = tuple(beginning(contract) for contract in versions)
        timelines[partner_no] = (starts, tuple(versions))
    return timelines


_MoneyTimeline = tuple[tuple[datetime, ...], tuple[Decimal, ...]]


def _money_timelines(rates: Iterable[MoneyRate]) -> dict[tuple[str, str], _MoneyTimeline]:
    by_pair: dict[tuple[str, str], list[MoneyRate]] = defaultdict(list)
    for rate in sorted(rates, key=lambda rate: rate.valid_from):
        by_pair[rate.from_currency, rate.to_currency].append(rate)
    return {
        pair: (tuple(one.valid_from for one in held), tuple(one.rate for one in held))
        for pair, held in by_pair.items()
    }


def beginning(contract: Contract) -> datetime:
    """Return the instant, in UTC, at which the first day of a contract version begins in its zone.

    Where clocks skip midnight it is the instant of the skip; where they repeat it, the first of the
    two.
    """
    day, zone = contract.valid_from, ZoneInfo(contract.timezone)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


async def load(connection: Connection) -> Catalogue:
    """Read the whole catalogue.

    The version is read first and what refers to others before what it refers to: a change committed
    in between is then at worst loaded twice, and never seen in half.
    """
    seen = await version(connection)
    contracts = await connection.fetch("SELECT * FROM contract")
    stores = await connection.fetch("SELECT no, id, partner_no, code, name, state FROM store")
    partners = await connection.fetch("SELECT no, id, name, state, created_at FROM partner")
    rates = await connection.fetch("SELECT * FROM exchange_rate")
    money_rates = await connection.fetch("SELECT * FROM money_rate")
    currencies = await connection.fetch("SELECT no, code, name, partner_no FROM point_currency")
    blocked = await connection.fetch(
        "SELECT partner_no, currency, exposure_minor FROM partner_limit WHERE blocked"
    )
    defaults = await connection.fetch("SELECT * FROM partner_default")
    coalition = await connection.fetchrow(
        "SELECT name, timezone, point_currency_no, expiry_suspended_tiers, language FROM coalition"
    )
    return Catalogue(
        version=seen,
        coalition=msgspec.convert(dict(coalition), Coalition) if coalition else None,
        partners=[_partner(row) for row in partners],
        stores=[_store(row) for row in stores],
        contracts=[_contract(row) for row in contracts],
        currencies=[msgspec.convert(dict(row), PointCurrency) for row in currencies],
        rates=[msgspec.convert(dict(row), ExchangeRate) for row in rates],
        money_rates=[msgspec.convert(dict(row), MoneyRate) for row in money_rates],
        clocks=await clocks.registered(connection),
        classes=await classes.registered(connection),
        blocked=[msgspec.convert(dict(row), Exposure) for row in blocked],
        defaults=[msgspec.convert(dict(row), PartnerDefault) for row in defaults],
    )


def _partner(row: asyncpg.Record) -> Partner:
    return msgspec.convert(dict(row), Partner)


def _store(row: asyncpg.Record) -> Store:
    return msgspec.convert(dict(row), Store)


def _contract(row: asyncpg.Record) -> Contract:
    decoded = {field: msgspec.json.decode(row[field]) for field in AS_TEXT}
    return msgspec.convert(dict(row) | decoded, Contract)


VERSION = "SELECT version FROM catalogue_version WHERE no = 1"
"""The question that `version` asks, for whoever asks it beside another."""


async def version(connection: Connection) -> int:
    """Return the counter of changes to reference data; cheap enough to ask before every batch."""
    found = await connection.fetchval(VERSION)
    assert found is not None, "the catalogue has lost its counter"
    return int(found)


async def language(connection: Connection) -> str:
    """Return what the coalition speaks, where nothing else of the catalogue is wanted."""
    found: str | None = await connection.fetchval("SELECT language FROM coalition")
    return found or ENGLISH


async def bump(connection: Connection) -> int:
    """Count one change and lock the counter until the caller's transaction ends; call it first."""
    assert connection.is_in_transaction(), "a change and its count commit together"
    moved = await connection.fetchval(
        "UPDATE catalogue_version SET version = version + 1 WHERE no = 1 RETURNING version"
    )
    assert moved is not None, "the catalogue has lost its counter"
    return int(moved)


_Numbered = Literal[
    "partner",
    "store",
    "contract",
    "point_currency",
    "exchange_rate",
    "money_rate",
    "partner_default",
]


async def next_no(connection: Connection, table: _Numbered) -> int:
    """Return the next free number of a reference table; only under the lock that `bump` takes."""
    found = await connection.fetchval(f"SELECT coalesce(max(no), 0) + 1 FROM {table}")  # noqa: S608 - one of seven names
    return int(found)
