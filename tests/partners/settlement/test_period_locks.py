"""A period is cut off or adjusted, one after the other: whoever is second waits for the first."""

import asyncio
from typing import Any

import asyncpg

from coalition.kernel.database import Engine
from coalition.kernel.ids import random_id
from partners.settlement import adjusting, periods, sealing
from tests.partners.settlement.world import ANNA, BO, NOVEMBER, OCTOBER, make_world

_HOLD = "SELECT FROM settlement_period WHERE partner_no = 2 AND no = 1 FOR NO KEY UPDATE"
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""
_CUT_OFF = "INSERT INTO statement (id, partner_no, period_no, state) VALUES ($1, 2, 1, 'cut_off')"


async def waits(holder: asyncpg.Connection, task: asyncio.Task[Any]) -> None:
    """Return once `task` waits for `holder`."""
    while not await holder.fetchval(_BLOCKED):
        assert not task.done(), "it went on while the period was held"
        await asyncio.sleep(0.01)


async def test_a_seal_waits_for_whoever_adjusts_its_period(
    database: Engine, database_url: str
) -> None:
    del database
    await make_world({"A": {}, "B": {}})
    await periods.ensure(NOVEMBER)
    first = await asyncpg.connect(database_url)
    try:
        async with first.transaction():
            await first.execute(_HOLD)
            seal = asyncio.create_task(sealing.seal(2, 1, NOVEMBER))
            await waits(first, seal)
        assert (await seal).name == "2026-10"
    finally:
        await first.close()


async def test_an_adjustment_waits_for_a_cut_off_and_goes_to_the_next_period(
    database: Engine, database_url: str
) -> None:
    del database
    await make_world({"A": {}, "B": {}})
    await periods.ensure(NOVEMBER)
    approval = await adjusting.prepare(
        partner_no=2,
        amount_minor=500,
        currency="EUR",
        reason="agreed by phone",
        prepared_by=ANNA,
        at=OCTOBER,
    )
    first = await asyncpg.connect(database_url)
    try:
        async with first.transaction():
            await first.execute(_HOLD)
            adjusted = asyncio.create_task(adjusting.approve(approval, approved_by=BO, at=OCTOBER))
            await waits(first, adjusted)
            await first.execute(_CUT_OFF, random_id())
        assert (await adjusted).period == "2026-11"
    finally:
        await first.close()
