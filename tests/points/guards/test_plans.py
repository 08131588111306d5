"""The plans of the guards' statements: look-ups by key, however much has been counted."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

import pytest

from coalition.kernel.database import Engine, open_database, transaction
from coalition.ledger.posting import PINNED, PINNED_FOR_LINES, POSTER_ROLE
from coalition.points.commands import PostingAnswer
from coalition.points.guards import watching
from server.apps import APPS
from tests.ledger.plans import start_watching, watched
from tests.points.guards.world import activate, quiet_world, redeem, rich, waiting_deliveries

MOST_ROWS = 400
"""Twenty acts read some hundred rows, not the thousands that are there."""

_FILL = """
INSERT INTO guard_count (bucket, rule_no, subject, slot, total, part)
SELECT n % 1024, 11 + n % 3, md5(n::text)::uuid, n % 50, 1, 0 FROM generate_series(1, $1::int) AS n
"""


@pytest.fixture
def one_connection(runner: asyncio.Runner, database_url: str) -> Iterator[Engine]:
    """Yield an engine whose every transaction runs on the same connection."""
    engine = runner.run(open_database(database_url, apps=APPS, pool_size=1))
    yield engine
    runner.run(engine.close())


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("counted", [0, 30_000], ids=["empty", "full"])
async def test_what_guards_ask_is_found_by_key(at: datetime, counted: int) -> None:
    world = await quiet_world(at)
    await activate(at, name="per-member", mode="refuse", most=10**6)
    await activate(at, name="per-cashier", mode="refuse", subject=["cashier"], most=10**6)
    await activate(at, name="stores", measure="distinct_members", window={"days": 1}, most=10**6)
    await activate(at, name="points", measure="redeemed_points", most=10**9)
    members = [await rich(world, 100) for _ in range(20)]
    async with transaction() as connection:
        await connection.execute(_FILL, counted)
        if counted:
            await connection.execute("ANALYZE")
        await start_watching(connection)
    async with transaction(PINNED, role=POSTER_ROLE) as connection:
        with watched(connection) as posting:
            for _ in range(8):
                acts = [world.asked(redeem(one, 1, at, cashier="kim")) for one in members]
                answers = await world.tills.post_lines(connection, acts, at)
                assert all(isinstance(answer, PostingAnswer) for answer in answers)
            await asyncio.sleep(0)
    deliveries = await waiting_deliveries()
    async with transaction(PINNED_FOR_LINES) as connection:
        with watched(connection) as counting:
            for delivery in deliveries:
                await watching.watch([delivery], at)
            await asyncio.sleep(0)
    plans = [plan for plan in (*posting, *counting) if "guard_" in plan.query]
    asked = {" ".join(plan.query.split())[:30] for plan in plans if "unnest" in plan.query}
    assert len(asked) >= 4
    faults = [
        fault
        for plan in plans
        if "unnest" in plan.query
        for fault in plan.faults(most_rows=MOST_ROWS)
    ]
    assert faults == []
