"""Upkeep: sweeping, rolling up and expiring run beside tills and can be run again."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, expiry, upkeep
from coalition.ledger.drafts import Posted
from tests.support.ledger import FUEL, GROCER, balance, issue, open_holder, post, redeem, reverse

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def counted(table: str) -> int:
    async with transaction() as connection:
        found = await connection.fetchval(f"SELECT count(*) FROM {table}")
    assert isinstance(found, int)
    return found


async def test_only_lots_that_are_spent_whole_move_into_history(at: datetime) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    await post(
        [issue(anna, 50, at), issue(bo, 50, at), redeem(anna, 50, at), redeem(bo, 49, at)], at
    )
    assert await upkeep.sweep() == 1
    assert await upkeep.sweep() == 0
    assert (await counted("lot"), await counted("lot_history")) == (1, 1)
    assert [await balance(member, at) for member in (anna, bo)] == [0, 1]


async def test_a_sweep_beside_issues_and_redemptions_loses_nothing(at: datetime) -> None:
    """The same lot is emptied, swept and filled again, over and over."""
    members = [await open_holder(at) for _ in range(2)]

    async def trade(member: UUID) -> None:
        for _ in range(15):
            issued, spent = await post([issue(member, 10, at), redeem(member, 10, at)], at)
            assert isinstance(issued, Posted)
            assert isinstance(spent, Posted)

    async def sweep() -> int:
        return sum([await upkeep.sweep() for _ in range(6)])

    sweeping = asyncio.create_task(sweep())
    await asyncio.gather(*(trade(member) for member in members))
    assert await sweeping + await upkeep.sweep() > 0
    assert [await balance(member, at) for member in members] == [0, 0]
    assert (await audit.run()).breaches == []


async def test_issues_that_race_a_sweep_keep_their_points(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at), redeem(anna, 10, at)], at)
    results = await asyncio.gather(
        upkeep.sweep(), *(post([issue(anna, 1, at)], at) for _ in range(8)), upkeep.sweep()
    )
    assert len(results) == 10
    assert await balance(anna, at) == 8
    assert (await audit.run()).breaches == []


async def test_totals_are_rolled_up_while_deltas_come_in(at: datetime) -> None:
    anna = await open_holder(at)

    async def trade() -> None:
        for _ in range(10):
            await post([issue(anna, 3, at), redeem(anna, 1, at)], at)

    await asyncio.gather(trade(), *(upkeep.roll_up_totals() for _ in range(5)))
    await upkeep.roll_up_totals()
    assert await upkeep.roll_up_totals() == 0
    assert await counted("partner_delta") == 0
    async with transaction() as connection:
        rows = await connection.fetch("SELECT partner_no, points, postings FROM partner_total")
    assert {tuple(row) for row in rows} == {(GROCER, 30, 10), (FUEL, 10, 10)}
    assert (await audit.run()).breaches == []


async def test_expiry_beside_tills_books_each_point_once(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 100, at, expires_on=at.date()), issue(anna, 100, at)], at)
    (spent,) = await post([redeem(anna, 30, at)], at)
    assert isinstance(spent, Posted)
    tomorrow = at + DAY
    booked, again, returned, taken = await asyncio.gather(
        expiry.expire(tomorrow, tomorrow.date()),
        expiry.expire(tomorrow, tomorrow.date()),
        post([reverse(spent.posting, tomorrow, partner_no=FUEL)], tomorrow),
        post([redeem(anna, 10, tomorrow)], tomorrow),
    )
    assert booked + again == 70
    assert isinstance(returned[0], Posted)
    assert isinstance(taken[0], Posted)
    assert await balance(anna, tomorrow) == 100 + 30 - 10
    assert (await audit.run()).breaches == []


async def test_expiry_goes_through_more_lots_than_it_takes_at_once(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "LOTS_AT_ONCE", 3)
    members = [await open_holder(at) for _ in range(4)]
    days = [(at - n * DAY).date() for n in range(1, 4)]
    await post([issue(member, 7, at, expires_on=day) for member in members for day in days], at)
    assert await expiry.expire(at, at.date()) == 4 * 3 * 7
    assert await expiry.expire(at, at.date()) == 0
    assert (await audit.run()).breaches == []


async def test_a_lot_is_spendable_through_its_last_day(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at, expires_on=at.date())], at)
    evening = at.replace(hour=23, minute=59, second=59)
    assert await expiry.expire(evening, evening.date()) == 0
    (spent,) = await post([redeem(anna, 4, evening)], evening)
    assert isinstance(spent, Posted)
    assert await balance(anna, evening + timedelta(seconds=1)) == 0


async def test_expiry_rests_after_each_set_that_it_booked_and_books_the_rest_then(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "LOTS_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "BUCKETS_AT_ONCE", 1024)
    holders = [await open_holder(at) for _ in range(5)]
    await post([issue(holder, 10, at, expires_on=at.date()) for holder in holders], at)
    rests: list[tuple[float, int]] = []

    async def rest(seconds: float) -> None:
        # Whoever asks meanwhile waits for nobody: each set is committed.
        async with transaction() as connection:
            await connection.execute("SET LOCAL lock_timeout = '1ms'")
            await connection.execute("SELECT FROM holder FOR UPDATE")
        rests.append((seconds, await counted("posting WHERE kind = 4")))

    tomorrow = at + DAY
    assert await expiry.expire(tomorrow, tomorrow.date(), rest=rest) == 50
    assert [booked for _, booked in rests] == [2, 4, 5]
    assert all(seconds > 0 for seconds, _ in rests)
    assert (await audit.run()).ok


async def test_a_night_without_anything_to_expire_does_not_rest(at: datetime) -> None:
    await post([issue(await open_holder(at), 10, at)], at)

    async def rest(seconds: float) -> None:
        raise AssertionError(seconds)

    assert await expiry.expire(at, at.date(), rest=rest) == 0
