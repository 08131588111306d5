"""Partitions of postings by month: made on demand, by anybody, without stopping anybody."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger import audit, partitions
from coalition.ledger.drafts import Posted
from coalition.ledger.partitions import ensure_partition
from tests.support.ledger import FUEL, balance, issue, open_holder, post, redeem, reverse

pytestmark = pytest.mark.usefixtures("database")


async def names() -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent IN ('posting'::regclass, 'leg'::regclass) ORDER BY 1"
        )
    return [row[0] for row in rows]


async def test_each_month_has_its_partitions_over_the_end_of_a_year(at: datetime) -> None:
    for month_end in (
        datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
    ):
        await ensure_partition(month_end)
    months = ("2026_12", "2027_01", "2028_02")
    assert await names() == [f"{table}_{month}" for table in ("leg", "posting") for month in months]


async def test_what_was_posted_last_year_is_reversed_this_year(at: datetime) -> None:
    before = datetime(2026, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    after = before + timedelta(milliseconds=1)
    anna = await open_holder(before)
    _, spent = await post([issue(anna, 100, before), redeem(anna, 60, before)], before)
    assert isinstance(spent, Posted)
    await post([reverse(spent.posting, after, partner_no=FUEL)], after)
    assert await balance(anna, after) == 100
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM posting_2026_12") == 2
        assert await connection.fetchval("SELECT count(*) FROM posting_2027_01") == 1
    assert (await audit.run()).breaches == []


async def test_the_month_is_that_of_utc_whatever_zone_the_time_is_told_in(at: datetime) -> None:
    east = datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    await ensure_partition(east)
    assert await names() == ["leg_2026_12", "posting_2026_12"]
    anna = await open_holder(east)
    assert isinstance((await post([issue(anna, 1, east)], east))[0], Posted)


async def test_many_tasks_that_know_of_no_partition_make_it_once(at: datetime) -> None:
    await asyncio.gather(*(ensure_partition(at) for _ in range(6)))
    assert await names() == ["leg_2026_11", "posting_2026_11"]


SCRIPT = """
import asyncio, sys
from datetime import datetime
from coalition.kernel.database import open_database
from coalition.ledger.partitions import ensure_partition

async def main():
    engine = await open_database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await ensure_partition(datetime.fromisoformat(sys.argv[2]))
    await engine.close()

asyncio.run(main())
"""


async def test_two_processes_make_a_partition_at_once(at: datetime, database_url: str) -> None:
    command = [sys.executable, "-c", SCRIPT, database_url, at.isoformat()]
    processes = [
        subprocess.Popen(  # noqa: ASYNC220 - the loop has nothing else to do
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert await names() == ["leg_2026_11", "posting_2026_11"]


async def test_a_new_month_does_not_wait_for_a_long_reader(database: Engine, at: datetime) -> None:
    await ensure_partition(at)
    next_month = at + timedelta(days=30)
    async with transaction(audit.SNAPSHOT) as connection:
        await connection.fetchval("SELECT count(*) FROM posting JOIN leg ON true")
        async with asyncio.timeout(20):
            await ensure_partition(next_month)
    assert len(await names()) == 4


async def test_a_partition_has_the_keys_checks_and_indexes_of_its_table(at: datetime) -> None:
    await ensure_partition(at)
    counts = """
        SELECT (SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass),
               (SELECT count(*) FROM pg_constraint WHERE conrelid = $1::text::regclass),
               (SELECT count(*) FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid
                WHERE indrelid = $1::text::regclass)
    """
    async with transaction() as connection:
        for table in ("posting", "leg"):
            of_table = await connection.fetchrow(counts, table)
            made = await connection.fetchrow(counts, f"{table}_2026_11")
            assert of_table is not None
            assert made is not None
            assert tuple(made)[:2] == tuple(of_table)[:2]
            assert made[2] == made[0], "every index is attached to that of the table"


async def test_a_process_that_knows_of_a_partition_asks_no_more(at: datetime) -> None:
    known = len(partitions._made)  # noqa: SLF001 - what the process remembers
    await ensure_partition(at)
    await ensure_partition(at + timedelta(days=1))
    assert len(partitions._made) == known + 1  # noqa: SLF001 - likewise
