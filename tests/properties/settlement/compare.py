"""What was booked, held against the replay of everything that was posted."""

from collections import defaultdict
from fractions import Fraction

from coalition.kernel.database import transaction
from partners.settlement import periods, statements
from tests.properties.settlement import booked, facts
from tests.properties.settlement.facts import OPERATOR
from tests.properties.settlement.lines import closing, composed
from tests.properties.settlement.replay import Account, Books, FirstOpen, replay, without_zeros
from tests.properties.settlement.world import World

DRAIN, CLOSE, ADJUSTMENT = 1, 2, 3
"""Kinds of postings in the money book, as the database numbers them."""


async def compare(world: World, first_open: FirstOpen | None = None) -> Books:
    """Return what the replay comes to; totals, charges and the money book say the same, exactly.

    Everything that was posted must have been drained.
    """
    async with transaction() as connection:
        told = replay(await facts.read(connection), first_open or world.first_open)
        drained = await booked.lines(connection)
        charged = await booked.lines(connection, from_charges=True)
        accounts = await booked.accounts(connection, [DRAIN])
        adjusted = await booked.accounts(connection, [ADJUSTMENT])
    assert drained == charged, "the totals of tariffs are the sums of their charges"
    assert drained == told.lines
    assert accounts == told.accounts
    assert adjusted == told.adjusted
    return told


async def compare_statements(world: World, first_open: FirstOpen | None = None) -> None:
    """Hold statements, live and frozen, against the replay; postings may wait for a drain."""
    await periods.ensure(world.at)
    async with transaction() as connection:
        read = await facts.read(connection)
    told = replay(read, first_open or world.first_open)
    closed: dict[Account, Fraction] = defaultdict(Fraction)
    for partner in (OPERATOR, *world.partners):
        live = await statements.live(partner, world.at)
        async with transaction() as connection:
            frozen = await booked.frozen(connection, partner)
        shown = {one.head.period.no: booked.rounded(partner, one) for one in live.statements}
        assert shown.keys().isdisjoint(frozen)
        assert frozen | shown == {
            period: composed(read, told.settled, partner, period) for period in frozen | shown
        }
        for rows in frozen.values():
            for account, amount in closing(told.settled, rows).items():
                closed[account] += amount
    async with transaction() as connection:
        assert await booked.accounts(connection, [CLOSE]) == without_zeros(closed)
