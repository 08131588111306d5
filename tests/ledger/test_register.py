"""The register: postings and holds read back by the partner that made them, and by no other."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import register, upkeep
from coalition.ledger.drafts import Held, Hold, Posted, Void
from tests.support.ledger import FUEL, GROCER, issue, open_holder, post, redeem, reverse, till

pytestmark = pytest.mark.usefixtures("database")


async def test_a_partner_reads_its_postings_with_the_lots_they_moved(at: datetime) -> None:
    anna = await open_holder(at)
    soon = (at + timedelta(days=9)).date()
    issued, _, spent = await post(
        [
            issue(anna, 30, at, expires_on=soon, receipt="r1"),
            issue(anna, 20, at, partner_no=FUEL),
            redeem(anna, 40, at, receipt="r2"),
        ],
        at,
    )
    assert isinstance(issued, Posted)
    assert isinstance(spent, Posted)
    await post([reverse(spent.posting, at, partner_no=FUEL, points=5)], at)
    await upkeep.sweep()
    async with transaction() as connection:
        read = await register.read_posting(connection, spent.posting, partner_no=FUEL)
        assert read is not None
        assert (read.points, read.reversed, read.direction, read.receipt) == (40, 5, -1, "r2")
        assert [tuple(moved) for moved in read.moved] == [(30, GROCER, soon), (10, FUEL, None)]
        assert await register.read_posting(connection, spent.posting, partner_no=GROCER) is None
        assert await register.read_posting(connection, random_id(), partner_no=FUEL) is None
        assert await register.read_kind(connection, spent.posting, partner_no=FUEL) == 2
        assert await register.read_kind(connection, spent.posting, partner_no=GROCER) is None
        batch = await connection.fetchval("SELECT batch FROM posting WHERE receipt = 'r1'")
        (found,) = await register.list_on_receipt(
            connection, batch, partner_no=GROCER, receipt="r1"
        )
        assert found.id == issued.posting
        assert (
            await register.list_on_receipt(connection, batch, partner_no=FUEL, receipt="r1") == []
        )


async def test_postings_are_listed_page_by_page_the_latest_first(at: datetime) -> None:
    anna = await open_holder(at)
    for second in range(7):
        later = at + timedelta(seconds=second)
        await post([issue(anna, second + 1, later), issue(anna, 99, later, partner_no=FUEL)], later)
    async with transaction() as connection:
        listed, before = [], None
        while True:
            page = await register.list_postings(
                connection, partner_no=GROCER, before=before, limit=3
            )
            if not page:
                break
            listed += [recorded.points for recorded in page]
            before = page[-1].id
    assert listed == [7, 6, 5, 4, 3, 2, 1]


async def test_a_partner_reads_its_holds(at: datetime) -> None:
    anna = await open_holder(at)
    later = at + timedelta(hours=1)
    _, held = await post([issue(anna, 30, at), Hold(anna, till(FUEL, at, "h1"), 1, 5, later)], at)
    assert isinstance(held, Held)
    async with transaction() as connection:
        read = await register.read_hold(connection, held.hold, partner_no=FUEL)
        assert read is not None
        assert (read.points, read.state, read.expires_at, read.resolved_at) == (5, 1, later, None)
        assert await register.read_hold(connection, held.hold, partner_no=GROCER) is None
    await post([Void(held.hold, FUEL)], at)
    async with transaction() as connection:
        read = await register.read_hold(connection, held.hold, partner_no=FUEL)
    assert read is not None
    assert (read.state, read.resolved_at, read.posting) == (3, at, None)


async def test_a_holders_postings_are_listed_by_whichever_partner_the_earliest_first(
    at: datetime,
) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    made = await post([issue(anna, 30, at), issue(bo, 5, at)], at)
    later = at + timedelta(seconds=1)
    made += await post([redeem(anna, 7, later)], later)
    async with transaction() as connection:
        first = await register.list_of_holder(connection, anna, after=UUID(int=0), limit=1)
        rest = await register.list_of_holder(connection, anna, after=first[0].id, limit=9)
    assert [(one.partner_no, one.points) for one in first + rest] == [(GROCER, 30), (FUEL, 7)]
    async with transaction() as connection:
        latest = await register.list_latest_of_holder(connection, anna, before=None, limit=1)
        older = await register.list_latest_of_holder(connection, anna, before=latest[0].id, limit=9)
    assert [(one.partner_no, one.points) for one in latest + older] == [(FUEL, 7), (GROCER, 30)]
