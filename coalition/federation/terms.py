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


class Coalition(msgspec.Struct, frozen=True):
    """The coalition itself; its zone says on which day points stop being spendable."""

    name: str
    timezone: str
    point_currency_no: int
    expiry_suspended_tiers: tuple[str, ...] = ()
    """Members of these tiers keep their points however long."""


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
