"""The plans of the statements that spend and earn together: look-ups by key as all others are."""

from datetime import datetime

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger import funds, posting
from coalition.ledger.drafts import Capture, Draft, Held, Posted, Void
from coalition.ledger.journal import Journal
from coalition.ledger.selecting import Sources, SpendOrder
from tests.ledger.pool_world import reserve, share_of, spend
from tests.ledger.test_plans import AT_ONCE, MOST_ROWS, Shop, open_shop, watch
from tests.support.ledger import FUEL, GROCER, reverse

TOGETHER = 4


class Families(Shop):
    """The same shop, where families of four buy."""

    async def work(self) -> None:
        await super().work()
        await self.spend_together()

    async def spend_together(self) -> None:
        """Spend, hold and earn together, then give everything back, ten at a time."""
        members = self.members[: TOGETHER * AT_ONCE]
        families = [members[i : i + TOGETHER] for i in range(0, len(members), TOGETHER)]
        families = [family for family in families if len(family) == TOGETHER]
        drafts: list[Draft] = []
        for first, *others in families:
            drafts.append(spend(first, 3, self.at, others, own=False))
            drafts += [reserve(first, 2, self.at, others, self.receipt()) for _ in range(2)]
            drafts.append(share_of(first, 10, self.at, others[0], 50))
        made = await self.post(drafts)
        back: list[Draft] = []
        for one in made:
            if isinstance(one, Held):
                is_first = len(back) % 2
                back.append(Capture(one.hold, FUEL, None, 1) if is_first else Void(one.hold, FUEL))
            elif isinstance(one, Posted):
                partner_no = GROCER if one.points == 10 else FUEL
                back.append(reverse(one.posting, self.at, partner_no=partner_no, points=2))
        if back:
            await self.post(back)
        order = SpendOrder.EARLIEST_EXPIRY
        by_date = [spend(first, 1, self.at, others, order=order) for first, *others in families]
        spent = [one for one in await self.post(by_date) if isinstance(one, Posted)]
        if spent:
            await self.post(
                [reverse(one.posting, self.at, partner_no=FUEL, points=1) for one in spent]
            )
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            wanted = {(first, 0): Sources(holders=tuple(others)) for first, *others in families}
            await funds.together(connection, Journal(self.at, self.at.date()), wanted, 1)


@pytest.mark.parametrize("state", ["new", "small", "analyzed"])
async def test_families_are_looked_up_by_key_whatever_the_tables_were_when_planned(
    one_connection: Engine, at: datetime, state: str
) -> None:
    plans, custom = await watch(await open_shop(at, state, kind=Families))

    most = TOGETHER * MOST_ROWS  # all lots of whoever pays are read
    assert {fault for plan in plans for fault in plan.faults(most_rows=most)} == set()
    assert custom == 0, "a plan is made once"
    queries = " ".join(plan.query for plan in plans)
    for part in ("INSERT INTO passage", "UPDATE passage", "FROM passage WHERE", "funder_no <> ALL"):
        assert part in queries, f"nobody watched {part}"
