"""What a statement adds up: over shards, tariffs and versions, drained or still waiting."""

from decimal import Decimal
from typing import Any

import pytest

from coalition.federation.terms import Mode, Vat
from coalition.kernel.database import transaction
from coalition.kernel.ids import SHARDS, bucket_of, shard_of
from partners.settlement import draining, feed, periods, sums, waiting
from tests.partners.settlement.world import OCTOBER, World, make_world, told
from tests.support.ledger import open_holder

pytestmark = pytest.mark.usefixtures("database")

VAT = {"service_fee": Vat(rate=Decimal("0.25"))}


async def issue_in_all_shards(world: World, points: int) -> None:
    """Issue so many points once in each shard."""
    missing = set(range(SHARDS))
    while missing:
        holder = await open_holder(OCTOBER)
        shard = shard_of(bucket_of(holder))
        if shard in missing:
            missing.remove(shard)
            await world.issue("A", points, OCTOBER, holder=holder)


def plain(groups: sums.Groups) -> list[Any]:
    """Return kind, points, charges, exact amount and VAT of each group, added up by kind."""
    found: dict[int, list[Any]] = {}
    for group in (one for held in groups.values() for one in held):
        known = found.setdefault(group.kind, [0, 0, Decimal(0), Decimal(0)])
        for no, value in enumerate((group.points, group.charges, group.exact, group.booked_vat)):
            known[no] += value
    return sorted([int(kind), *map(str, map(_normal, held))] for kind, held in found.items())


def _normal(number: Decimal | int) -> Decimal:
    return Decimal(number).normalize() + 0


async def test_points_charges_and_money_are_added_up_over_all_shards() -> None:
    world = await make_world({"A": {"service_fee_per_point": Decimal("0.001"), "vat": VAT}})
    await issue_in_all_shards(world, 10)
    await periods.ensure(OCTOBER)
    async with transaction(feed.PLANS) as connection:
        book = await draining.read_book(connection)
        queued = (await waiting.of_partner(connection, 1, book)).groups
    await draining.drain_all(OCTOBER)
    async with transaction() as connection:
        booked = await sums.booked(connection, 1, [1])
    expected = [[1, "160", "16", "1.6", "0"], [3, "160", "16", "0.16", "0.04"]]
    assert plain(booked) == expected
    assert plain(queued) == expected
    live = await world.live("A", OCTOBER)
    assert told(live.statements[0]) == [("issuance", 160, 160, 0), ("service_fee", 160, 16, 4)]
    assert live.statements[0].head.charges == 32


async def test_points_that_are_paid_in_two_parts_are_counted_once_before_and_after_a_drain() -> (
    None
):
    hybrid = {"mode": Mode.HYBRID, "prefunded_share": Decimal("0.3")}
    world = await make_world({"A": hybrid, "B": {}})
    await world.issue("A", 100, OCTOBER)
    await world.redeem("B", 40, OCTOBER)
    before = (await world.live("A", OCTOBER)).statements
    await draining.drain_all(OCTOBER)
    # 0.30 at issue for all hundred, 0.28 for the forty that were spent.
    assert told(before[0]) == [("issuance", 100, 58, 0)]
    assert (await world.live("A", OCTOBER)).statements == before
    assert before[0].head.charges == 2


async def test_a_tariff_that_does_not_count_has_money_and_charges_but_no_points() -> None:
    world = await make_world({"A": {"mode": Mode.HYBRID, "prefunded_share": Decimal("0.3")}})
    await world.issue("A", 100, OCTOBER)
    await world.redeem("A", 40, OCTOBER)
    await draining.drain_all(OCTOBER)
    async with transaction() as connection:
        booked = await sums.booked(connection, 1, [1])
    [issuance] = [group for group in booked[1] if group.kind == 1]
    assert (issuance.points, issuance.charges, issuance.exact) == (100, 2, Decimal("0.58"))
