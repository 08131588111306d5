"""A coalition whose months are closed, for tests of what partners read of them."""

from datetime import datetime
from uuid import UUID

from coalition.kernel.database import transaction
from partners.settlement import closing, sealing
from partners.settlement.kinds import StatementState
from tests.support.http import Coalition

ANNA, BERTIL = "staff:anna", "staff:bertil"
OCTOBER = "2026-10-10T12:00:00Z"

_PROVISIONAL = """
SELECT DISTINCT period.name, period.no FROM statement
JOIN settlement_period AS period
    ON period.partner_no = statement.partner_no AND period.no = statement.period_no
WHERE statement.state = $1 ORDER BY period.no
"""


async def trade_in_october(coalition: Coalition) -> tuple[str, str]:
    """Let the grocer issue 1,000 points in October and the fuel station take 400 of them.

    Returns the issue and the redemption.
    """
    member = await coalition.grocer.new_member()
    issued = await coalition.grocer.issue(member, 1000, occurred_at=OCTOBER)
    body = coalition.fuel.payment(member, 400, occurred_at=OCTOBER)
    paid = await coalition.fuel.post("/v1/points/redeem", body)
    assert paid.status_code == 201, paid.text
    return issued, paid.json()["posting_id"]


async def seal(at: datetime) -> None:
    """Seal every month that is over."""
    await sealing.seal_due(at)


async def close(at: datetime) -> None:
    """Close every month that is over, for everybody, by two persons."""
    await seal(at)
    async with transaction() as connection:
        rows = await connection.fetch(_PROVISIONAL, StatementState.PROVISIONAL)
    for name in dict.fromkeys(row["name"] for row in rows):
        approval = await closing.prepare(period=name, prepared_by=ANNA, at=at)
        await closing.approve(approval, approved_by=BERTIL, at=at)


async def statement_of(coalition: Coalition, partner: str, period: str = "2026-10") -> UUID:
    """Return the id of a partner's (`grocer`, `fuel`) statement."""
    shop = getattr(coalition, partner)
    answer = await shop.get(f"/v1/statements?period={period}")
    (found,) = answer.json()["items"]
    return UUID(found["statement_id"])
