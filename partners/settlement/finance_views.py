"""Statements as finance sees them: of any partner, frozen or as they stand."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel.money import Money
from partners.settlement.finance_words import (
    ExactText,
    RateText,
    exact_text,
    named,
    rate_text,
    version_of,
)
from partners.settlement.kinds import StatementState
from partners.settlement.rules import Line, Total
from partners.settlement.statements import Head, Statement


class StatedTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement comes to in one currency, with its control totals of points."""

    amount: Money
    vat: Money
    net: Money
    points_funded: int
    points_redeemed: int


class StatedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Charges that are rounded together; above zero the partner pays.

    `exact` (major units) was rounded once to `amount`. `prior_period` marks what belongs to
    `origin_period`, which was sealed before it came in.
    """

    line: int
    kind: str
    contract_version: int | None
    points: int
    charges: int
    exact: ExactText
    amount: Money
    vat_code: str
    vat_rate: RateText
    vat: Money
    prior_period: bool
    origin_period: str


class StatedHead(msgspec.Struct, frozen=True, kw_only=True):
    """Whose statement it is, of which period, and how far it has come.

    `prepared_by` and `approved_by` closed it. Without an id the period is open, without a number
    it is not closed.
    """

    statement_id: UUID | None
    number: int | None
    partner_id: UUID | None
    partner: str
    period: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    state: StatementState
    sealed_at: datetime | None
    closed_at: datetime | None
    approved_at: datetime | None
    prepared_by: str | None
    approved_by: str | None


class StatedSummary(StatedHead, frozen=True, kw_only=True):
    """A statement in a list; its totals are told from the close on."""

    totals: list[StatedTotal]


class StatedWhole(StatedHead, frozen=True, kw_only=True):
    """A statement with its lines; what is not closed is composed from the books as they are now.

    `digest` (SHA-256, hexadecimal) is the end of the chain over the `charges` drained into the
    period; the partner verifies its own copy of them by it.
    """

    charges: int
    digest: str | None
    lines: list[StatedLine]
    totals: list[StatedTotal]
    prior_period: list[StatedTotal]


def _head(known: Catalogue, head: Head) -> dict[str, Any]:  # Any: the members of `StatedHead`
    """Return the members that all views of a statement begin with."""
    who = named(known, head.period.partner_no)
    return {
        "statement_id": head.id,
        "number": head.number,
        "partner_id": who.partner_id,
        "partner": who.partner,
        "period": head.period.name,
        "starts_at": head.period.starts_at,
        "ends_at": head.period.ends_at,
        "cut_off_at": head.period.cut_off_at,
        "state": head.state,
        "sealed_at": head.sealed_at,
        "closed_at": head.closed_at,
        "approved_at": head.approved_at,
        "prepared_by": head.closed_by,
        "approved_by": head.approved_by,
    }


def summary_of(known: Catalogue, head: Head, totals: Iterable[Total]) -> StatedSummary:
    """Return a statement as it stands in a list."""
    return StatedSummary(**_head(known, head), totals=totals_of(totals))


def whole_of(known: Catalogue, statement: Statement, origins: Mapping[int, str]) -> StatedWhole:
    """Return a statement with its lines; `origins` names the periods of its partner by number."""
    head = statement.head
    return StatedWhole(
        **_head(known, head),
        charges=head.charges,
        digest=None if head.digest is None else head.digest.hex(),
        lines=[_line(known, line, origins[line.origin_no]) for line in statement.lines],
        totals=totals_of(statement.totals),
        prior_period=totals_of(statement.prior_period),
    )


def totals_of(totals: Iterable[Total]) -> list[StatedTotal]:
    """Return totals, one for each currency."""
    return [
        StatedTotal(
            amount=Money(one.amount_minor, one.currency),
            vat=Money(one.vat_minor, one.currency),
            net=Money(one.net_minor, one.currency),
            points_funded=one.points_funded,
            points_redeemed=one.points_redeemed,
        )
        for one in totals
    ]


def _line(known: Catalogue, line: Line, origin: str) -> StatedLine:
    return StatedLine(
        line=line.no,
        kind=line.kind.name.lower(),
        contract_version=version_of(known, line.contract_no),
        points=line.points,
        charges=line.charges,
        exact=exact_text(line.exact),
        amount=Money(line.amount_minor, line.currency),
        vat_code=line.vat_code,
        vat_rate=rate_text(line.vat_rate),
        vat=Money(line.vat_minor, line.currency),
        prior_period=line.prior_period,
        origin_period=origin,
    )
