"""The digest of a closed statement takes in the drains of its own partner and period, no others."""

import hashlib
from decimal import Decimal

import pytest

from coalition.federation.terms import Vat
from coalition.kernel.database import transaction
from partners.settlement import digests, draining, exporting
from partners.settlement.verifying import verify
from tests.partners.settlement.world import (
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    World,
    close,
    make_world,
)

pytestmark = pytest.mark.usefixtures("database")

VAT = Decimal("0.25")


async def drained(partner_no: int, period_no: int) -> list[bytes]:
    """Return the digests of the drains of a partner's period, in the order of their ids."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT digest FROM drain_digest WHERE partner_no = $1 AND period_no = $2"
            " ORDER BY drain",
            partner_no,
            period_no,
        )
    return [row[0] for row in rows]


async def trade(world: World) -> None:
    """Let A issue in two drains and B in one, in each of two months."""
    for at in (OCTOBER, NOVEMBER):
        for partner in ("A", "B", "A"):
            await world.issue(partner, 100, at)
            if partner == "A":
                await draining.drain_all(at)


async def test_each_statement_stands_for_the_drains_of_its_own_partner_and_period() -> None:
    world = await make_world({"A": {}, "B": {}})
    await trade(world)
    await close("2026-10", NOVEMBER)
    await close("2026-11", DECEMBER)
    found = {}
    for partner_no, partner in ((1, "A"), (2, "B")):
        for period_no, name in ((1, "2026-10"), (2, "2026-11")):
            statement = await world.statement(partner, name)
            chain = hashlib.sha256(f"partner:{partner_no} period:{period_no}".encode()).digest()
            each = await drained(partner_no, period_no)
            for one in each:
                chain = hashlib.sha256(chain + one).digest()
            assert statement.head.digest == digests.sealed(chain, statement.lines)
            found[partner, name] = len(each)
    assert found == {
        ("A", "2026-10"): 2,
        ("A", "2026-11"): 2,
        ("B", "2026-10"): 1,
        ("B", "2026-11"): 1,
    }


async def test_what_was_drained_proves_itself_from_its_file() -> None:
    fee = {"service_fee_per_point": Decimal("0.0008"), "vat": {"service_fee": Vat(rate=VAT)}}
    world = await make_world({"A": fee, "B": {}})
    given = await world.issue("A", 100, OCTOBER)
    for points in (200, 300):
        await world.issue("A", points, OCTOBER)
    await world.redeem("B", 50, OCTOBER)
    first = await close("2026-10", NOVEMBER)
    await world.reverse("A", given, NOVEMBER, 40)
    await world.issue("A", 7, NOVEMBER)
    second = await close("2026-11", DECEMBER)
    charges = {}
    for closed in (*first, *second):
        statement = await exporting.find(closed.statement, partner_no=closed.partner_no)
        pieces = [piece async for piece in exporting.lines(statement, world.known)]
        verdict = verify(b"".join(pieces).splitlines(keepends=True))
        assert verdict.differences == []
        charges[closed.partner_no, closed.period] = verdict.charges
    assert charges == {
        (0, "2026-10"): 0,
        (1, "2026-10"): 6,
        (2, "2026-10"): 1,
        (0, "2026-11"): 0,
        (1, "2026-11"): 4,
        (2, "2026-11"): 0,
    }
