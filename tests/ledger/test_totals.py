"""What the ledger comes to as a whole, read cheaply, and the purchases behind it page by page."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import sales, totals, upkeep
from coalition.ledger.drafts import Grant, Issue, Posted, Purchase, Reverse
from tests.support.ledger import GROCER, issue, open_holder, post, provenance, redeem, till

pytestmark = pytest.mark.usefixtures("database")


async def test_what_is_unspent_owed_and_unsettled(at: datetime) -> None:
    anna = await open_holder(at)
    async with transaction() as connection:
        assert await totals.unspent(connection) == {}
        assert await totals.owed(connection) == 0
        assert await totals.oldest_unsettled(connection) is None
    other = Grant(provenance()._replace(currency_no=2), 9)
    (bought, _) = await post([issue(anna, 40, at), Issue(anna, till(GROCER, at), (other,))], at)
    assert isinstance(bought, Posted)
    await upkeep.roll_up_totals()
    later = at + timedelta(seconds=1)
    await post([redeem(anna, 30, later)], later)
    back = Reverse(
        bought.posting, till(GROCER, later), None, "reverse", at.date(), debts={GROCER * 10: 0}
    )
    await post([back], later)
    async with transaction() as connection:
        assert await totals.unspent(connection) == {1: 0, 2: 9}
        assert await totals.owed(connection) == 30
        first = await connection.fetchval("SELECT min(batch::text)::uuid FROM posting")
        assert await totals.oldest_unsettled(connection) == first


async def test_purchases_come_page_by_page_and_once(at: datetime) -> None:
    anna = await open_holder(at)
    grants = (Grant(provenance(), 1),)
    for minute in range(4):
        then = at + timedelta(minutes=minute)
        bought = Issue(anna, till(GROCER, then), grants, Purchase(100 + minute, "EUR"))
        await post([bought, issue(anna, 5, then)], then)
    end = at + timedelta(minutes=3)
    async with transaction() as connection:
        for size, lengths in ((2, [2, 1]), (3, [3]), (9, [3])):
            found = [page async for page in sales.pages(connection, begin=at, end=end, size=size)]
            assert [len(page) for page in found] == lengths
            assert [one.amount_minor for page in found for one in page] == [100, 101, 102]
        assert [page async for page in sales.pages(connection, begin=end, end=end)] == []
