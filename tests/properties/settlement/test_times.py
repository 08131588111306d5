"""What an hour decides: late signatures, clocks that are ahead, returns after years."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest

from coalition.federation.terms import ContractTerms, Mode, Vat
from coalition.kernel.database import Engine
from coalition.kernel.ids import bucket_of, shard_of
from coalition.kernel.money import POINTS_MAX
from coalition.ledger.drafts import Posted
from partners.settlement import draining
from tests.properties.settlement.compare import compare, compare_statements
from tests.properties.settlement.world import World

TERMS = ContractTerms(
    currency="EUR",
    issue_price=Decimal("0.01"),
    redemption_price=Decimal("0.0085"),
    service_fee_per_point=Decimal("0.000123457"),
    vat={"service_fee": Vat(rate=Decimal("0.123456"))},
)
NOW = timedelta(0)


@pytest.fixture
def world(runner: asyncio.Runner, database: Engine) -> World:
    """Return a coalition of two partners, in Stockholm and in New York, on a summer's morning."""
    assert database.pool is not None
    opened = World(datetime(2026, 6, 30, 8, tzinfo=UTC))
    runner.run(opened.open([(TERMS, "Europe/Stockholm"), (TERMS, "America/New_York")]))
    return opened


@pytest.mark.parametrize("is_drained_before", [True, False])
async def test_a_version_signed_today_does_not_change_the_price_of_what_happened_this_morning(
    world: World, *, is_drained_before: bool
) -> None:
    grocer, fuel = world.partners
    await world.post([world.issue(0, grocer, [(grocer, 1000)], NOW)])
    await world.post([world.redeem(0, fuel, 400, NOW)])
    if is_drained_before:
        await draining.drain_all(world.at)
    world.tick(timedelta(hours=2))
    dearer = msgspec.structs.replace(TERMS, redemption_price=Decimal("0.009"))
    assert await world.sign(fuel, dearer, days=0)
    await world.post([world.redeem(0, fuel, 100, NOW)])
    await world.post([world.reverse(1, 300)])
    await draining.drain_all(world.at)
    told = await compare(world)
    taken = {
        key.contract: line.exact
        for key, line in told.lines.items()
        if (key.partner, key.kind) == (fuel, "redemption")
    }
    first, second = (version.no for version in world.terms.catalogue.contracts_of(fuel))
    assert taken == {first: Fraction(-85, 100), second: Fraction(-9, 10)}


async def test_a_return_that_is_dated_before_what_it_returns_is_booked_with_it(
    world: World,
) -> None:
    grocer, fuel = world.partners
    world.at = datetime(2026, 6, 30, 21, 58, tzinfo=UTC)  # two minutes before July in Stockholm
    ahead = timedelta(minutes=-4)
    await world.post([world.issue(0, grocer, [(grocer, 1000)], ahead)])
    await world.post([world.reverse(0, None)])
    await world.post([world.redeem(0, fuel, 1, ahead)])
    await draining.drain_all(world.at)
    told = await compare(world)
    of_the_grocer = [key for key in told.lines if key.partner == grocer]
    assert {key.period for key in of_the_grocer} == {key.origin for key in of_the_grocer}
    assert all(told.lines[key].exact == 0 for key in of_the_grocer)


async def test_a_return_after_three_years_is_at_the_price_of_then(world: World) -> None:
    grocer, fuel = world.partners
    await world.post([world.issue(0, grocer, [(grocer, 1000)], NOW)])
    redeemed = await world.post([world.redeem(0, fuel, 400, NOW)])
    assert isinstance(redeemed[0], Posted)
    await draining.drain_all(world.at)
    dearer = msgspec.structs.replace(TERMS, redemption_price=Decimal("0.009"))
    assert await world.sign(fuel, dearer, days=20)
    world.tick(timedelta(days=3 * 365))
    await world.post([world.reverse(1, None)])
    await draining.drain_all(world.at)
    told = await compare(world)
    returned = [
        (line.points, line.exact)
        for key, line in told.lines.items()
        if (key.partner, key.kind) == (fuel, "redemption") and key.period != key.origin
    ]
    assert returned == [(-400, Fraction(34, 10))]


async def test_the_book_is_the_same_however_postings_come_together_in_drains(world: World) -> None:
    grocer, _ = world.partners
    for points in (1, 3, 7, 11):
        for member in range(3):
            await world.post([world.issue(member, grocer, [(grocer, points)], NOW)])
            if points > 3:
                await draining.drain_all(world.at)
    await draining.drain_all(world.at)
    await compare(world)


async def test_nothing_is_booked_in_a_period_that_is_over_for_want_of_the_next(
    world: World,
) -> None:
    grocer, _ = world.partners
    await draining.drain_all(world.at)
    world.tick(timedelta(days=40))
    await world.post([world.issue(0, grocer, [(grocer, 10)], NOW)])
    shard = shard_of(bucket_of(world.members[0]))
    with pytest.raises(AssertionError, match="no period"):
        await draining.drain(shard, world.at)
    assert await draining.drain_all(world.at) == 1
    await compare(world)


async def test_large_prices_of_many_points_are_booked_to_the_last_place(world: World) -> None:
    grocer, fuel = world.partners
    dear = msgspec.structs.replace(
        TERMS,
        currency="SEK",
        issue_price=Decimal("9999.123456789"),
        redemption_price=Decimal("9998.987654321"),
        service_fee_percent=Decimal("99.999999"),
        mode=Mode.HYBRID,
        prefunded_share=Decimal("0.333333"),
        breakage_share=Decimal("0.123457"),
    )
    assert await world.sign(grocer, dear, days=1)
    assert await world.sign(fuel, msgspec.structs.replace(dear, currency="EUR"), days=1)
    await world.agree_on_rate("EUR", "SEK", "19999.987654321")
    world.tick(timedelta(days=2))
    for member in range(3):
        for _ in range(3):
            await world.post([world.issue(member, grocer, [(grocer, POINTS_MAX)], NOW)])
    await world.post([world.redeem(0, grocer, POINTS_MAX, NOW)])
    await world.post([world.redeem(1, fuel, POINTS_MAX, NOW)])
    await world.post([world.adjust(2, 0, -POINTS_MAX)])
    await draining.drain_all(world.at)
    await compare(world)
    await compare_statements(world)
