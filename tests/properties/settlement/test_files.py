"""Whatever happened, each closed statement proves itself, and its pages are its charges."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from coalition.federation.terms import ContractTerms
from coalition.kernel.database import open_database, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.ledger.accounts import Account
from partners.settlement import drilldown, exporting, line_sources, passport
from partners.settlement.kinds import ChargeKind
from partners.settlement.rules import Line
from partners.settlement.statements import Statement
from partners.settlement.verifying import verify
from server.apps import APPS
from tests.properties.settlement.histories import Act, coalitions, histories, spare_terms
from tests.properties.settlement.playing import History, close_all, play
from tests.properties.settlement.world import World
from tests.support.postgres import create_database, drop_database

START = datetime(2026, 3, 24, 9, tzinfo=UTC)
FIRST = Act("batch", 0, 0, 300, timedelta(0))

_CLOSED = "SELECT id, partner_no FROM statement WHERE closed_at IS NOT NULL ORDER BY number"
_POSTINGS = "SELECT id FROM posting WHERE account <> $1 ORDER BY id"
_OF_POSTING = """
SELECT tariff.partner_no, tariff.kind, charge.points * tariff.unit_price AS amount
FROM charge JOIN tariff ON tariff.id = charge.tariff WHERE charge.posting = $1
"""


@pytest.mark.parametrize("how_many", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_whatever_happened_each_statement_proves_itself_and_opens_to_its_charges(
    runner: asyncio.Runner, postgres_url: str, how_many: int
) -> None:
    @settings(
        max_examples=how_many,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.generate],
    )
    @given(partners=coalitions, spare=spare_terms, acts=histories)
    def check(
        partners: Sequence[tuple[ContractTerms, str]],
        spare: Sequence[ContractTerms],
        acts: Sequence[Act],
    ) -> None:
        url = create_database(postgres_url)
        try:
            runner.run(_check(url, partners, History(World(START), spare), acts))
        finally:
            drop_database(postgres_url, url)

    check()


async def _check(
    url: str,
    partners: Sequence[tuple[ContractTerms, str]],
    history: History,
    acts: Sequence[Act],
) -> None:
    engine = await open_database(url, apps=APPS, pool_size=2)
    world = history.world
    try:
        await world.open(partners)
        for act in (FIRST, *acts):
            await play(history, act)
        world.tick(timedelta(days=20))
        await close_all(world)
        for which in range(6):
            await play(history, Act("part", which, which, 100, timedelta(0)))
        world.tick(timedelta(days=40))
        await close_all(world)
        await world.read_terms()
        async with transaction() as connection:
            closed = await connection.fetch(_CLOSED)
        assert closed
        for statement, partner_no in closed:
            await _proves_itself(world, await exporting.find(statement, partner_no=partner_no))
        await _passports_are_whole()
    finally:
        await engine.close()


async def _proves_itself(world: World, closed: Statement) -> None:
    file = b"".join([piece async for piece in exporting.lines(closed, world.terms.catalogue)])
    assert closed.head.digest is not None
    verdict = verify(file.splitlines(keepends=True), expected_digest=closed.head.digest.hex())
    assert verdict.differences == []
    assert verdict.totals == [*closed.totals]
    for line in closed.lines:
        await _opens(closed, line)


async def _opens(closed: Statement, line: Line) -> None:
    """Demand that what pages show of a line is what the books hold of it."""
    period = closed.head.period
    found, first = [], drilldown.BEGINNING
    async with transaction(role=TENANT_ROLE, partner_no=period.partner_no) as connection:
        tariffs = await line_sources.tariffs_of(connection, period.partner_no, period.no, line)
        by_hand = await line_sources.by_hand(
            connection, period.partner_no, period.no, line, names_staff=False
        )
        while True:
            page, following = await drilldown.charges(connection, tariffs, first=first, limit=3)
            found += page
            if following is None:
                break
            first = following
    assert len(found) + len(by_hand) == line.charges
    if not by_hand and line.kind not in {ChargeKind.MINIMUM, ChargeKind.FIXED}:
        assert sum((charge.amount for charge in found), Decimal(0)) == line.booked


async def _passports_are_whole() -> None:
    """Demand that a passport has every charge of its posting and no other."""
    async with transaction() as connection:
        postings: list[UUID] = [
            row[0] for row in await connection.fetch(_POSTINGS, Account.TRANSIT)
        ]
        for posting in postings:
            posted = await passport.find(connection, posting)
            assert posted is not None
            assert posted.drain is not None
            charged = await passport.settled(connection, posting, posted.drain)
            rows = await connection.fetch(_OF_POSTING, posting)
            told = [(one.charge.partner_no, one.charge.kind, one.amount) for one in charged]
            assert sorted(told) == sorted(map(tuple, rows))
            assert all(one.booking.line for one in charged if one.booking.number)
