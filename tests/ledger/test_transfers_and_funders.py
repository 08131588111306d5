"""Points that are suspended do not move, and points that come home are plainly one's own."""

from datetime import datetime

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, posting
from coalition.ledger.drafts import Held, Posted, Transferred
from coalition.ledger.refusals import (
    NotEnoughPoints,
)
from coalition.ledger.selecting import KEEP
from tests.ledger.transfer_world import (
    lots_of,
    merge,
    moved,
    reserve,
    transfer,
)
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    redeem,
    reverse,
)


@pytest.mark.usefixtures("database")
async def test_points_of_suspended_funders_do_not_move_unless_they_were_reserved(
    at: datetime,
) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at), issue(sender, 50, at, partner_no=FUEL)], at)
    (held,) = await post([reserve(sender, 120, at)], at)
    assert isinstance(held, Held)
    drafts = [
        transfer(sender, receiver, 30, at),
        transfer(sender, receiver, 120, at, hold=held.hold),
    ]
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        _, (refused, made) = await posting.post(
            connection, drafts, at=at, today=at.date(), suspended={GROCER, FUEL}
        )
    assert isinstance(refused, NotEnoughPoints)
    assert isinstance(made, Transferred)
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_only_who_has_suspended_points_is_told_of_them(at: datetime) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    await post([issue(anna, 30, at), issue(anna, 50, at, partner_no=FUEL), issue(bo, 40, at)], at)
    drafts = [redeem(anna, 31, at), redeem(bo, 41, at)]
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        _, told = await posting.post(connection, drafts, at=at, today=at.date(), suspended={FUEL})
    refused = [outcome for outcome in told if isinstance(outcome, NotEnoughPoints)]
    assert [one.facts for one in refused] == [
        {"points": 31, "balance": 30, "suspended": 50},
        {"points": 41, "balance": 40},
    ]
    assert ["suspended" in one.detail for one in refused] == [True, False]


@pytest.mark.usefixtures("database")
async def test_points_that_come_home_by_a_merge_are_plainly_ones_own(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(anna, 100, at)], at)
    await moved(transfer(anna, double, 60, at, contributor=KEEP), at)
    await merge(double, anna, at)
    assert [(row["contributor"], row["points"]) for row in await lots_of(anna)] == [(None, 100)]
    (spent,) = await post([redeem(anna, 100, at)], at)
    assert isinstance(spent, Posted)
    await post([reverse(spent.posting, at, partner_no=FUEL)], at)
    assert await balance(anna, at) == 100
    assert (await audit.run()).ok
