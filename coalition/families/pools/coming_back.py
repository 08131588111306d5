"""What members have used of limits on spending, and what of that comes back.

A redemption counts on its day, at the member and at its group. What is returned of it, a hold that
is given up and what a capture leaves give it back to that very day, once: so much of the points,
and that it was one when nothing of it is left.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import UsageKey, UsageMade
from coalition.families.rule_sets.vocabulary import Event
from coalition.families.transfers import usage
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders
from coalition.points.pools import PoolReturn

HOLDS_AT_ONCE = 500

_NOTE = """
INSERT INTO family_redemption
    (bucket, act, is_hold, member_id, group_id, day, points, returned)
SELECT *, 0 FROM unnest($1::int2[], $2::uuid[], $3::bool[], $4::uuid[], $5::uuid[], $6::date[],
                        $7::int8[])
"""

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_READ = """
SELECT kept.act, kept.is_hold, kept.member_id, kept.group_id, kept.day, kept.points, kept.returned
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, act), LATERAL (
    SELECT * FROM family_redemption
    WHERE family_redemption.bucket = wanted.bucket AND family_redemption.act = wanted.act
    OFFSET 0) AS kept
"""

_RETURNED = """
UPDATE family_redemption SET returned = back.returned
FROM unnest($1::int2[], $2::uuid[], $3::int8[]) AS back (bucket, act, returned)
WHERE family_redemption.bucket = back.bucket AND family_redemption.act = back.act
"""

_EXPIRED = """
SELECT kept.act, kept.member_id FROM family_redemption AS kept
JOIN hold ON hold.bucket = kept.bucket AND hold.id = kept.act
WHERE kept.is_hold AND kept.returned < kept.points AND hold.state = 4
ORDER BY kept.bucket, kept.act LIMIT $1
"""


class Bought(msgspec.Struct, kw_only=True):
    """A redemption or a hold that limits count."""

    act: UUID
    is_hold: bool
    member_id: UUID
    group_id: UUID
    day: date
    """On which it counts."""
    points: int
    returned: int = 0
    """What of it is counted no longer."""

    def gives_back(self, points: int, by: UUID, *, times: int | None = None) -> list[UsageMade]:
        """Count `points` of it no longer; return what that gives back to whoever has it `by` now.

        The act itself counts no longer with the last of its points, unless `times` says otherwise.
        """
        points = min(points, self.points - self.returned)
        if not points:
            return []
        self.returned += points
        if times is None:
            times = int(self.returned == self.points)
        of_member = UsageKey(by, "member", Event.REDEEM)
        of_group = UsageKey(self.group_id, "group", Event.REDEEM)
        return [
            UsageMade(of_member, self.group_id, self.day, points, times),
            UsageMade(of_group, self.member_id, self.day, points, times),
        ]


async def note(connection: Connection, bought: Sequence[Bought]) -> None:
    """Keep what was counted."""
    if bought:
        rows = [
            (bucket_of(one.act), one.act, one.is_hold, one.member_id, one.group_id, one.day)
            for one in bought
        ]
        points = [one.points for one in bought]
        await connection.execute(_NOTE, *zip(*rows, strict=True), points)


async def give_back(connection: Connection, back: Sequence[PoolReturn]) -> None:
    """Give back what acts used whose holders are locked, as much of it as came back."""
    kept = await _read(connection, {one.act for one in back})
    if not kept:
        return
    made: list[UsageMade] = []
    moved: list[Bought] = []
    for one in back:
        if (was := kept.get(one.act)) is None:
            continue
        left = was.points - was.returned
        if one.captured_by is None:
            made += was.gives_back(left if one.points is None else one.points, one.holder)
        elif left:
            captured = one.points or 0
            made += was.gives_back(left - captured, one.holder, times=0)
            was.returned = was.points
            moved.append(_captured(was, one.captured_by, captured))
    await _write(connection, kept.values(), made)
    await note(connection, moved)


async def of_expired_holds(at: datetime) -> int:
    """Give back what holds have used whose time was over; return how many there were."""
    del at  # whose time is over is told by the hold itself
    done = 0

    async def some() -> int:
        async with transaction() as connection:
            rows = await connection.fetch(_EXPIRED, HOLDS_AT_ONCE)
            if not rows:
                return 0
            # As any other act of theirs; what was read before is read again.
            await holders.lock(connection, {row[1] for row in rows})
            kept = await _read(connection, [row[0] for row in rows])
            made = [
                use
                for one in kept.values()
                for use in one.gives_back(one.points, await _survivor(connection, one.member_id))
            ]
            await _write(connection, kept.values(), made)
            return len(rows)

    while count := await retrying(some):
        done += count
    return done


def _captured(hold: Bought, posting: UUID, points: int) -> Bought:
    return msgspec.structs.replace(hold, act=posting, is_hold=False, points=points, returned=0)


async def _survivor(connection: Connection, member: UUID) -> UUID:
    found = await holders.survivors_of(connection, [member])
    return found.get(member, member)


async def _read(connection: Connection, acts: Collection[UUID]) -> dict[UUID, Bought]:
    wanted = list(acts)
    rows = await connection.fetch(_READ, [bucket_of(act) for act in wanted], wanted)
    return {row[0]: msgspec.convert(dict(row), Bought) for row in rows}


async def _write(connection: Connection, kept: Iterable[Bought], made: Sequence[UsageMade]) -> None:
    rows = sorted((bucket_of(one.act), one.act, one.returned) for one in kept)
    await connection.execute(_RETURNED, *zip(*rows, strict=True))
    await usage.give_back(connection, made)
