"""Whether a partner may issue: not in default, without credit, or beyond what it has paid in."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Self
from uuid import UUID

from coalition.federation.terms import Contract, CreditMode
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.money import Rounding, exponent, round_whole
from coalition.ledger.drafts import Issue
from coalition.ledger.money import PLACES
from coalition.points.deciding import Drafted
from coalition.points.leases import Cost, Leases
from coalition.points.refusals import CreditLimitReached, PartnerInDefault, PrepaidExhausted
from coalition.points.rules import Reason, withheld_reason
from coalition.points.terms import Terms


def check_credit(terms: Terms, partner_no: int, at: datetime) -> None:
    """Refuse an issue of a partner in default, or that was found to have used up its credit.

    A look in memory.
    """
    if terms.catalogue.defaults and terms.catalogue.default_at(partner_no, at) is not None:
        raise PartnerInDefault
    exposure = terms.catalogue.blocked.get(partner_no)
    if exposure is None:
        return
    contract = terms.catalogue.contract_at(partner_no, at)
    if contract.credit_mode == CreditMode.PREPAID:
        raise PrepaidExhausted(left_minor=0, currency=exposure.currency)
    raise CreditLimitReached(
        limit_minor=contract.credit_limit_minor,
        exposure_minor=exposure.exposure_minor,
        currency=exposure.currency,
    )


def why_withheld(terms: Terms, partner_no: int, at: datetime) -> list[Reason]:
    """Return why a partner would give no points at present; empty where it gives them."""
    try:
        check_credit(terms, partner_no, at)
    except Refused as refusal:
        return [withheld_reason(refusal.title)]
    return []


class Covering:
    """The issues of one batch by prepaid partners, and the money that they are covered with."""

    def __init__(self, leases: Leases, terms: Terms, at: datetime) -> None:
        """Begin with nothing; of others than prepaid partners nothing is ever asked."""
        self._terms = terms
        self._at = at
        self._reserved = leases.reserve(terms.catalogue.version) if terms.prepaid else None

    def may_cost(self, partners: Iterable[int]) -> bool:
        """Tell whether any of `partners` may have to pay at once."""
        prepaid = self._terms.prepaid
        return bool(prepaid) and not prepaid.isdisjoint(partners)

    def cover(self, drafted: Iterable[tuple[int, Drafted]]) -> dict[int, Refused]:
        """Take what the issues among `drafted` cost; return the refusals of those not covered.

        Each comes with its position among what was asked. Whatever is still open is left for later.
        Raises `HeadroomNeededError`.
        """
        if self._reserved is None:
            return {}
        costs = {}
        for position, one in drafted:
            if self._is_prepaid(one):
                assert isinstance(one.draft, Issue), "only issues are prepaid"
                assert one.contract is not None, "an issue has its contract"
                costs[position] = cost_of(one.draft, one.contract)
        return {
            position: PrepaidExhausted(
                left_minor=left, cost_minor=costs[position].minor, currency=costs[position].currency
            )
            for position, left in self._reserved.take(costs).items()
        }

    async def spend(
        self, connection: Connection, batch: UUID, answers: Sequence[object | Refused | None]
    ) -> None:
        """Write down what the issues cost that were not refused. Raises `HeadroomNeededError`."""
        if self._reserved is not None:
            posted = {i for i, answer in enumerate(answers) if not isinstance(answer, Refused)}
            await self._reserved.spend(connection, batch, posted)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        """Put back what was taken for issues that are not posted after all."""
        if error is not None and self._reserved is not None:
            self._reserved.give_back()

    def _is_prepaid(self, one: Drafted) -> bool:
        draft = one.draft
        if not isinstance(draft, Issue) or not draft.grants:
            return False
        partner_no = draft.till.partner_no
        if partner_no not in self._terms.prepaid:
            return False
        # A till whose clock is ahead may name a contract that is about to begin.
        now = max(self._at, draft.till.occurred_at)
        contract = self._terms.catalogue.contract_at(partner_no, now)
        return contract.credit_mode == CreditMode.PREPAID


def cost_of(issue: Issue, contract: Contract) -> Cost:
    """Return what an issue costs its partner at once at most, with VAT, in whole minor units.

    That is the prefunded share of what the partner funds itself and the service fee on all points,
    as settlement prices them (see partners/settlement/pricing.py), rounded up: per point to the
    places of the money book, and in all to a minor unit.
    """
    amount = Decimal(0)
    for grant in issue.grants:
        provenance, points = grant.provenance, grant.points
        if provenance.funder_no == contract.partner_no:
            paid_in = provenance.prefunded_share * provenance.issue_price
            amount += points * _with_vat(contract, "issuance", paid_in)
        of_price = contract.service_fee_percent / 100 * provenance.issue_price
        fee = contract.service_fee_per_point + of_price
        amount += points * _with_vat(contract, "service_fee", fee)
    minor = round_whole(amount * 10 ** exponent(contract.currency), Rounding.UP)
    return Cost(contract.partner_no, contract.currency, minor)


def _with_vat(contract: Contract, kind: str, unit: Decimal) -> Decimal:
    price = _up(unit)
    agreed = contract.vat.get(kind)
    return price if agreed is None else price + _up(price * agreed.rate)


def _up(unit: Decimal) -> Decimal:
    return unit.quantize(PLACES, rounding=ROUND_UP)
