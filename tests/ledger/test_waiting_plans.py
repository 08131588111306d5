"""The plans of what a flush of tills writes at its end, and reads beside: look-ups by key."""

from datetime import datetime

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger import holders, posting
from coalition.ledger.drafts import Draft, Hold
from coalition.ledger.holders import Spending
from coalition.ledger.waiting import Waiting
from tests.ledger.test_plans import AT_ONCE, Shop, all_faults, open_shop, watch
from tests.support.ledger import FUEL, issue, redeem, till


class FlushingShop(Shop):
    """The same, where what ten members do once each is written at the end."""

    async def work(self) -> None:
        ten = self.members[:AT_ONCE]
        await self.flush([issue(member, 9, self.at, receipt=self.receipt()) for member in ten])
        await self.flush(
            [
                *(issue(member, 9, self.at, receipt=self.receipt()) for member in ten[:3]),
                *(redeem(member, 5, self.at, receipt=self.receipt()) for member in ten[3:6]),
                *(
                    Hold(member, till(FUEL, self.at, self.receipt()), 1, 5, self.later)
                    for member in ten[6:]
                ),
            ]
        )
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            await holders.read_states_beside(
                connection,
                ten,
                "SELECT 1",
                instants=[self.at] * len(ten),
                spending=Spending(1, self.at.date()),
            )

    async def flush(self, drafts: list[Draft]) -> None:
        waiting = Waiting(defers=True, trusts=True)
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            await posting.post(
                connection, drafts, at=self.at, today=self.at.date(), waiting=waiting
            )
            await waiting.later.write(connection)


@pytest.mark.parametrize("state", ["new", "small", "analyzed"])
async def test_a_flush_looks_up_by_key_whatever_the_tables_were_when_planned(
    one_connection: Engine, at: datetime, state: str
) -> None:
    plans, custom = await watch(await open_shop(at, state, kind=FlushingShop))
    assert all_faults(plans) == []
    assert custom == 0, "a plan is made once"
    together = [plan.query for plan in plans if "WITH part_0 AS" in plan.query]
    for wanted in ("INSERT INTO receipt_claim", "INSERT INTO lot ", "UPDATE lot ", "INTO posting "):
        assert any(wanted in query for query in together), f"nobody watched {wanted}"
    assert any("THEN wanted.lowest" in plan.query for plan in plans), "nobody watched what is left"
