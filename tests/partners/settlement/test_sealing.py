"""Sealing: nothing lost, nothing twice, in order, after the cut-off, however often it is begun."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import bucket_of, shard_of
from partners.settlement import draining, feed, periods, sealing
from partners.settlement.kinds import OPERATOR, StatementState
from partners.settlement.refusals import EarlierPeriodOpen, PeriodNotOver, UnknownPeriod
from tests.partners.settlement.world import (
    NOVEMBER,
    OCTOBER,
    World,
    close,
    make_world,
    told,
)
from tests.support.ledger import open_holder

pytestmark = pytest.mark.usefixtures("database")

END = datetime(2026, 10, 31, 23, tzinfo=UTC)
"""Of October, in Oslo."""

FREE: dict[str, dict[str, Any]] = {"A": {}, "B": {}}


async def states(name: str) -> dict[int, str]:
    """Return the states of the statements of all partners' period of this name."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT statement.partner_no, state FROM statement"
            " JOIN settlement_period AS period ON period.partner_no = statement.partner_no"
            " AND period.no = statement.period_no WHERE name = $1 ORDER BY 1",
            name,
        )
    return dict(rows)


async def events() -> list[tuple[str, int, str]]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT kind, (payload->>'partner_no')::int, payload->>'period' FROM outbox"
            " WHERE kind LIKE 'statement.%' ORDER BY id"
        )
    return [tuple(row) for row in rows]


async def test_a_sealed_period_is_provisional_and_others_are_open() -> None:
    world = await make_world(FREE)
    await world.issue("A", 100, OCTOBER)
    await sealing.seal(1, 1, END)
    assert await states("2026-10") == {1: StatementState.PROVISIONAL}
    assert (await world.statement("A", "2026-10")).head.sealed_at == END
    assert (await world.statement("B", "2026-10")).head.state == StatementState.OPEN


async def test_sealing_before_the_cut_off_is_refused_with_when() -> None:
    await make_world({"A": {"cut_off_grace_hours": 36}})
    with pytest.raises(PeriodNotOver) as refused:
        await sealing.seal(1, 1, END + timedelta(hours=35))
    assert refused.value.facts["cut_off_at"] == "2026-11-02T11:00:00+00:00"
    assert await states("2026-10") == {}
    await sealing.seal(1, 1, END + timedelta(hours=36))


async def test_periods_of_a_partner_are_sealed_in_order() -> None:
    await make_world(FREE)
    with pytest.raises(EarlierPeriodOpen) as refused:
        await sealing.seal(1, 2, datetime(2026, 12, 5, tzinfo=UTC))
    assert refused.value.facts["period"] == "2026-10"
    await sealing.seal(1, 1, datetime(2026, 12, 5, tzinfo=UTC))
    await sealing.seal(1, 2, datetime(2026, 12, 5, tzinfo=UTC))


async def test_a_period_that_is_not_there_is_not_sealed() -> None:
    await make_world(FREE)
    with pytest.raises(UnknownPeriod):
        await sealing.seal(1, 7, NOVEMBER)
    with pytest.raises(UnknownPeriod):
        await sealing.seal(9, 1, NOVEMBER)


async def test_what_is_due_is_sealed_for_all_partners_and_the_operator() -> None:
    world = await make_world({"A": {}, "B": {"cut_off_grace_hours": 744}})
    await world.issue("A", 100, OCTOBER)
    sealed = await sealing.seal_due(NOVEMBER)
    assert [(period.partner_no, period.name) for period in sealed] == [
        (OPERATOR, "2026-10"),
        (1, "2026-10"),
    ]
    assert await sealing.seal_due(NOVEMBER) == []


async def test_one_partner_alone_can_be_sealed_when_it_is_due() -> None:
    await make_world(FREE)
    sealed = await sealing.seal_due(NOVEMBER, [2])
    assert [period.partner_no for period in sealed] == [2]


async def test_a_period_whose_earlier_one_has_its_grace_still_is_not_due() -> None:
    world = await make_world({"A": {"calendar": "monthly", "cut_off_grace_hours": 744}})
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO settlement_period VALUES (1, 1, '2026-10', $1, $2, $3, 'monthly', 'UTC'),"
            " (1, 2, '2026-11', $2, $4, $4, 'monthly', 'UTC')",
            datetime(2026, 9, 30, 22, tzinfo=UTC),
            END,
            END + timedelta(days=31),
            END + timedelta(days=30),
        )
    sealed = await sealing.seal_due(END + timedelta(days=30, hours=1), world.numbers.values())
    assert sealed == []


async def test_many_late_periods_are_sealed_in_one_go_each_with_its_own() -> None:
    world = await make_world(FREE)
    await world.issue("A", 100, OCTOBER)
    await world.issue("A", 30, NOVEMBER)
    sealed = await sealing.seal_due(datetime(2026, 12, 5, tzinfo=UTC), [1])
    assert [period.name for period in sealed] == ["2026-10", "2026-11"]
    assert told(await world.statement("A", "2026-10")) == [("issuance", 100, 100, 0)]
    assert told(await world.statement("A", "2026-11")) == [("issuance", 30, 30, 0)]


async def test_what_comes_after_the_seal_goes_to_the_next_period_with_its_origin() -> None:
    world = await make_world(FREE)
    await world.issue("A", 100, OCTOBER)
    await sealing.seal_due(NOVEMBER)
    await world.issue("A", 7, OCTOBER, posted_at=NOVEMBER)
    await draining.drain_all(NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [("issuance", 100, 100, 0)]
    november = await world.statement("A", "2026-11")
    assert told(november) == [("issuance", 7, 7, 0)]
    assert [(line.prior_period, line.origin_no) for line in november.lines] == [(True, 1)]
    assert [total.net_minor for total in november.prior_period] == [7]


async def test_each_state_is_told_once() -> None:
    await make_world({"A": {}})
    for _ in range(2):
        await sealing.seal(1, 1, NOVEMBER)
    await sealing.seal_due(NOVEMBER, [1])
    assert await events() == [
        ("statement.cut_off", 1, "2026-10"),
        ("statement.provisional", 1, "2026-10"),
    ]


@pytest.mark.parametrize("shards", [0, 1, 7, 16])
async def test_a_seal_that_was_killed_goes_on_where_it_ended(shards: int) -> None:
    world = await make_world({"A": {}})
    await many(world, 40, OCTOBER)
    await periods.ensure(NOVEMBER)
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO statement (id, partner_no, period_no, state)"
            " VALUES ('00000000-0000-4000-8000-000000000000', 1, 1, 'cut_off')"
        )
    for shard in range(shards):
        await seal_shard(shard)
    late = await many(world, 16, OCTOBER, posted_at=NOVEMBER)
    await sealing.seal_due(NOVEMBER, [1])
    await draining.drain_all(NOVEMBER)
    assert await states("2026-10") == {1: StatementState.PROVISIONAL}
    october = await world.statement("A", "2026-10")
    november = await world.statement("A", "2026-11")
    points = [sum(line.points for line in one.lines) for one in (october, november)]
    assert sum(points) == 40 + 16
    assert points[1] == sum(1 for shard in late if shard < shards)


async def many(
    world: World, number: int, at: datetime, *, posted_at: datetime | None = None
) -> list[int]:
    """Issue a point to so many new members; return the shards of the postings."""
    shards = []
    for _ in range(number):
        holder = await open_holder(at)
        await world.issue("A", 1, at, posted_at=posted_at, holder=holder)
        shards.append(shard_of(bucket_of(holder)))
    return shards


async def seal_shard(shard: int) -> None:
    """Do what a seal does in one shard, before it is killed."""
    async with transaction(feed.PLANS) as connection:
        await draining.lock(connection, shard)
        await draining.drain_locked(connection, shard, NOVEMBER)
        await connection.execute("INSERT INTO first_open VALUES ($1, 1, 2)", shard)


async def test_seals_drains_and_postings_at_once_lose_and_double_nothing() -> None:
    world = await make_world(FREE)
    await many(world, 10, OCTOBER)

    async def till() -> None:
        for _ in range(6):
            holder = await open_holder(OCTOBER)
            await world.issue("A", 1, OCTOBER, posted_at=NOVEMBER, holder=holder)

    def alone(work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        return asyncio.create_task(work, context=Context())

    tasks = [alone(till()) for _ in range(4)]
    tasks += [alone(sealing.seal_due(NOVEMBER)) for _ in range(2)]
    tasks += [alone(draining.drain_all(NOVEMBER)) for _ in range(2)]
    await asyncio.gather(*tasks)
    await draining.drain_all(NOVEMBER)
    [october, november] = [await world.statement("A", name) for name in ("2026-10", "2026-11")]
    points = [sum(line.points for line in one.lines) for one in (october, november)]
    assert sum(points) == 10 + 24
    closed = await close("2026-10", NOVEMBER, 1)
    assert [position.net_minor for position in closed[0].net] == [points[0]]
