"""Closing: worked example A to the cent, and what is closed never changes."""

from decimal import Decimal

import pytest

from partners.settlement.kinds import OPERATOR, StatementState
from tests.partners.settlement.world import (
    EXAMPLE_A,
    NOVEMBER,
    World,
    book,
    close,
    make_world,
    play_example_a,
    told,
)

pytestmark = pytest.mark.usefixtures("database")


async def example_a() -> World:
    world = await make_world(EXAMPLE_A)
    await play_example_a(world)
    return world


async def test_worked_example_a_to_the_cent() -> None:
    world = await example_a()
    closed = await close("2026-10", NOVEMBER)
    assert [one.number for one in closed] == [1, 2, 3, 4]
    assert told(await world.statement("A", "2026-10")) == [
        ("issuance", 4_950_000, 4_950_000, 0),
        ("redemption", 3_000_000, -2_550_000, 0),
        ("service_fee", 4_950_000, 396_000, 99_000),
    ]
    assert told(await world.statement("B", "2026-10")) == [
        ("issuance", 2_000_000, 2_000_000, 0),
        ("redemption", 1_000_000, -850_000, 0),
        ("service_fee", 2_000_000, 200_000, 50_000),
    ]
    assert told(await world.statement("C", "2026-10")) == [
        ("issuance", 500_000, 525_000, 0),
        ("redemption", 1_780_000, -1_424_000, 0),
        ("service_fee", 500_000, 50_000, 12_500),
    ]
    net = {one.partner_no: [total.net_minor for total in one.net] for one in closed}
    assert net == {OPERATOR: [], 1: [2_895_000], 2: [1_400_000], 3: [-836_500]}


async def test_the_books_prove_worked_example_a() -> None:
    await example_a()
    await close("2026-10", NOVEMBER)
    assert await book() == {
        ("partner", 1): Decimal("28950.00"),
        ("partner", 2): Decimal("14000.00"),
        ("partner", 3): Decimal("-8365.00"),
        ("fund", 0): Decimal(-26510),
        ("fee", 0): Decimal(-6460),
        ("vat", 0): Decimal(-1615),
    }


async def test_a_live_statement_says_what_the_close_will_freeze() -> None:
    world = await example_a()
    before = await world.live("C", NOVEMBER)
    assert [one.head.period.name for one in before.statements] == ["2026-10", "2026-11"]
    assert before.unsettled_postings == 8
    assert before.net_minor == {"EUR": -836_500}
    await close("2026-10", NOVEMBER)
    after = await world.statement("C", "2026-10")
    assert after.head.state == StatementState.CLOSED
    assert (after.lines, after.totals) == (
        before.statements[0].lines,
        before.statements[0].totals,
    )
