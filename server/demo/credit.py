"""The demo's partners with whom the operator takes care: one pays ahead, one is at its limit."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from coalition.federation import contracts
from coalition.federation.terms import CreditMode
from coalition.kernel.database import transaction
from partners.settlement import credit, draining, prepaying
from server.demo.companies import APPROVES, COMPANIES, CURRENCY, PREPARES
from server.demo.history import ZONE

_MOMENT: Final = timedelta(seconds=1)
_PAID_AHEAD: Final = 25_000
_LOW_WATER: Final = 10_000
_SPENT: Final = "SELECT partner_no, spent_minor FROM partner_limit WHERE partner_no = ANY ($1)"
_LIMIT: Final = 500
"""Minor units: less than a company of any size owes, so its tills issue nothing now."""
_TERMS: Final[dict[str, dict[str, Any]]] = {  # Any: a term of whatever type
    "Copper Kettle Kitchen": {
        "credit_mode": CreditMode.PREPAID,
        "low_water_minor": _LOW_WATER,
    },
    "Milestone Fuel & Shop": {
        "credit_mode": CreditMode.BLOCK,
        "credit_limit_minor": _LIMIT,
    },
}


async def limit(now: datetime) -> None:
    """Agree with two partners on what they may owe from today on; one of them pays money in."""
    prepaid = []
    for partner_no, company in enumerate(COMPANIES, 1):
        wanted = _TERMS.get(company.name)
        if wanted is not None:
            proposed = await contracts.prepare(
                partner_no=partner_no,
                terms=msgspec.structs.replace(company.terms, **wanted),
                valid_from=now.astimezone(ZONE).date(),
                prepared_by=PREPARES,
                at=now,
            )
            signed = await contracts.sign(proposed, approved_by=APPROVES, at=now)
            if signed.credit_mode is CreditMode.PREPAID:
                prepaid.append(partner_no)
    await draining.drain_all(now)
    await credit.judge(now)
    async with transaction() as connection:
        spent = await connection.fetch(_SPENT, prepaid)
    for row in spent:
        paid = await prepaying.prepare(
            partner_no=row["partner_no"],
            amount_minor=int(row["spent_minor"]) + _PAID_AHEAD,
            currency=CURRENCY,
            reference="a transfer",
            prepared_by=PREPARES,
            at=now,
        )
        await prepaying.approve(paid, approved_by=APPROVES, at=now)
    await credit.judge(now + _MOMENT)
