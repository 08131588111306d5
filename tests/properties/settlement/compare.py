"""What was booked, held against the replay of everything that was posted."""

from coalition.kernel.database import transaction
from partners.settlement import statements
from tests.properties.settlement import booked, facts
from tests.properties.settlement.facts import OPERATOR
from tests.properties.settlement.lines import composed
from tests.properties.settlement.replay import Books, replay
from tests.properties.settlement.world import World

DRAIN = 1
"""The kind of a drain's posting in the money book."""


async def compare(world: World) -> Books:
    """Return what the replay comes to; totals, charges and the money book say the same, exactly.

    Everything that was posted must have been drained.
    """
    async with transaction() as connection:
        told = replay(await facts.read(connection), world.first_open)
        drained = await booked.lines(connection)
        charged = await booked.lines(connection, from_charges=True)
        accounts = await booked.accounts(connection, [DRAIN])
    assert drained == charged, "the totals of tariffs are the sums of their charges"
    assert drained == told.lines
    assert accounts == told.accounts
    return told


async def compare_statements(world: World) -> None:
    """Hold statements, live and frozen, against the replay; postings may wait for a drain."""
    for partner in (OPERATOR, *world.partners):
        live = await statements.live(partner, world.at)
        async with transaction() as connection:
            read = await facts.read(connection)
            frozen = await booked.frozen(connection, partner)
        told = replay(read, world.first_open)
        shown = {one.head.period.no: booked.rounded(partner, one) for one in live.statements}
        assert shown.keys().isdisjoint(frozen)
        assert frozen | shown == {
            period: composed(read, told.lines, partner, period) for period in frozen | shown
        }
