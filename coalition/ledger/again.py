"""What came into lots though nobody earned it: for those that their holder brought itself.

Counters of a lot only grow, so what was spent and has come back is among what came in. Rules that
ask what somebody earned count without it, and without what of an issue was taken back or is owed.
"""

from uuid import UUID

from coalition.kernel.database.later import Executes
from coalition.kernel.ids import bucket_of

_WRITE = """
INSERT INTO lot_again AS kept (bucket, lot, points)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::int8[])
ON CONFLICT (bucket, lot) DO UPDATE SET points = kept.points + excluded.points
"""


class Again:
    """Points that came again in one stage, added up so that each row is written once."""

    def __init__(self) -> None:
        """Start without any."""
        self._lots: dict[UUID, tuple[int, int]] = {}

    def count(self, holder: UUID, lot: UUID, points: int) -> None:
        """Count `points` of a lot of `holder` as not earned."""
        bucket, before = self._lots.get(lot, (bucket_of(holder), 0))
        self._lots[lot] = bucket, before + points

    async def write(self, by: Executes) -> None:
        """Write it, in (bucket, lot) order; mostly there is nothing."""
        if self._lots:
            rows = sorted((bucket, lot, points) for lot, (bucket, points) in self._lots.items())
            await by.execute(_WRITE, *zip(*rows, strict=True))
