"""What is left when an account ends: points are forfeited, debts written off; no hold may stand."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import audit, forfeits
from coalition.ledger.drafts import Hold, Posted, Reverse
from coalition.ledger.forfeits import Remains
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import HolderHasHolds, UnknownHolder
from tests.support.ledger import FUEL, GROCER, balance, issue, open_holder, post, redeem, till

pytestmark = pytest.mark.usefixtures("database")


async def test_points_and_debts_are_given_up_once(at: datetime) -> None:
    anna = await open_holder(at)
    (bought,) = await post([issue(anna, 40, at)], at)
    assert isinstance(bought, Posted)
    await post([redeem(anna, 30, at)], at)
    back = Reverse(
        bought.posting, till(GROCER, at), None, "reverse", at.date(), debts={GROCER * 10: 0}
    )
    await post([back, issue(anna, 12, at), issue(anna, 3, at, expires_on=at.date())], at)
    tomorrow = at + timedelta(days=1)
    await ensure_partition(tomorrow)
    given_up = []
    for _ in range(2):
        async with transaction() as connection:
            given_up.append(
                await forfeits.forfeit(
                    connection, anna, at=tomorrow, today=tomorrow.date(), actor="staff:anna"
                )
            )
    assert given_up == [Remains(12, 30), Remains(0, 0)], "what had expired is no more there"
    assert await balance(anna, tomorrow) == 0
    async with transaction() as connection:
        reasons = await connection.fetch(
            "SELECT points, reason FROM posting WHERE kind = 4 ORDER BY points"
        )
    assert [tuple(row) for row in reasons] == [(3, None), (12, forfeits.REASON)]
    assert (await audit.run()).breaches == []


async def test_held_points_are_not_given_up(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 40, at)], at)
    await post([Hold(anna, till(FUEL, at, "h"), 1, 10, at + timedelta(hours=1))], at)
    with pytest.raises(HolderHasHolds):
        async with transaction() as connection:
            await forfeits.remains(connection, anna, at=at, today=at.date())


async def test_nobody_gives_up_what_an_unknown_member_has(at: datetime) -> None:
    with pytest.raises(UnknownHolder):
        async with transaction() as connection:
            await forfeits.remains(connection, random_id(), at=at, today=at.date())
