"""Reports that look over many postings at once: by cashier, and what was posted nearly twice."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.ledger import acts
from coalition.ledger.acts import NearlyTwice, nearly_twice

__all__ = ["CashierReport", "NearlyTwice", "by_cashier", "nearly_twice"]


class CashierReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was done under one cashier's name, with the ratios that tell; percents are whole.

    `member` got the most of the points that the cashier gave, `member_percent` of them.
    """

    partner_no: int
    cashier: str
    issues: int
    issued_points: int
    manual_points: int
    manual_percent: int
    redemptions: int
    redeemed_points: int
    reversals: int
    reversal_percent: int
    """Reversals in percent of issues and redemptions."""
    members: int
    member: UUID
    member_percent: int


async def by_cashier(
    connection: Connection, since: datetime, *, partner_no: int | None = None
) -> list[CashierReport]:
    """Return the report of each cashier since, whoever gave most by hand or reversed most first."""
    rows = await acts.by_cashier(connection, since, partner_no=partner_no)
    found = [_report(row) for row in rows]
    return sorted(
        found,
        key=lambda one: (
            -max(one.manual_percent, one.reversal_percent),
            one.partner_no,
            one.cashier,
        ),
    )


def _report(row: acts.CashierRow) -> CashierReport:
    return CashierReport(
        partner_no=row.partner_no,
        cashier=row.cashier,
        issues=row.issues,
        issued_points=row.issued_points,
        manual_points=row.manual_points,
        manual_percent=_percent(row.manual_points, row.issued_points),
        redemptions=row.redemptions,
        redeemed_points=row.redeemed_points,
        reversals=row.reversals,
        reversal_percent=_percent(row.reversals, row.issues + row.redemptions),
        members=row.members,
        member=row.member,
        member_percent=_percent(row.points_of_one_member, row.issued_points),
    )


def _percent(part: int, whole: int) -> int:
    return part * 100 // whole if whole else 0
