"""Plans for tests of billing, as an operator writes them, put on sale by two persons."""

from datetime import datetime
from typing import Any

import msgspec

from billing.plans import registering
from billing.plans.catalogue import Plan
from billing.plans.documents import PlanDocument

MONTHLY = {"interval": "month", "currency": "SEK", "amount_minor": 7_900}
YEARLY = {"interval": "year", "currency": "SEK", "amount_minor": 79_000}
STUDENT = MONTHLY | {"amount_minor": 3_900, "eligibility": "student"}
DOUBLE = {"benefit": "earn_multiplier", "code": "double", "factor": "2"}


def plan(code: str = "plus", **keys: Any) -> PlanDocument:
    """Return a plan as it comes from a file; `keys` are its other keys."""
    plain = {
        "code": code,
        "name": code.title(),
        "rank": 10,
        "prices": [MONTHLY, YEARLY],
        "benefits": [DOUBLE],
    }
    return msgspec.convert(plain | keys, PlanDocument)


async def on_sale(
    document: PlanDocument, at: datetime, *, valid_from: datetime | None = None
) -> Plan:
    """Let a version be proposed and approved."""
    approval = await registering.prepare(
        document, valid_from=valid_from, prepared_by="staff:anna", at=at
    )
    return await registering.approve(approval, approved_by="staff:bertil", at=at)
