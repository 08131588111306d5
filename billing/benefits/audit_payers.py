"""Who pays for the uses of benefits, beside whom their plans name: one walk of I9.

Who paid was decided when a use was counted, by the contracts and defaults of the instant at which
it was had. Both are dated and never changed, so it is decided once more.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import asyncpg

from billing.benefits import payers
from billing.benefits.counting import MoneyBenefit
from billing.plans import catalogue as plans_on_sale
from billing.plans.catalogue import Plans
from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.ledger.audit import Walk

_PAGE = 2000
_USES = """
SELECT used.bucket, used.member_id, used.partner_no, used.receipt, used.benefit, used.plan_no,
    used.saved_minor, used.used_at, owed.funders, owed.amounts
FROM (
    SELECT * FROM benefit_use
    WHERE (bucket, member_id, partner_no, receipt, benefit) > ($1, $2, $3, $4, $5)
    ORDER BY bucket, member_id, partner_no, receipt, benefit LIMIT $6
) AS used
CROSS JOIN LATERAL (
    SELECT array_agg(funder_no) AS funders, array_agg(amount_minor) AS amounts FROM compensation
    WHERE compensation.bucket = used.bucket AND compensation.id = ANY (used.compensations)
) AS owed
ORDER BY used.bucket, used.member_id, used.partner_no, used.receipt, used.benefit
"""
_BACK = """
SELECT back.id, back.funder_no, owed.funder_no AS paid_by
FROM compensation AS back
JOIN compensation AS owed ON owed.bucket = back.bucket AND owed.id = back.reverses
WHERE back.funder_no <> owed.funder_no OR back.partner_no <> owed.partner_no
"""
_A_DAY, _A_MOMENT = timedelta(hours=36), timedelta(hours=1)
_FIRST = (-1, UUID(int=0), -1, "", "")


async def _paid_by_others(connection: Connection) -> list[str]:
    """Return the uses for which others pay than their plans say."""
    known, plans = await catalogue.load(connection), await plans_on_sale.load(connection)
    broken = [
        f"compensation {row['id']} goes back to {row['funder_no']}, {row['paid_by']} paid it"
        for row in await connection.fetch(_BACK)
    ]
    place: tuple[object, ...] = _FIRST
    while rows := await connection.fetch(_USES, *place, _PAGE):
        broken += [
            f"member {row['member_id']}: {row['benefit']} on {row['receipt']} of partner "
            f"{row['partner_no']} is paid by {_booked(row)}"
            for row in rows
            if not _fits(row, plans, known)
        ]
        place = tuple(rows[-1])[:5]
    return broken


def _fits(row: asyncpg.Record, plans: Plans, known: Catalogue) -> bool:
    """Tell whether those pay for a use whom its plan names, and each its share."""
    funding = _funding(row, plans)
    if funding is None:
        return False
    wanted = payers.shares(funding, row["saved_minor"])
    booked, used_at = _booked(row), row["used_at"]
    unpaying = payers.silent(wanted, used_at, known)
    # A contract may begin on the day on which it is signed, and clocks differ: of whom it was just
    # being said whether it pays, that counts which was known then.
    around = (used_at - _A_DAY, used_at + _A_MOMENT)
    unsure = {no for instant in around for no in unpaying ^ payers.silent(wanted, instant, known)}
    unsure -= {row["partner_no"]}
    unpaying = (unpaying - unsure) | (unsure - booked.keys())
    return booked == payers.owed(wanted, row["partner_no"], unpaying)


def _funding(row: asyncpg.Record, plans: Plans) -> Mapping[str, int] | None:
    for benefit in plans.plan(row["plan_no"]).document.benefits:
        if isinstance(benefit, MoneyBenefit) and benefit.code == row["benefit"]:
            return benefit.funding
    return None


def _booked(row: asyncpg.Record) -> dict[int, int]:
    return dict(zip(row["funders"] or (), row["amounts"] or (), strict=True))


WALK = Walk(
    "I9",
    "for what a benefit saves those pay whom its plan names, each its share, or the operator for "
    "whom there is no contract or a default",
    _paid_by_others,
)
