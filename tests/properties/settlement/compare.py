"""What was booked, held against the replay of everything that was posted."""

from coalition.kernel.database import transaction
from tests.properties.settlement import booked, facts
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
