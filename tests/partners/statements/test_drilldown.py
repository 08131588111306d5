"""From a line to its charges, page by page, whatever way blocks and tariffs lie."""

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from coalition.kernel.database import Connection, Engine, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from partners.settlement import drilldown
from partners.settlement.drilldown import BEGINNING, Charge
from partners.settlement.kinds import ChargeKind
from tests.partners.statements import world
from tests.partners.statements.world import FUEL, GROCER


async def _paged(
    connection: Connection, tariffs: dict[UUID, Decimal], limit: int
) -> list[list[Charge]]:
    pages, place = [], BEGINNING
    for _ in range(100):
        page, following = await drilldown.charges(connection, tariffs, first=place, limit=limit)
        pages.append(page)
        if following is None:
            return pages
        place = following
    raise AssertionError("the pages never end")


async def _line(at: datetime) -> dict[UUID, Decimal]:
    """Make a line of two tariffs, with blocks of the one, of the other and of both."""
    await world.partners()
    async with transaction() as connection:
        cheap = await world.tariff(connection, GROCER, "0.01")
        dear = await world.tariff(connection, GROCER, "0.02")
        other = await world.tariff(connection, GROCER, "-0.5", kind=ChargeKind.REDEMPTION)
        foreign = await world.tariff(connection, FUEL, "-0.01")
        first = {0: ([cheap, foreign], 3), 1: ([other], 4), 2: ([dear, other], 1), 3: ([cheap], 2)}
        await world.drain(connection, first, at)
        second = {0: ([dear, cheap], 4), 1: ([foreign], 5)}
        await world.drain(connection, second, at + timedelta(seconds=1))
    return {cheap: Decimal("0.01"), dear: Decimal("0.02")}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 14, 100])
async def test_pages_together_are_the_line_whatever_their_length(
    database: Engine, at: datetime, limit: int
) -> None:
    tariffs = await _line(at)
    async with transaction() as connection:
        (whole,) = await _paged(connection, tariffs, 1000)
        pages = await _paged(connection, tariffs, limit)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert list(itertools.chain(*pages)) == whole


async def test_a_line_has_every_charge_of_its_tariffs_and_no_other(
    database: Engine, at: datetime
) -> None:
    tariffs = await _line(at)
    async with transaction() as connection:
        (found,) = await _paged(connection, tariffs, 1000)
        expected = await connection.fetch(
            "SELECT drain, block, tariff, posting, points FROM charge WHERE tariff = ANY($1)",
            list(tariffs),
        )
    assert {(*charge.place[:3], charge.posting, charge.points) for charge in found} == {
        tuple(row) for row in expected
    }
    assert len(found) == len(expected) == 3 + 1 + 2 + 4 + 4
    assert [charge.place for charge in found] == sorted(charge.place for charge in found)


async def test_a_charge_is_points_times_unit_price_exactly(database: Engine, at: datetime) -> None:
    tariffs = await _line(at)
    async with transaction() as connection:
        (found,) = await _paged(connection, tariffs, 1000)
        total = await connection.fetchval(
            "SELECT sum(charge.points * tariff.unit_price) FROM charge"
            " JOIN tariff ON tariff.id = charge.tariff WHERE tariff.id = ANY($1)",
            list(tariffs),
        )
    assert sum(charge.amount for charge in found) == total == Decimal("0.41")


async def test_a_line_without_charges_is_one_empty_page(database: Engine, at: datetime) -> None:
    async with transaction() as connection:
        assert await _paged(connection, {}, 10) == [[]]


async def test_a_tenant_pages_through_its_own_tariffs_only(database: Engine, at: datetime) -> None:
    tariffs = await _line(at)
    async with transaction(role=TENANT_ROLE, partner_no=GROCER) as connection:
        own = await _paged(connection, tariffs, 3)
    async with transaction(role=TENANT_ROLE, partner_no=FUEL) as connection:
        others = await _paged(connection, tariffs, 3)
    assert sum(map(len, own)) == 14
    assert others == [[]]


async def test_a_block_is_seen_by_all_whom_it_charges_and_by_nobody_else(
    database: Engine, at: datetime
) -> None:
    await _line(at)
    seen = {}
    for partner_no in (GROCER, FUEL, 3):
        async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
            rows = await connection.fetch("SELECT drain, no FROM block ORDER BY drain, no")
            charged = await connection.fetch("SELECT tariff FROM charge")
            own = await connection.fetch("SELECT id FROM tariff")
        seen[partner_no] = [row["no"] for row in rows]
        assert {row["tariff"] for row in charged} == {row["id"] for row in own}
    assert seen == {GROCER: [0, 1, 2, 3, 0], FUEL: [0, 1], 3: []}
