"""Turns what settlement knows of a partner into what the partner is told."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract
from coalition.federation.terms import CreditMode
from coalition.kernel.money import Money
from partners.settlement.calendars import Period
from partners.settlement.finance_words import exact_text, rate_text, version_of
from partners.settlement.rules import Line, Total
from partners.statements.queries import Limit, Listed
from partners.statements.views import (
    Credit,
    PointsControl,
    StatementLine,
    StatementPeriod,
    StatementSummary,
    StatementTotal,
)


def summary_of(
    listed: Listed, totals: Iterable[Total], unpriced_since: datetime | None
) -> StatementSummary:
    """Return a statement as a list shows it; see `Statement.unpriced_since`."""
    return StatementSummary(
        statement_id=listed.statement,
        number=listed.number,
        period=StatementPeriod(listed.name, listed.starts_at, listed.ends_at, listed.cut_off_at),
        state=listed.state,
        totals=totals_of(totals),
        unpriced_since=unpriced_since,
    )


def period_of(period: Period) -> StatementPeriod:
    """Return when a period begins and ends."""
    return StatementPeriod(period.name, period.starts_at, period.ends_at, period.cut_off_at)


def lines_of(
    lines: Sequence[Line], names: Mapping[int, str], catalogue: Catalogue
) -> list[StatementLine]:
    """Return the lines of a statement; `names` are those of the partner's periods by number."""
    return [
        StatementLine(
            line=line.no,
            kind=line.kind.name.lower(),
            contract_version=version_of(catalogue, line.contract_no),
            points=line.points,
            amount=Money(line.amount_minor, line.currency),
            vat_code=line.vat_code,
            vat_rate=rate_text(line.vat_rate),
            vat=Money(line.vat_minor, line.currency),
            exact=exact_text(line.exact),
            prior_period=line.prior_period,
            origin_period=names[line.origin_no],
            charges=line.charges,
        )
        for line in lines
    ]


def totals_of(totals: Iterable[Total]) -> list[StatementTotal]:
    """Return what a statement, or a part of it, comes to by currency."""
    return [
        StatementTotal(
            amount=Money(total.amount_minor, total.currency),
            vat=Money(total.vat_minor, total.currency),
            net=Money(total.net_minor, total.currency),
        )
        for total in totals
    ]


def control_of(totals: Iterable[Total]) -> list[PointsControl]:
    """Return the control totals of points."""
    return [
        PointsControl(total.currency, total.points_funded, total.points_redeemed)
        for total in totals
    ]


def credit_of(limit: Limit | None, catalogue: Catalogue, at: datetime) -> Credit | None:
    """Return how much the partner may still owe or spend; None where nothing limits it."""
    if limit is None:
        return None
    try:
        contract = catalogue.contract_at(limit.partner_no, at)
    except NoContract:
        return None
    if contract.credit_mode is CreditMode.NONE:
        return None
    most_minor, used_minor = contract.credit_limit_minor or 0, limit.exposure_minor
    if contract.credit_mode is CreditMode.PREPAID:
        most_minor, used_minor = limit.prepaid_minor, limit.spent_minor
    return Credit(
        mode=contract.credit_mode,
        limit=Money(most_minor, limit.currency),
        used=Money(used_minor, limit.currency),
        headroom=Money(most_minor - used_minor, limit.currency),
        blocked=limit.blocked,
        judged_at=limit.judged_at,
    )
