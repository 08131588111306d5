"""Trust: acts that are named are read before their holders are locked, and taken to stand so.

Where one does not, the end of the transaction fails, and it runs again without trust.
"""

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.ledger.lots import LotChanges

Kept = TypeVar("Kept")


class Trusted(NamedTuple, Generic[Kept]):
    """What was read of acts that are named, by their ids, and what takes the writes that wait.

    `note` hears of holder, lot, point currency, and by how much what is neither spent nor held of
    the lot grows.
    """

    kept: Mapping[UUID, Kept]
    later: Later
    note: Callable[[UUID, UUID, int, int], None]

    async def write_lots(
        self, connection: Connection, changes: LotChanges, currencies: Mapping[UUID, int]
    ) -> None:
        """Leave `changes` of lots to the end, unless one of them is both given to and taken from.

        `currencies` tells the point currency of each that is taken from.
        """
        changed = changes.once()
        if changed is None:
            await changes.write(connection, self.later)
            return
        for holder, lot, currency_no, points in changed:
            self.note(holder, lot, currencies[lot] if currency_no is None else currency_no, points)
        await changes.write(self.later)
