"""What a merged member had bought and gives back settles as if nobody had been merged."""

from decimal import Decimal

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, merging
from coalition.ledger.partitions import ensure_partition
from tests.partners.settlement.world import NOVEMBER, OCTOBER, book, close, make_world, told
from tests.support.ledger import open_holder

pytestmark = pytest.mark.usefixtures("database")


async def test_returns_after_a_merge_are_credited_at_the_original_prices() -> None:
    world = await make_world({"A": {}, "C": {}})
    old, new = await open_holder(OCTOBER), world.holder
    world.holder = old
    given = await world.issue("A", 10_000, OCTOBER)
    taken = await world.redeem("C", 4_000, OCTOBER)
    await ensure_partition(OCTOBER)
    async with transaction() as connection:
        await merging.merge(
            connection, from_holder=old, into_holder=new, at=OCTOBER, today=OCTOBER.date()
        )
    await world.reverse("C", taken, OCTOBER, 1_000)
    await world.reverse("A", given, OCTOBER, 2_000)
    await close("2026-10", NOVEMBER)
    # 8,000 at 0.0100, and 3,000 at 0.0085; what went from member to member costs nobody anything.
    assert told(await world.statement("A", "2026-10")) == [("issuance", 8_000, 8_000, 0)]
    assert told(await world.statement("C", "2026-10")) == [("redemption", 3_000, -2_550, 0)]
    assert await book() == {
        ("partner", world.numbers["A"]): Decimal(80),
        ("partner", world.numbers["C"]): Decimal("-25.5"),
        ("fund", 0): Decimal("-54.5"),
    }
    assert (await audit.run()).ok
