"""What a partner is told of its settlement. Positive money is what the partner pays."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.kernel.money import Money
from partners.settlement.finance_words import ExactText, RateText


class StatementPeriod(msgspec.Struct, frozen=True):
    """The time that a statement is about; from `cut_off_at` on it is sealed."""

    name: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime


class StatementTotal(msgspec.Struct, frozen=True):
    """What a statement comes to in one currency: `net` is `amount` and `vat` together."""

    amount: Money
    vat: Money
    net: Money


class StatementSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A statement in a list: it has an id once its period is over, a number once it is closed.

    What was posted since `unpriced_since`, if that is not null, is not in the totals yet.
    """

    statement_id: UUID | None
    number: int | None
    period: StatementPeriod
    state: str
    totals: list[StatementTotal]
    unpriced_since: datetime | None


class StatementList(msgspec.Struct, frozen=True):
    """Statements, the latest first; `next_cursor` as `cursor` asks for those before."""

    items: list[StatementSummary]
    next_cursor: int | None


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """Charges that are rounded together. `exact` (major units) was rounded once to `amount`.

    `prior_period` marks what belongs to an earlier period, `origin_period`, that was closed before
    it came in. `charges` postings stand behind the line.
    """

    line: int
    kind: str
    contract_version: int | None
    points: int
    amount: Money
    vat_code: str
    vat_rate: RateText
    vat: Money
    exact: ExactText
    prior_period: bool
    origin_period: str
    charges: int


class PointsControl(msgspec.Struct, frozen=True):
    """Points of the statement's lines in one currency of money."""

    currency: str
    points_funded: int
    points_redeemed: int


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract limits, as of the last drain before `judged_at`.

    With `warn` and `block`, `limit` is how much may be owed and `used` what is; with `prepaid`,
    what was paid in and what of it is spent. A blocked partner issues no points.
    """

    mode: str
    limit: Money
    used: Money
    headroom: Money
    blocked: bool
    judged_at: datetime


class LiveStatement(msgspec.Struct, frozen=True, kw_only=True):
    """The open period as it stands at `as_of`: nothing of it is final.

    What is not settled yet, `unsettled_charges` of it, is priced as it will be. `prior_period` is
    what of the totals belongs to earlier periods. When settling has stood still for long, what was
    posted since `unpriced_since` is not in the figures and `unsettled_charges` is null; else
    everything is, and `unpriced_since` is null.
    """

    period: StatementPeriod
    state: str
    as_of: datetime
    unsettled_charges: int | None
    unpriced_since: datetime | None
    lines: list[StatementLine]
    totals: list[StatementTotal]
    prior_period: list[StatementTotal]
    control: list[PointsControl]
    credit: Credit | None


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A statement whose period is over. From `closed` on it never changes.

    `digest` is the end of the chain over everything that was charged; the download proves it.
    """

    statement_id: UUID
    number: int | None
    period: StatementPeriod
    state: str
    sealed_at: datetime | None
    closed_at: datetime | None
    approved_at: datetime | None
    lines: list[StatementLine]
    totals: list[StatementTotal]
    prior_period: list[StatementTotal]
    control: list[PointsControl]
    charges: int
    digest: str | None


class ChargeView(msgspec.Struct, frozen=True, kw_only=True):
    """What one posting costs or earns: `amount` (major units) = `points` × `unit_price`, exactly.

    Receipt and store are told of postings that the partner made itself.
    """

    posting_id: UUID
    occurred_at: datetime
    receipt: str | None
    store: str | None
    points: int
    unit_price: ExactText
    amount: ExactText
    currency: str
    drain_id: UUID


class AdjustmentView(msgspec.Struct, frozen=True, kw_only=True):
    """Money that two of the operator's staff charged or gave, without a posting of points."""

    adjustment_id: UUID
    amount: Money
    reason: str


class ChargeList(msgspec.Struct, frozen=True):
    """The postings behind a line, in the order in which they were settled.

    `adjustments` are on the first page. Ask again with `cursor` set to `next_cursor` for more.
    """

    items: list[ChargeView]
    adjustments: list[AdjustmentView]
    next_cursor: str | None


class PassportLeg(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a posting that came from one place: who issued them; null is the operator.

    `issue_price` is told to the partner whose contract it stands in.
    """

    points: int
    issuer_id: UUID | None
    issue_price: ExactText | None


class PassportCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What the posting costs or earns the partner, and the statement on which it stands.

    `statement_id` is null while the period is open, `line` until it is closed.
    """

    kind: str
    contract_version: int | None
    points: int
    unit_price: ExactText
    amount: ExactText
    currency: str
    vat_code: str
    vat_rate: RateText
    period: str
    origin_period: str
    state: str
    statement_id: UUID | None
    line: int | None


class Passport(msgspec.Struct, frozen=True, kw_only=True):
    """From a posting to its money. `drain_id` is null while it waits to be settled.

    Its charges are then those that it will have, unless their period is sealed before.
    """

    posting_id: UUID
    occurred_at: datetime
    points: int
    receipt: str | None
    store: str | None
    reverses: UUID | None
    drain_id: UUID | None
    settled_at: datetime | None
    legs: list[PassportLeg]
    charges: list[PassportCharge]
