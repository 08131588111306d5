"""A contract as a story writes it, and the terms that are signed for it."""

from datetime import date
from decimal import Decimal
from typing import Final

from coalition.federation.terms import (
    COALITION_CURRENCY_NO,
    Calendar,
    ContractTerms,
    ExpiryRule,
    Mode,
    RefundOrder,
    ReversalPolicy,
)
from coalition.kernel.web.fields import CurrencyCode
from server.scenario.names import Part, PointCurrency, Word


class ContractPart(Part, frozen=True, kw_only=True):
    """One version of a partner's contract; what is left out is as in `ContractTerms`."""

    valid_from: date
    issue_price: Decimal
    redemption_price: Decimal
    currency: CurrencyCode | None = None
    timezone: Word | None = None
    service_fee_per_point: Decimal = Decimal(0)
    issues: bool = True
    accepts: bool = True
    mode: Mode = Mode.OPERATOR_FUND
    prefunded_share: Decimal | None = None
    expiry_rule: ExpiryRule | None = None
    expiry_months: int | None = None
    inactivity_months: int | None = None
    expiry_notice_days: tuple[int, ...] = ()
    refund_order: RefundOrder = RefundOrder.REVERSE
    return_grace_days: int = 30
    reversal_policy: ReversalPolicy = ReversalPolicy.REFUSE
    recover_percent: int = 100
    point_currency: PointCurrency | None = None
    calendar: Calendar = Calendar.MONTHLY


_NOT_TERMS: Final = {"valid_from", "currency", "timezone", "point_currency"}


def terms_of(
    contract: ContractPart, *, currency: str, point_currency_no: int = COALITION_CURRENCY_NO
) -> ContractTerms:
    """Return the terms of `contract`; `currency` is the coalition's, for one that names none."""
    plain = {
        field: getattr(contract, field)
        for field in contract.__struct_fields__
        if field not in _NOT_TERMS
    }
    return ContractTerms(
        currency=contract.currency or currency, point_currency_no=point_currency_no, **plain
    )
