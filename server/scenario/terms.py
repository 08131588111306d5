"""A contract as a story writes it, and the terms that are signed for it."""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from coalition.federation.terms import (
    COALITION_CURRENCY_NO,
    Calendar,
    ContractTerms,
    CreditMode,
    ExpiryRule,
    Mode,
    OnDefault,
    Payment,
    RefundOrder,
    ReversalPolicy,
    Vat,
    VolumeStep,
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
    cut_off_grace_hours: int = 0
    service_fee_percent: Decimal = Decimal(0)
    fixed_fee_minor: int = 0
    minimum_fee_minor: int = 0
    volume_steps: tuple[VolumeStep, ...] = ()
    vat: dict[str, Decimal | Vat] = msgspec.field(default_factory=dict)
    """By kind of charge: the rate (`"0.25"`), or code and rate."""
    payment: Payment = Payment.NET
    payment_days: int = 30
    breakage_share: Decimal = Decimal(0)
    credit_mode: CreditMode = CreditMode.NONE
    credit_limit_minor: int | None = None
    low_water_minor: int | None = None
    on_default: OnDefault = OnDefault.HONOUR


_NOT_TERMS: Final = {"valid_from", "currency", "timezone", "point_currency", "vat"}


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
        currency=contract.currency or currency,
        point_currency_no=point_currency_no,
        vat={
            kind: one if isinstance(one, Vat) else Vat(rate=one)
            for kind, one in contract.vat.items()
        },
        **plain,
    )
