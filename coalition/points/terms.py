"""The terms of business in memory: catalogue and earning rules of one version."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.expiry import earned_month, last_spendable_day
from coalition.federation.terms import Contract, CreditMode, ExpiryRule, Store
from coalition.kernel.database import Connection, bound_engine
from coalition.kernel.ids import MemberId
from coalition.ledger import holders
from coalition.ledger.holders import Spending, Standing
from coalition.ledger.provenance import Provenance
from coalition.members import standings
from coalition.members.standings import Standings
from coalition.points.bonuses import personal
from coalition.points.bonuses.active import ActiveRules
from coalition.points.bonuses.compiled import OPERATOR, PERIODS, RuleVersion
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.store import versions as rule_versions
from coalition.points.guards.queries import read_rules as read_guards
from coalition.points.guards.rules import NO_GUARDS, ActiveGuards
from coalition.points.refusals import ForeignPointCurrency, OtherStore, StoreClosed, TimeOutOfBounds
from coalition.points.rules import EarningRule, EarningRules

FURTHEST_AHEAD = timedelta(minutes=5)
FURTHEST_BACK = timedelta(days=400)
_AGO = -FURTHEST_BACK
_BY_MONTHS = ExpiryRule.MONTHS
_ALL = Decimal(1)

_RULES = (
    "SELECT no, partner_no, currency, points, per_minor, rounding, valid_from FROM earning_rule"
)


class Terms:
    """One version of everything that decides what a till's request means."""

    def __init__(
        self,
        kept: Catalogue,
        rules: EarningRules,
        versions: Sequence[RuleVersion] = (),
        guards: ActiveGuards = NO_GUARDS,
        *,
        has_bonuses: bool = False,
    ) -> None:
        """Hold catalogue, base rates, versions of earning rules and guards of one version."""
        self.catalogue = kept
        self.rules = rules
        self.active = ActiveRules(versions, rules, kept.defaults)
        self.has_bonuses = has_bonuses
        """Whether any member was ever given a bonus of its own."""
        self.has_rules = bool(versions) or has_bonuses
        """Whether anything beyond the base rates was ever agreed on."""
        self.has_caps = any(is_counted(version.document) for version in versions)
        """Whether any rule was ever capped per member and period, so that returns give back."""
        self.guards = guards
        self.prepaid = frozenset(
            contract.partner_no
            for contract in kept.contracts
            if contract.credit_mode == CreditMode.PREPAID
        )
        """Partners that have ever agreed to issue for money paid in before."""
        self._zone = kept.zone if kept.is_set_up else None
        self._provenances: dict[tuple[int, int], Provenance] = {}
        self._funded: dict[tuple[tuple[int, int], int, Decimal], Provenance] = {}

    def day(self, instant: datetime) -> date:
        """Return the day of `instant` in the coalition's zone."""
        return instant.astimezone(self._zone or self.catalogue.zone).date()

    def base_provenance(self, contract: Contract, earned_at: datetime) -> Provenance:
        """Return where base points earned then come from: the partner funds them itself."""
        return self._base(self._key(contract, earned_at), contract, earned_at)

    def _base(self, key: tuple[int, int], contract: Contract, earned_at: datetime) -> Provenance:
        known = self._provenances.get(key)
        if known is None:
            zone = self.catalogue.zone
            known = self._provenances[key] = Provenance(
                currency_no=contract.point_currency_no,
                issuer_no=contract.partner_no,
                contract_no=contract.no,
                funder_no=contract.partner_no,
                earned_month=earned_month(earned_at, zone),
                expires_on=last_spendable_day(
                    earned_at,
                    expiry_months=contract.expiry_months,
                    zone=zone,
                    rule=contract.expiry_rule,
                ),
                issue_price=contract.issue_price,
                prefunded_share=contract.prefunded_share,
                clock_no=contract.clock_no,
            )
        return known

    def provenance(self, contract: Contract, earned_at: datetime, *, funder_no: int) -> Provenance:
        """Return where points come from that `funder_no` pays for: a partner, or the operator.

        The price is that of the issuer's contract, the share paid at issue that of the funder's;
        the operator pays everything at issue. Raises `NoContract` for a funder without one.
        """
        key = self._key(contract, earned_at)
        if funder_no == contract.partner_no:
            return self._base(key, contract, earned_at)
        share = _ALL
        if funder_no != OPERATOR:
            share = self.catalogue.contract_at(funder_no, earned_at).prefunded_share
        funded = (key, funder_no, share)
        known = self._funded.get(funded)
        if known is None:
            base = self._base(key, contract, earned_at)
            known = base._replace(funder_no=funder_no, prefunded_share=share)
            self._funded[funded] = known
        return known

    def _key(self, contract: Contract, earned_at: datetime) -> tuple[int, int]:
        # Only by one rule does it matter on which day of the month points were earned.
        if contract.expiry_rule is _BY_MONTHS:
            return contract.no, self.day(earned_at).toordinal()
        return contract.no, earned_month(earned_at, self._zone or self.catalogue.zone)

    def accepted_currency(self, partner_no: int, code: str | None) -> int:
        """Return the number of the point currency that a partner takes: the coalition's, its own.

        Raises `UnknownPointCurrency` or `ForeignPointCurrency`.
        """
        if code is None:
            return self.catalogue.coalition.point_currency_no
        currency = self.catalogue.currency(code)
        if currency.partner_no not in (None, partner_no):
            raise ForeignPointCurrency(point_currency=code)
        return currency.no

    def store(self, partner_no: int, code: str | None, bound_no: int | None) -> int | None:
        """Return the number of the open store that a till names, or is bound to."""
        store: Store
        if code is not None:
            store = self.catalogue.store(partner_no, code)
        elif bound_no is not None:
            store = self.catalogue.store_by_no(bound_no)
        else:
            return None
        if bound_no is not None and store.no != bound_no:
            raise OtherStore
        if not store.is_active:
            raise StoreClosed(store=store.code)
        return store.no


async def load(connection: Connection) -> Terms:
    """Read the catalogue and the earning rules; a change in between is seen at the next refresh."""
    kept = await catalogue.load(connection)
    rules = [msgspec.convert(dict(row), EarningRule) for row in await connection.fetch(_RULES)]
    guards = ActiveGuards(await read_guards(connection))
    versions = await rule_versions(connection)
    has_bonuses = await personal.any_given(connection)
    return Terms(kept, EarningRules(rules), versions, guards, has_bonuses=has_bonuses)


async def refresh(connection: Connection, held: Terms | None) -> Terms:
    """Return `held` while nothing has changed since, else the terms of now."""
    if held is not None and await catalogue.version(connection) == held.catalogue.version:
        return held
    return await load(connection)


Facts = Mapping[tuple[MemberId, datetime], Standings]
"""What members are at instants."""


class Beside(NamedTuple):
    """Terms, and what was read of members beside them; of others nothing is known yet."""

    terms: Terms
    standings: dict[UUID, Standing]
    """How they stand in the ledger."""
    facts: Facts | None
    """What they are to the coalition, without those who are nothing; None where it was not read."""
    spendable: Mapping[UUID, int]
    """What they can spend of the coalition's own points, where that can be told beside."""
    locked: Collection[UUID] = ()
    """Those of them, not all of whom need exist, that are locked."""


async def refresh_beside(
    connection: Connection,
    held: Terms | None,
    acting: Sequence[tuple[UUID, datetime]],
    at: datetime,
) -> Beside:
    """Do as `refresh`, and return what members who act, each at an instant, are, in one round trip.

    What they can spend is told for `at`. Where everything has to be read anew, nothing is read of
    them.
    """
    if held is None or not acting:
        return Beside(await refresh(connection, held), {}, None, {})
    # A server that spreads its tables does not answer one question about several of them.
    has_facts = held.active.needs_standings and not bound_engine().spreads
    members = [member for member, _ in acting]
    read = await holders.read_states_beside(
        connection,
        members if has_facts else list(dict.fromkeys(members)),
        catalogue.VERSION,
        of_each=standings.OF_EACH if has_facts else "NULL::text",
        instants=[instant for _, instant in acting] if has_facts else [],
        spending=_spending(held, at),
    )
    if read.answer != held.catalogue.version:
        return Beside(await load(connection), {}, None, {})
    if not has_facts:
        return Beside(held, read.states, None, read.spendable)
    facts = {
        (MemberId(member), instant): standings.told(answer)
        for (member, instant), answer in zip(acting, read.of_each, strict=True)
        if answer is not None
    }
    return Beside(held, read.states, facts, read.spendable)


async def refresh_locking(
    connection: Connection, held: Terms | None, payers: Collection[UUID]
) -> Beside:
    """Do as `refresh`, and lock `payers`, at least one, in the same round trip where it can be.

    They are the first that the transaction locks, and all holders from whom it may take points.
    """
    # A server that spreads its tables does not answer one question about several of them.
    if held is None or bound_engine().spreads:
        return Beside(await refresh(connection, held), {}, None, {})
    version, states = await holders.lock_beside(connection, payers, catalogue.VERSION)
    terms = held if version == held.catalogue.version else await refresh(connection, held)
    return Beside(terms, states, None, {}, payers)


def _spending(held: Terms, at: datetime) -> Spending | None:
    """Return what to ask for when balances are read beside; None where more decides about them."""
    kept = held.catalogue
    if kept.clocks or kept.classes.are_bound or kept.suspended_at(at) or bound_engine().spreads:
        return None
    return Spending(kept.coalition.point_currency_no, held.day(at))


def is_counted(document: RuleDocument) -> bool:
    """Tell whether it is counted what a member has of the rule; a cap per basket needs no count."""
    return any(getattr(document.caps, period) is not None for period in PERIODS)


def check_time(occurred_at: datetime, at: datetime) -> None:
    """Refuse a receipt's time that lies more than 5 minutes ahead of `at` or 400 days back."""
    if not _AGO <= occurred_at - at <= FURTHEST_AHEAD:
        raise TimeOutOfBounds(
            "occurred_at must lie at most 5 minutes ahead and at most 400 days back; "
            "check the till's clock",
            errors=[{"pointer": "/occurred_at", "detail": "out of bounds"}],
        )
