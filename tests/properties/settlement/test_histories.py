"""Any history comes to the same, to the cent, drained and closed or replayed posting by posting."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from coalition.federation.terms import ContractTerms
from coalition.kernel.database import open_database
from partners.settlement import draining, proof
from server.apps import APPS
from server.proof import prove
from tests.properties.settlement.compare import compare, compare_statements
from tests.properties.settlement.histories import Act, coalitions, histories, spare_terms
from tests.properties.settlement.playing import History, close_all, play
from tests.properties.settlement.world import World
from tests.support.postgres import create_database, drop_database

START = datetime(2026, 3, 24, 9, tzinfo=UTC)
"""Days before clocks change in one hemisphere, and then in the other."""

FIRST = Act("batch", 0, 0, 300, timedelta(0))
"""Everybody gets points of everybody, so that there is something to spend."""


@pytest.mark.parametrize("how_many", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_any_history_comes_to_the_same_when_it_is_replayed(
    runner: asyncio.Runner, postgres_url: str, how_many: int
) -> None:
    @settings(
        max_examples=how_many,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.explicit, Phase.generate],
    )
    @given(partners=coalitions, spare=spare_terms, acts=histories)
    def check(
        partners: Sequence[tuple[ContractTerms, str]],
        spare: Sequence[ContractTerms],
        acts: Sequence[Act],
    ) -> None:
        url = create_database(postgres_url)
        try:
            runner.run(_check(url, partners, spare, acts))
        finally:
            drop_database(postgres_url, url)

    check()


async def _check(
    url: str,
    partners: Sequence[tuple[ContractTerms, str]],
    spare: Sequence[ContractTerms],
    acts: Sequence[Act],
) -> None:
    engine = await open_database(url, apps=APPS, pool_size=2)
    try:
        world = World(START)
        await world.open(partners)
        await play(History(world, spare), FIRST)
        for act in acts:
            await play(History(world, spare), act)
        await compare_statements(world)
        await _prove_the_fund(world)
        await draining.drain_all(world.at)
        await compare_statements(world)
        world.tick(timedelta(days=20))
        await close_all(world)
        for which in range(6):
            await play(History(world, spare), Act("part", which, which, 100, timedelta(0)))
        world.tick(timedelta(days=40))
        await close_all(world)
        await compare_statements(world)
        await compare(world)
        await _prove_the_fund(world)
        assert (await prove()).breaches == []
    finally:
        await engine.close()


async def _prove_the_fund(world: World) -> None:
    """Demand that what was paid in is what unspent points are worth, and the margin."""
    for one in await proof.prove(world.at):
        assert one.difference == 0, one
        assert one.cash + one.receivables - one.payables == one.fund + one.own, one
