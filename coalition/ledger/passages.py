"""Passages: points of others that an act takes pass through the lots of whoever does it.

What leaves another holder and what reaches the one who acts are the halves of a transfer; then the
act is an ordinary one of its own holder. A passage remembers which lot gave to which for which act
(a redemption, a hold or an issue), so that what is returned finds its way back.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.accounts import Kind
from coalition.ledger.drafts import Share, Till
from coalition.ledger.drawing import Drawn
from coalition.ledger.halves import OPERATOR, add_pair
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import LotChanges
from coalition.ledger.provenance import Provenance

_MADE = """
INSERT INTO passage (bucket, act, lot, other, other_lot, points, returned, is_activity)
SELECT bucket, act, lot, other, other_lot, points, 0, is_activity
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int8[], $7::bool[])
     AS made (bucket, act, lot, other, other_lot, points, is_activity)
"""

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_READ = """
SELECT kept.act, kept.lot, kept.other, kept.other_lot, kept.points, kept.returned,
       kept.is_activity
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, act), LATERAL (
    SELECT * FROM passage WHERE passage.bucket = wanted.bucket AND passage.act = wanted.act
    OFFSET 0) AS kept
ORDER BY kept.act, kept.lot, kept.other, kept.other_lot
"""

SPENT_TOGETHER = "spent_together"
EARNED_TOGETHER = "earned_together"
GIVEN_BACK = "given_back"
"""Of what was spent together."""
TAKEN_BACK = "taken_back"
"""Of what was earned together. By these reasons the audit tells passages from other transfers."""


class Passage(NamedTuple):
    """Points that passed between a lot of an act's holder and a lot of another, for the act."""

    act: UUID
    lot: UUID
    other: UUID
    other_lot: UUID
    points: int
    returned: int
    """What of it has come back, or has moved on from a hold to the redemption that captured it."""
    is_activity: bool = False
    """Whether redeeming it is activity of the other."""


async def read(connection: Connection, acts: Collection[UUID]) -> dict[UUID, list[Passage]]:
    """Return the passages of each of `acts` that has some, in the order of their keys."""
    found: dict[UUID, list[Passage]] = defaultdict(list)
    rows = await connection.fetch(_READ, [bucket_of(act) for act in acts], list(acts))
    for row in rows:
        found[row[0]].append(Passage._make(row))
    return found


async def others(connection: Connection, acts: Collection[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """Return with whom points of each of `acts` have passed; of no acts nothing is asked."""
    if not acts:
        return {}
    found = await read(connection, acts)
    return {
        act: tuple(sorted({one.other for one in passages}, key=lambda other: other.bytes))
        for act, passages in found.items()
    }


async def write(connection: Connection, made: Iterable[Passage]) -> None:
    """Write passages of new acts."""
    rows = [(bucket_of(one.act), *one[:5], one.is_activity) for one in made]
    if rows:
        await connection.execute(_MADE, *zip(*rows, strict=True))


class Through(NamedTuple):
    """What an act takes: its own lots with the points of each, and what of them is from others."""

    legs: list[tuple[UUID, int]]
    passed: dict[tuple[UUID, UUID, UUID], int]
    """By the act's own lot, the other holder and its lot."""
    is_activity: bool = False
    """Whether redeeming it is activity of the others."""

    def of(self, act: UUID) -> list[Passage]:
        """Return the passages of `act`, which took this."""
        return [
            Passage(act, *key, points, 0, self.is_activity) for key, points in self.passed.items()
        ]

    @property
    def shares(self) -> tuple[Share, ...]:
        """Return what each of the others gave."""
        return shares_of((other, points) for (_, other, _), points in self.passed.items())


def shares_of(parts: Iterable[tuple[UUID, int]]) -> tuple[Share, ...]:
    """Return parts of holders added up by holder."""
    sums: dict[UUID, int] = {}
    for holder, points in parts:
        sums[holder] = sums.get(holder, 0) + points
    return tuple(Share(holder, points) for holder, points in sums.items())


def take(
    journal: Journal,
    changes: LotChanges,
    spender: UUID,
    drawn: Collection[Drawn],
    kept: Mapping[UUID, Provenance],
) -> Through:
    """Let points of others that are `drawn` come into lots of `spender`; return what it has then.

    They keep where they came from, and count as brought by whoever did so or has them.
    """
    points_of: dict[UUID, int] = {}
    passed: dict[tuple[UUID, UUID, UUID], int] = {}
    legs: dict[UUID, list[tuple[Leg, Leg]]] = defaultdict(list)
    currency_no = 0
    for holder, lot, points in drawn:
        own = lot
        if holder != spender:
            arriving = brought_by(kept[lot], holder, spender)
            currency_no = arriving.currency_no
            changes.take_out(lot, holder, points=points)
            own = changes.put_in(spender, arriving, points)
            legs[holder].append(((lot, points, None), (own, points, None)))
            key = own, holder, lot
            passed[key] = passed.get(key, 0) + points
        points_of[own] = points_of.get(own, 0) + points
    till = Till(OPERATOR, None, None, None, journal.today, journal.at)
    for holder, pairs in legs.items():
        way = holder, spender
        add_pair(journal, Kind.TRANSFER, way, currency_no, pairs, till=till, reason=SPENT_TOGETHER)
    return Through(list(points_of.items()), passed)


def brought_by(was: Provenance, holder: UUID, receiver: UUID) -> Provenance:
    """Return the provenance of points of `holder` where `receiver` has them.

    Whoever brought them stays named. A contributor who is the receiver is none.
    """
    contributor = was.contributor or holder
    return Provenance(*was[:-1], None if contributor == receiver else contributor)
