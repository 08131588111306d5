"""Lots of a holder come to lie together; beside tills nothing is lost, and nothing else changes."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from coalition.kernel.database import bound_engine, transaction
from coalition.ledger import audit, placing
from coalition.ledger.drafts import Posted
from coalition.ledger.placing import place_together
from tests.support.ledger import balance, issue, open_holder, post, redeem

pytestmark = pytest.mark.usefixtures("database")

MEMBERS = 40
"""So many that their lots of one month fill more than a page."""
MONTHS = 8
POINTS = 10

_EVERY_LOT = "SELECT * FROM lot ORDER BY bucket, id"
_PAGES = """
SELECT holder, count(DISTINCT (ctid::text::point)[0])::int AS pages FROM lot GROUP BY holder
"""


async def read(statement: str) -> list[asyncpg.Record]:
    async with transaction() as connection:
        found: list[asyncpg.Record] = await connection.fetch(statement)
    return found


async def pages() -> dict[UUID, int]:
    """Return on how many pages lots of each holder lie."""
    return {row["holder"]: row["pages"] for row in await read(_PAGES)}


async def scattered(at: datetime, members: int = MEMBERS) -> list[UUID]:
    """Return members who have earned a lot each month, one after another."""
    opened = [await open_holder(at) for _ in range(members)]
    for month in range(MONTHS):
        ends = at.date() + timedelta(days=30 * (month + 1))
        await post([issue(one, POINTS, at, expires_on=ends) for one in opened], at)
    return opened


async def test_scattered_lots_lie_together_afterwards_and_are_the_same(at: datetime) -> None:
    members = await scattered(at)
    before = await read(_EVERY_LOT)
    assert min((await pages()).values()) > placing.PAGES_TOO_MANY + 1
    assert await place_together() == MEMBERS * MONTHS
    assert await read(_EVERY_LOT) == before
    assert max((await pages()).values()) <= 2
    assert await place_together() == 0
    assert {await balance(one, at) for one in members} == {MONTHS * POINTS}
    assert (await audit.run()).breaches == []


async def test_lots_that_lie_on_few_pages_stay_where_they_are(at: datetime) -> None:
    few, many = await scattered(at), await open_holder(at)
    ends = [at.date() + timedelta(days=30 * (month + 1)) for month in range(MONTHS)]
    await post([issue(many, POINTS, at, expires_on=end) for end in ends], at)
    assert (await pages())[many] <= 2
    places = "SELECT ctid::text FROM lot WHERE holder = '{}' ORDER BY id"
    before = await read(places.format(many))
    assert await place_together() == len(few) * MONTHS
    assert await read(places.format(many)) == before


async def test_it_rests_after_each_set_of_holders(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scattered(at)
    monkeypatch.setattr(placing, "LOTS_AT_ONCE", 3 * MONTHS)
    monkeypatch.setattr(placing, "BUCKETS_AT_ONCE", 1024)
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    assert await place_together(rest=rest) == MEMBERS * MONTHS
    assert len(rests) == -(-MEMBERS // 3)
    assert min(rests) > 0


async def test_holders_of_many_lots_move_by_themselves(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scattered(at)
    monkeypatch.setattr(placing, "LOTS_AT_ONCE", 1)
    assert await place_together() == MEMBERS * MONTHS


async def test_issues_and_redemptions_beside_it_lose_nothing(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = await scattered(at)
    # All of them are found scattered, over and over.
    monkeypatch.setattr(placing, "PAGES_TOO_MANY", -1)
    monkeypatch.setattr(placing, "LOTS_AT_ONCE", 5 * MONTHS)
    ends = at.date() + timedelta(days=30)
    done = asyncio.Event()

    async def trade(some: Sequence[UUID]) -> None:
        for _ in range(20):
            drafts = [issue(one, 2, at, expires_on=ends) for one in some]
            given = await post(drafts, at)
            taken = await post([redeem(one, 3, at) for one in some], at)
            assert all(isinstance(one, Posted) for one in (*given, *taken))

    async def place() -> int:
        moved = 0
        while not done.is_set():
            moved += await place_together()
        return moved

    placed = asyncio.create_task(place())
    await asyncio.gather(*(trade(members[no::4]) for no in range(4)))
    done.set()
    assert await placed >= MEMBERS * MONTHS
    assert {await balance(one, at) for one in members} == {MONTHS * POINTS - 20}
    assert (await audit.run()).breaches == []


async def test_whoever_takes_points_is_waited_for(at: datetime) -> None:
    member, *_ = await scattered(at)
    async with transaction() as connection:
        await connection.execute("SELECT FROM holder WHERE id = $1 FOR NO KEY UPDATE", member)
        # In a context of its own: this one's transaction is not to be joined.
        placed = asyncio.create_task(place_together(), context=Context())
        done, _ = await asyncio.wait({placed}, timeout=0.5)
        assert not done
    assert await placed == MEMBERS * MONTHS


async def test_on_a_server_that_spreads_its_tables_nothing_moves(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scattered(at)
    monkeypatch.setattr(bound_engine(), "spreads", True)
    assert await place_together() == 0
