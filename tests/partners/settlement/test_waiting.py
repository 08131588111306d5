"""What waits for a drain is priced once per process, and never behind what tills were told."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from coalition.federation import contracts
from coalition.federation.terms import ContractTerms
from coalition.kernel.database import transaction
from coalition.kernel.ids import SHARDS
from partners.settlement import draining, periods, sealing, statements
from partners.settlement.kinds import StatementState
from partners.settlement.waiting import Bound
from tests.partners.settlement.test_sums import issue_in_all_shards
from tests.partners.settlement.world import (
    ANNA,
    BO,
    NOVEMBER,
    OCTOBER,
    PLAIN,
    World,
    make_world,
    told,
)

pytestmark = pytest.mark.usefixtures("database")


async def charged(world: World, at: datetime = OCTOBER) -> list[int]:
    """Return the points and the amount of the only line of A, and how many charges wait."""
    live = await world.live("A", at)
    [line] = live.statements[-1].lines
    assert live.unpriced_since is None
    assert live.unsettled_charges is not None
    return [line.points, line.amount_minor, live.unsettled_charges]


async def forget_postings() -> None:
    """Take every posting out of the book, so that nobody can price it again."""
    async with transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM posting")


async def test_what_was_priced_is_not_read_again_while_it_waits() -> None:
    world = await make_world({"A": {}, "B": {}})
    await issue_in_all_shards(world, 10)
    assert await charged(world) == [160, 160, 16]
    await forget_postings()
    assert await charged(world) == [160, 160, 16]
    assert (await world.live("B", OCTOBER)).net_minor == {"EUR": 0}
    await world.issue("A", 7, OCTOBER)
    assert await charged(world) == [167, 167, 17]


async def test_many_looks_between_postings_and_drains_are_all_exact() -> None:
    world = await make_world({"A": {}})
    await periods.ensure(OCTOBER)
    for step in range(1, 13):
        await issue_in_all_shards(world, step)
        expected = 16 * sum(range(1, step + 1))
        assert (await charged(world))[:2] == [expected, expected]
        if step % 5 == 0:
            for shard in range(step % SHARDS):
                await draining.drain(shard, OCTOBER)
                assert (await charged(world))[:2] == [expected, expected]


async def test_part_of_a_shard_that_was_drained_is_not_counted_twice() -> None:
    world = await make_world({"A": {}})
    for points in (1, 2, 4):
        await world.issue("A", points, OCTOBER)
    assert await charged(world) == [7, 7, 3]
    async with transaction() as connection:
        shard = await connection.fetchval("SELECT min(shard) FROM settlement_queue")
    assert await draining.drain(shard, OCTOBER, limit=1) == 1
    assert await charged(world) == [7, 7, 2]


async def test_many_at_once_are_told_the_same() -> None:
    world = await make_world({"A": {}})
    await issue_in_all_shards(world, 10)
    found = await asyncio.gather(*(charged(world) for _ in range(30)))
    assert found == [[160, 160, 16]] * 30


async def test_prices_that_were_agreed_on_since_are_those_of_their_day_only() -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 100, OCTOBER)
    assert await charged(world) == [100, 100, 1]
    dearer = ContractTerms(**(PLAIN | {"issue_price": Decimal("0.02")}))
    approval = await contracts.prepare(
        partner_no=1,
        terms=dearer,
        valid_from=NOVEMBER.date(),
        prepared_by=ANNA,
        at=OCTOBER,
    )
    await contracts.sign(approval, approved_by=BO, at=OCTOBER)
    await world.reload()
    assert await charged(world) == [100, 100, 1]
    await world.issue("A", 100, NOVEMBER)
    october, november = (await world.live("A", NOVEMBER)).statements
    assert told(october) == [("issuance", 100, 100, 0)]
    assert told(november) == [("issuance", 100, 200, 0)]


@pytest.mark.parametrize(("batches", "postings"), [(1, 100), (100, 1)])
async def test_where_too_much_waits_the_statement_says_since_when_it_does(
    batches: int, postings: int
) -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 5, OCTOBER)
    await draining.drain_all(OCTOBER)
    for points in (10, 20):
        await world.issue("A", points, OCTOBER)
    bound = Bound(batches, postings)
    live = await statements.live(1, OCTOBER, bound)
    assert told(live.statements[-1]) == [("issuance", 5, 5, 0)]
    assert (live.unpriced_since, live.unsettled_charges) == (OCTOBER, None)
    assert live.unsettled_postings == 2
    assert (await statements.read(1, "2026-10", OCTOBER, bound)).unpriced_since == OCTOBER
    assert await charged(world) == [35, 35, 2]


async def test_a_sealed_period_is_whole_however_much_waits() -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 5, OCTOBER)
    await sealing.seal_due(NOVEMBER)
    for points in (10, 20):
        await world.issue("A", points, OCTOBER, posted_at=NOVEMBER)
    found = await statements.read(1, "2026-10", NOVEMBER, Bound(1, 1))
    assert (found.head.state, found.unpriced_since) == (StatementState.PROVISIONAL, None)
    assert told(found) == [("issuance", 5, 5, 0)]
    live = await statements.live(1, NOVEMBER, Bound(1, 1))
    assert [one.unpriced_since for one in live.statements] == [
        None,
        datetime(2026, 11, 5, 10, tzinfo=UTC),
    ]
