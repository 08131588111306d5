"""What members are told of plans and of their membership: the answers of every act.

The HTTP doors, the members' pages and stories give the same structs.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from billing.plans.documents import Benefit, Interval
from coalition.kernel.money import Money


class MembershipState(StrEnum):
    """How a membership looks to its member; benefits hold while `entitled_until` is ahead."""

    NONE = "none"
    CHECKOUT = "checkout"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    ENDING = "ending"
    GIVEN = "given"
    ENDED = "ended"


class PriceOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A price that may be ordered; `check_again_on` is when a special price is checked anew."""

    price_no: int
    interval: Interval
    price: Money
    eligibility: str | None = None
    is_for_you: bool = True
    check_again_on: date | None = None


class PlanOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A plan on sale, with the sentences that say what it gives; `trial_days` 0 is without."""

    plan: str
    name: str
    version: int
    rank: int
    trial_days: int
    seats: int
    prices: tuple[PriceOffer, ...]
    benefits: tuple[Benefit, ...]
    sentences: tuple[str, ...]


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be shown before an order, in one language; its version goes with the order."""

    version: str
    language: str
    text: str


class CountryView(msgspec.Struct, frozen=True, kw_only=True):
    """What the law of a country asks of the pages, in one language."""

    country: str
    timezone: str
    """By whose clock its days are counted."""
    withdrawal_days: int
    order_button: str
    cancel_button: str
    cancel_confirm: str
    withdraw_button: str
    withdraw_confirm: str
    has_cancel_button_without_login: bool
    disclosure: Disclosure


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """The plans on sale in a country."""

    items: tuple[PlanOffer, ...]
    terms: CountryView


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a member orders, and the disclosure that it was shown and has accepted.

    `back_to` is a path of ours to which the hosted page leads back.
    """

    price_no: int
    country: str
    language: str
    disclosure_version: str
    promotion: str | None = None
    back_to: str = "/membership"


class CheckoutView(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits for its payment at `url` until `expires_at`."""

    checkout_id: str
    url: str
    expires_at: datetime
    plan: str
    price: Money
    trial_days: int


class WithdrawalRight(msgspec.Struct, frozen=True, kw_only=True):
    """That the member may still withdraw, and until when (the last instant that counts)."""

    until: datetime
    days: int


class PriceNotice(msgspec.Struct, frozen=True, kw_only=True):
    """That the price changes from the first renewal at or after `applies_at`.

    Where `wants_consent`, the member agrees until `agree_by`; otherwise `without_consent` says what
    becomes of the membership: it `stays` at the old price, or `ends` with what is paid.
    """

    old: Money
    new: Money
    new_price_no: int
    interval: Interval
    applies_at: datetime
    wants_consent: bool
    agree_by: datetime | None = None
    agreed_at: datetime | None = None
    without_consent: str | None = None
    told_at: datetime
    text_version: str
    """Of the country's terms that held when the member was told."""


class MembershipView(msgspec.Struct, frozen=True, kw_only=True):
    """A member's membership now; of a member without one all but `state` is empty."""

    state: MembershipState
    membership_id: UUID | None = None
    """Also the reference by which it is withdrawn from or cancelled without signing in."""
    plan: str | None = None
    plan_name: str | None = None
    plan_version: int | None = None
    price_no: int | None = None
    price: Money | None = None
    interval: Interval | None = None
    ground: str | None = None
    """What stands behind the benefits now: trial, paid, grace, gift, comped or sponsored."""
    entitled_until: datetime | None = None
    """The end of all benefits as things stand: with the days of grace, where it renews."""
    trial_ends_at: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    renews_at: datetime | None = None
    ends_at: datetime | None = None
    paused_until: datetime | None = None
    next_price_no: int | None = None
    next_plan: str | None = None
    changes_at: datetime | None = None
    has_pending_change: bool = False
    """A change waits for its payment; until then the plan is as before."""
    payment_url: str | None = None
    """Stripe's page of an invoice that waits to be paid."""
    is_disputed: bool = False
    """The bank holds a payment back; benefits rest until that is decided."""
    checkout: CheckoutView | None = None
    withdrawal: WithdrawalRight | None = None
    credit: Money | None = None
    """What is left of earlier payments, such as after a change to a smaller plan: the next invoices
    are paid with it first."""
    seats: int = 0
    """With how many of the family the plan may be shared."""
    price_notice: PriceNotice | None = None
    """A new price that is to come."""


class ChangeKind(StrEnum):
    """An upgrade holds at once (in a trial: after it), a downgrade at the end of what is paid.

    A switch to the longer interval is an upgrade, to the shorter one a downgrade.
    """

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what a change charges, or gives back where it is negative."""

    amount: Money
    period_start: datetime
    period_end: datetime


class ChangePreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a change would do: `due_now` is charged when it is confirmed with `previewed_at`."""

    kind: ChangeKind
    plan: str
    price_no: int
    price: Money
    due_now: Money
    previewed_at: datetime
    takes_effect_at: datetime
    lines: tuple[ChangeLine, ...] = ()


class CancelOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What cancelling would do, and at most one thing offered instead, which may be skipped."""

    ends_at: datetime
    instead: str | None = None
    """`pause` or `smaller_plan`."""
    smaller_plan: str | None = None
    smaller_price_no: int | None = None
    smaller_price: Money | None = None
    pause_months: tuple[int, ...] = ()


class ReceiptKind(StrEnum):
    """What a receipt is about."""

    CANCELLED = "cancelled"
    UNCANCELLED = "uncancelled"
    PAUSED = "paused"
    RESUMED = "resumed"
    WITHDRAWN = "withdrawn"
    PRICE_AGREED = "price_agreed"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """That something was done, with its time; it is kept and shown again."""

    receipt_id: UUID
    kind: ReceiptKind
    membership_id: UUID
    at: datetime
    plan: str
    ends_at: datetime | None = None
    paused_until: datetime | None = None
    refund: Money | None = None
    new_price: Money | None = None
    """What was agreed to, from the first renewal at or after `applies_at`."""
    applies_at: datetime | None = None
    text_version: str | None = None
    """Of the country's terms that were shown."""
    reason: str | None = None
    """What the member said of why, where it did."""


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """With whom a plan is shared, since when."""

    member_id: UUID
    since: datetime


class Relative(msgspec.Struct, frozen=True, kw_only=True):
    """Another of a family, by the name it has given, if it has."""

    member_id: UUID
    name: str | None


class SeatsView(msgspec.Struct, frozen=True, kw_only=True):
    """With how many a member may share its plan, and with whom it does.

    `shared_by` is who pays for the plan that is shared with the member.
    """

    seats: int
    items: tuple[SeatView, ...]
    shared_by: UUID | None = None


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal that was declared and is to be confirmed: what comes back, and why so much.

    `paid` less `kept_for_days` (the days the plan held, of its period) less `kept_for_use` (what
    benefits were used for beyond that) is `refund`, never below nothing.
    """

    withdrawal_id: UUID
    membership_id: UUID
    declared_at: datetime
    until: datetime
    paid: Money
    kept_for_days: Money
    kept_for_use: Money
    refund: Money


class FeeView(msgspec.Struct, frozen=True, kw_only=True):
    """A fee in money of a transfer or an act in a family; its id is that of either.

    It is due, open (payable at `url`), expired, paid, done, or returned; `outcome` is what came of
    what was paid for, or why the money went back: `paid_otherwise` where staff had noted the fee as
    paid before.
    """

    fee_id: UUID
    kind: str
    state: str
    amount: Money
    url: str | None = None
    expires_at: datetime | None = None
    outcome: str | None = None
    due_by: datetime | None = None
    """When what waits is given up."""
    paid_at: datetime | None = None


class GiftOrder(msgspec.Struct, frozen=True, kw_only=True):
    """So many months of a plan for somebody else; what they cost is the monthly price each."""

    plan: str
    months: int
    currency: str
    back_to: str = "/gifts"


class GiftState(StrEnum):
    """Where a gift stands; while its payment is disputed it rests, and what is lost is gone."""

    OPEN = "open"
    PAID = "paid"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    LOST = "lost"


class GiftView(msgspec.Struct, frozen=True, kw_only=True):
    """A gift as who bought it sees it; `code` is there once it is paid."""

    gift_id: UUID
    state: GiftState
    plan: str
    months: int
    price: Money
    url: str | None = None
    code: str | None = None
    valid_until: datetime | None = None
    redeemed_at: datetime | None = None
    refunded: Money | None = None
    """What of its price went back, where some did; of a part of it the gift stays as it is."""
