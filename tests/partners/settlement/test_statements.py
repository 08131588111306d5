"""Statements as they stand now: what is open, what waits, what there is not."""

from datetime import timedelta

import pytest

from coalition.kernel.database import transaction
from partners.settlement import draining, sealing, statements
from partners.settlement.kinds import OPERATOR, StatementState
from partners.settlement.refusals import EarlierPeriodOpen, PeriodNotOver, UnknownPeriod
from tests.partners.settlement.world import (
    BEGINNING,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    close,
    make_world,
    told,
)

pytestmark = pytest.mark.usefixtures("database")


async def test_what_waits_for_a_drain_is_priced_as_the_drain_prices_it() -> None:
    world = await make_world({"A": {}, "B": {}})
    await world.issue("A", 100, OCTOBER)
    await draining.drain_all(OCTOBER)
    await world.issue("A", 30, OCTOBER)
    await world.redeem("B", 40, OCTOBER)
    waiting = await world.live("A", OCTOBER)
    assert waiting.unsettled_postings == 2
    assert told(waiting.statements[0]) == [("issuance", 130, 130, 0)]
    assert (await world.live("B", OCTOBER)).net_minor == {"EUR": -34}
    await draining.drain_all(OCTOBER)
    settled = await world.live("A", OCTOBER)
    assert settled.unsettled_postings == 0
    assert settled.statements == waiting.statements


async def test_what_waits_is_counted_where_its_shard_will_book_it() -> None:
    world = await make_world({"A": {}})
    await sealing.seal_due(NOVEMBER)
    await world.issue("A", 7, OCTOBER, posted_at=NOVEMBER)
    october, november = (await world.live("A", NOVEMBER)).statements
    assert told(october) == []
    assert told(november) == [("issuance", 7, 7, 0)]
    assert november.lines[0].prior_period


async def test_what_is_not_closed_is_live_the_oldest_first() -> None:
    world = await make_world({"A": {}})
    await sealing.seal_due(NOVEMBER)
    live = await world.live("A", DECEMBER)
    assert [(one.head.period.name, one.head.state) for one in live.statements] == [
        ("2026-10", StatementState.PROVISIONAL),
        ("2026-11", StatementState.OPEN),
        ("2026-12", StatementState.OPEN),
    ]
    await close("2026-10", NOVEMBER)
    live = await world.live("A", DECEMBER)
    assert [one.head.period.name for one in live.statements] == ["2026-11", "2026-12"]


async def test_a_statement_without_charges_is_nothing_in_the_contracts_currency() -> None:
    world = await make_world({"A": {}})
    assert (await world.live("A", OCTOBER)).net_minor == {"EUR": 0}
    assert (await world.live("operator", OCTOBER)).net_minor == {}


async def test_a_partner_without_a_period_has_no_statement() -> None:
    await make_world({"A": {}})
    for partner_no, at in ((1, BEGINNING - timedelta(days=1)), (9, OCTOBER)):
        with pytest.raises(UnknownPeriod):
            await statements.live(partner_no, at)
    with pytest.raises(UnknownPeriod):
        await statements.read(1, "2026-W40", OCTOBER)


async def test_periods_are_sealed_by_their_name_all_or_none() -> None:
    await make_world({"A": {}, "B": {"cut_off_grace_hours": 744}})
    with pytest.raises(PeriodNotOver):
        await sealing.seal_named("2026-10", NOVEMBER)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM statement") == 0
    with pytest.raises(EarlierPeriodOpen):
        await sealing.seal_named("2026-11", DECEMBER, partner_no=1)
    for _ in range(2):
        sealed = await sealing.seal_named("2026-10", DECEMBER)
        assert [period.partner_no for period in sealed] == [OPERATOR, 1, 2]


async def test_totals_of_many_statements_are_read_at_once() -> None:
    await make_world({"A": {"fixed_fee_minor": 100}, "B": {"fixed_fee_minor": 200}})
    closed = await close("2026-10", NOVEMBER)
    async with transaction() as connection:
        found = await statements.summaries(connection, [one.statement for one in closed])
    net = {one.head.period.partner_no: [t.net_minor for t in one.totals] for one in found}
    assert net == {OPERATOR: [], 1: [100], 2: [200]}
