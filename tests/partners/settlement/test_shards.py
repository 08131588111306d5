"""One drain at a time in a shard, and where a charge is booked once periods are sealed there."""

import asyncio
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import SHARDS, bucket_of, shard_of
from coalition.ledger.money import MoneyAccount, MoneyEntry
from partners.settlement import draining, periods
from partners.settlement.draining import booked, tariff_id, vat_entries
from partners.settlement.kinds import OPERATOR, ChargeKind
from partners.settlement.pricing import Charge
from tests.partners.settlement.world import NOVEMBER, OCTOBER, make_world, told
from tests.support.ledger import open_holder

_NOWAIT = "SELECT FROM settlement_shard WHERE no = $1 FOR UPDATE NOWAIT"
_QUEUE = "SELECT FROM settlement_queue WHERE shard = $1 FOR UPDATE NOWAIT"
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""

CHARGE = Charge(
    partner_no=2,
    period_no=3,
    origin_no=2,
    kind=ChargeKind.SERVICE_FEE,
    contract_no=10,
    currency="EUR",
    vat_code="standard",
    vat_rate=Decimal("0.25"),
    unit_price=Decimal("0.000000000006"),
    counts_points=True,
)


async def test_whoever_locks_a_shard_is_alone_in_it(database: Engine, database_url: str) -> None:
    del database
    other = await asyncpg.connect(database_url)
    try:
        async with transaction() as connection:
            await draining.lock(connection, 3)
            assert len(await other.fetch(_NOWAIT, 4)) == 1
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.fetch(_NOWAIT, 3)
        assert len(await other.fetch(_NOWAIT, 3)) == 1
    finally:
        await other.close()


@pytest.mark.parametrize("shard", [-1, SHARDS])
async def test_there_are_sixteen_shards(database: Engine, shard: int) -> None:
    del database
    async with transaction() as connection:
        with pytest.raises(AssertionError, match="sixteen"):
            await draining.lock(connection, shard)


async def test_a_drain_waits_for_whoever_holds_its_shard(
    database: Engine, database_url: str
) -> None:
    del database
    world = await make_world({"A": {}})
    await world.issue("A", 100, OCTOBER)
    await periods.ensure(OCTOBER)
    holder = await asyncpg.connect(database_url)
    try:
        shard = await holder.fetchval("SELECT shard FROM settlement_queue")
        held = holder.transaction()
        await held.start()
        await holder.execute(_NOWAIT, shard)
        drain = asyncio.create_task(draining.drain(shard, OCTOBER))
        while not await holder.fetchval(_BLOCKED):
            assert not drain.done(), "it went on while the shard was held"
            await asyncio.sleep(0.01)
        # It has taken nothing before it waited, so all is still there for the holder.
        assert len(await holder.fetch(_QUEUE, shard)) == 1
        await holder.execute("DELETE FROM settlement_queue WHERE shard = $1", shard)
        await held.commit()
        assert await drain == 0
    finally:
        await holder.close()


async def holder_in(shards: range) -> UUID:
    """Return a holder whose points are in one of these shards."""
    while shard_of(bucket_of(holder := await open_holder(OCTOBER))) not in shards:
        pass
    return holder


async def test_a_shard_goes_on_to_the_next_period_by_itself(database: Engine) -> None:
    del database
    world = await make_world({"A": {}})
    await periods.ensure(NOVEMBER)
    half = SHARDS // 2
    async with transaction() as connection:
        await connection.execute("INSERT INTO first_open SELECT generate_series(0, $1), 1, 2", half)
    # The first half and one more are past October, the others are not.
    await world.issue("A", 100, OCTOBER, holder=await holder_in(range(half)))
    await world.issue("A", 7, OCTOBER, holder=await holder_in(range(half + 1, SHARDS)))
    waiting = (await world.live("A", NOVEMBER)).statements
    await draining.drain_all(NOVEMBER)
    drained = (await world.live("A", NOVEMBER)).statements
    assert waiting == drained
    assert [told(one) for one in drained] == [[("issuance", 7, 7, 0)], [("issuance", 100, 100, 0)]]


@pytest.mark.parametrize(
    ("period_no", "origin_no", "first_open", "expected"),
    [
        (1, 1, {}, 1),
        (3, 2, {}, 3),
        (3, 2, {2: 3}, 3),
        (3, 2, {2: 5}, 5),
        (3, 2, {1: 5}, 3),
        (3, 4, {2: 2}, 4),
    ],
    ids=["the first", "its own", "open", "sealed", "of another", "returned before it was given"],
)
def test_a_charge_is_booked_in_its_own_period_or_the_first_that_is_open(
    period_no: int, origin_no: int, first_open: dict[int, int], expected: int
) -> None:
    charge = CHARGE._replace(period_no=period_no, origin_no=origin_no)
    assert booked(charge, first_open) == charge._replace(period_no=expected)


def test_vat_is_exact_to_twelve_places_per_point_however_many_points_there_are() -> None:
    # A quarter of 0.000000000006 is 0.0000000000015: away from zero.
    vat = Decimal("0.000000002000")
    assert vat_entries(CHARGE, 1000) == [
        MoneyEntry(MoneyAccount.PARTNER, 2, "EUR", vat),
        MoneyEntry(MoneyAccount.VAT, OPERATOR, "EUR", -vat),
    ]
    assert vat_entries(CHARGE._replace(vat_rate=Decimal(0)), 1000) == []
    with pytest.raises(AssertionError, match="pays itself no VAT"):
        vat_entries(CHARGE._replace(partner_no=OPERATOR), 1000)


def test_a_tariff_has_another_id_with_anything_that_makes_it_another() -> None:
    others = [
        CHARGE,
        CHARGE._replace(partner_no=1),
        CHARGE._replace(period_no=4),
        CHARGE._replace(origin_no=3),
        CHARGE._replace(kind=ChargeKind.PROMOTION),
        CHARGE._replace(contract_no=11),
        CHARGE._replace(currency="SEK"),
        CHARGE._replace(unit_price=Decimal("0.000000000007")),
        CHARGE._replace(counts_points=False),
    ]
    assert len({tariff_id(charge) for charge in others}) == len(others)
    same = CHARGE._replace(unit_price=Decimal("0.0000000000060"))
    assert tariff_id(same) == tariff_id(CHARGE)
