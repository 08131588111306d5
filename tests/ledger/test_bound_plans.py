"""The plans of spending where points are bound to partners: look-ups by key as all others are."""

from datetime import datetime

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger import classes, elsewhere, posting
from coalition.ledger.classes import Binding
from coalition.ledger.drafts import Draft, Grant, Issue, Posted
from tests.ledger.test_plans import AT_ONCE, ClockedShop, Shop, all_faults, open_shop, watch
from tests.support.ledger import FUEL, GROCER, provenance, redeem, till

AT_FUEL = Binding(frozenset({FUEL}))
BAKER = 9


class BoundShop(Shop):
    """The same, where some points can be spent at one partner only."""

    async def open(self) -> None:
        await super().open()
        async with transaction() as connection:
            await classes.register(connection, AT_FUEL)
            self.classes = await classes.registered(connection)

    async def work(self) -> None:
        await super().work()
        await self.spend_bound()

    async def spend_bound(self) -> None:
        """Give bound points, spend them, and ask for more than can be spent at another partner."""
        ten = self.members[:AT_ONCE]
        bound = provenance()._replace(class_no=self.classes.when_received(AT_FUEL)[0])
        grants = (Grant(bound, 4),)
        given: list[Draft] = [Issue(one, till(GROCER, self.at), grants) for one in ten]
        made = await self.post(
            [
                *given,
                *(redeem(one, 10**6, self.at, partner_no=BAKER) for one in ten[1:]),
                *(
                    redeem(one, 2, self.at, partner_no=no)
                    for one in ten[:3]
                    for no in (BAKER, FUEL)
                ),
            ]
        )
        assert sum(isinstance(one, Posted) for one in made) == AT_ONCE + 6
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            pairs = [(one, BAKER) for one in ten]
            await elsewhere.read(connection, pairs, currency_no=1, today=self.at.date())


class BoundClockedShop(BoundShop, ClockedShop):
    """The same where points live as long as their member is active."""


@pytest.mark.parametrize("state", ["new", "small", "analyzed"])
@pytest.mark.parametrize(
    ("kind", "part"),
    [(BoundShop, "WITH RECURSIVE walk"), (BoundClockedShop, "SELECT given.holder, kept.id")],
    ids=["dates", "clocks"],
)
async def test_bound_points_are_looked_up_by_key_whatever_the_tables_were_when_planned(
    one_connection: Engine, at: datetime, state: str, kind: type[Shop], part: str
) -> None:
    plans, custom = await watch(await open_shop(at, state, kind=kind))
    assert all_faults(plans) == []
    assert custom == 0, "a plan is made once"
    asking = [plan.query for plan in plans if "FROM lot_class WHERE" in plan.query]
    for wanted in (part, "SELECT given.holder, given.partner_no"):
        assert any(wanted in query for query in asking), f"nobody watched {wanted}"
