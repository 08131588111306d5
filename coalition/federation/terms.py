"""What the federation is made of, as frozen values: partners, stores, contract versions."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

COALITION_CURRENCY_NO = 1
"""The number of the coalition's own point currency."""


class PartnerState(StrEnum):
    """Whether a partner may do business in the coalition now."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class StoreState(StrEnum):
    """Whether a store takes customers."""

    ACTIVE = "active"
    CLOSED = "closed"


class Mode(StrEnum):
    """Who pays for points, and when."""

    OPERATOR_FUND = "operator_fund"
    """The issuer pays the points fund at issue; the fund owes redemptions."""
    ISSUER_ON_REDEMPTION = "issuer_on_redemption"
    """The issuer pays when its points are redeemed."""
    HYBRID = "hybrid"
    """A share is paid at issue, the rest on redemption."""


class ExpiryRule(StrEnum):
    """By which rule points of a contract stop being spendable."""

    NEVER = "never"
    END_OF_MONTH = "end_of_month"
    """With the last day of the n-th month after the month in which they were earned."""
    MONTHS = "months"
    """On the same day of the month, n months after the day on which they were earned."""
    END_OF_YEAR = "end_of_year"
    """With the last day of the year that contains that day, n months after the earned one."""


class RefundOrder(StrEnum):
    """To which lots a partial return of a redemption goes back."""

    REVERSE = "reverse"
    PROPORTIONAL = "proportional"


class ReversalPolicy(StrEnum):
    """What happens when an issue is taken back whose points are spent."""

    REFUSE = "refuse"
    """Nothing is taken back, and the till hears why."""
    DEBT = "debt"
    """What is unspent is taken back; the rest is booked as a debt that staff recover or forgive."""
    RECOVER = "recover"
    """The same, and later points of the member pay the debt by themselves."""


class Calendar(StrEnum):
    """How long a settlement period is."""

    DAILY = "daily"
    WEEKLY = "weekly"
    HALF_MONTHLY = "half_monthly"
    MONTHLY = "monthly"


class Payment(StrEnum):
    """Whether what a partner owes and what it is owed are paid by themselves or as one amount."""

    GROSS = "gross"
    NET = "net"


class CreditMode(StrEnum):
    """What holds a partner's debts to the operator within bounds."""

    NONE = "none"
    WARN = "warn"
    """Finance is told when the credit limit is passed."""
    BLOCK = "block"
    """The partner issues no more points while the credit limit is passed."""
    PREPAID = "prepaid"
    """The partner issues points for as much money as it has paid in before."""


class OnDefault(StrEnum):
    """What becomes of the points of a partner that does not pay."""

    HONOUR = "honour"
    """They stay as good as any, at the operator's cost."""
    SUSPEND = "suspend"
    """They cannot be spent."""


VAT_KINDS = (
    *("issuance", "redemption", "service_fee", "promotion", "adjustment"),
    *("minimum", "fixed", "breakage"),
)
"""The kinds of charges that VAT can stand beside, as statements name them."""

VAT_CODE = "standard"
"""The VAT code of a rate that is written alone."""


class Vat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The VAT of one kind of charges: the code on invoices, and the rate (0.25 is 25 percent)."""

    code: str = VAT_CODE
    rate: Decimal


class VolumeStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From this many points a period, the service fee (major units) of every further point."""

    from_points: int
    fee_per_point: Decimal


ENGLISH = "en"
"""What a coalition speaks until its operator says otherwise."""


class Coalition(msgspec.Struct, frozen=True):
    """The coalition itself; its zone says on which day points stop being spendable."""

    name: str
    timezone: str
    point_currency_no: int
    expiry_suspended_tiers: tuple[str, ...] = ()
    """Members of these tiers keep their points however long."""
    language: str = ENGLISH
    """What people are spoken to in of whom nobody knows better, such as sv."""


class PointCurrency(msgspec.Struct, frozen=True):
    """A kind of points: the coalition's own, or one that a partner issues for itself."""

    no: int
    code: str
    name: str
    partner_no: int | None = None
    """Whose own it is; None: the coalition's."""


class ExchangeRate(msgspec.Struct, frozen=True):
    """`from_points` of one currency become `to_points` of another, until the next rate begins."""

    no: int
    from_no: int
    to_no: int
    from_points: int
    to_points: int
    valid_from: datetime
    made_at: datetime
    prepared_by: str
    approved_by: str


class MoneyRate(msgspec.Struct, frozen=True):
    """One unit of a currency is `rate` units of another (major units), until the next begins."""

    no: int
    from_currency: str
    to_currency: str
    rate: Decimal
    valid_from: datetime
    made_at: datetime
    prepared_by: str
    approved_by: str


class PartnerDefault(msgspec.Struct, frozen=True):
    """From `begins_at` on a partner is in default, and what becomes of its points; or it is not."""

    no: int
    partner_no: int
    on_default: OnDefault | None
    """None: it is in default no more."""
    begins_at: datetime
    prepared_by: str
    approved_by: str


class Exposure(msgspec.Struct, frozen=True):
    """What a partner owed in all when its credit was last judged."""

    partner_no: int
    currency: str
    exposure_minor: int


class Partner(msgspec.Struct, frozen=True):
    """A partner company; what it may do stands in its contracts."""

    no: int
    id: UUID
    name: str
    state: PartnerState
    created_at: datetime

    @property
    def is_active(self) -> bool:
        """Tell whether the partner may do business now."""
        return self.state == PartnerState.ACTIVE


class Store(msgspec.Struct, frozen=True):
    """A store of a partner, named on receipts by its code."""

    no: int
    id: UUID
    partner_no: int
    code: str
    name: str
    state: StoreState

    @property
    def is_active(self) -> bool:
        """Tell whether the store takes customers."""
        return self.state == StoreState.ACTIVE


class ContractTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms that two parties agree on; prices are money (major units) per point.

    `prefunded_share` (0..1) follows from the mode and is asked for with `hybrid` only.
    """

    currency: str
    issue_price: Decimal
    redemption_price: Decimal
    service_fee_per_point: Decimal = Decimal(0)
    issues: bool = True
    accepts: bool = True
    mode: Mode = Mode.OPERATOR_FUND
    prefunded_share: Decimal | None = None
    expiry_rule: ExpiryRule | None = None
    """None follows from `expiry_months`: `never` without, `end_of_month` with."""
    expiry_months: int | None = None
    refund_order: RefundOrder = RefundOrder.REVERSE
    return_grace_days: int = 30
    reversal_policy: ReversalPolicy = ReversalPolicy.REFUSE
    recover_percent: int = 100
    """How much of each later issue a debt takes (`recover`), 1 to 100."""
    point_currency_no: int = COALITION_CURRENCY_NO
    """The point currency in which the partner issues: the coalition's or its own."""
    inactivity_months: int | None = None
    """Points also end n months after the member's last activity; None: no such clock."""
    expiry_notice_days: tuple[int, ...] = ()
    """How many days before points end their holder is told."""
    calendar: Calendar = Calendar.MONTHLY
    cut_off_grace_hours: int = 0
    """How long after its end a period takes what comes in late, 0 to 744."""
    service_fee_percent: Decimal = Decimal(0)
    """Percent of the issue amount, beside the fee per point, 0 to 100."""
    fixed_fee_minor: int = 0
    """Fee of each period as such, in minor units."""
    minimum_fee_minor: int = 0
    """What the fees of a period come to at least, in minor units."""
    volume_steps: tuple[VolumeStep, ...] = ()
    """Fees per point of a period's later points; below the first `service_fee_per_point` holds."""
    vat: dict[str, Vat] = {}
    """By kind of charge (`VAT_KINDS`); a kind that is not named has none."""
    payment: Payment = Payment.NET
    payment_days: int = 30
    breakage_share: Decimal = Decimal(0)
    """The funder's share (0..1) of what it had paid for points that nobody spent."""
    credit_mode: CreditMode = CreditMode.NONE
    credit_limit_minor: int | None = None
    """How much the partner may owe, with `warn` and `block` only."""
    low_water_minor: int | None = None
    """Finance is told when what is left falls below this."""
    on_default: OnDefault = OnDefault.HONOUR


class Contract(ContractTerms, frozen=True, kw_only=True):
    """One dated version of a partner's contract; it holds from 00:00 of `valid_from` in its zone.

    `no` is global over all versions of all partners and is what the ledger writes down; `version`
    counts within the partner in the order of signing.
    """

    no: int
    partner_no: int
    version: int
    valid_from: date
    timezone: str
    prefunded_share: Decimal
    expiry_rule: ExpiryRule
    clock_no: int = 0
    """The clock of `inactivity_months` in the ledger; 0 is none."""
    signed_at: datetime
    prepared_by: str
    approved_by: str
