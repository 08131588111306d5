"""Guardians of minors: who guards whom, until when, and what a guardian has stopped.

Where the minor's birth date is known, a job ends the guardianship on the day on which it comes of
age. What a guardian stops is spending and sending; the minor goes on earning.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from coalition.families.kin import sharing
from coalition.families.kin.ages import turning_day
from coalition.families.kin.group_refusals import (
    GuardianIsAMinor,
    InvalidRelationship,
    NotAMinor,
    UnknownGuardian,
)
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import holders
from coalition.members import circumstances
from coalition.members.closing import day
from coalition.members.locking import lock_open
from coalition.members.sealing import MemberKeys
from coalition.oversight import audit_log

_ADD = """
INSERT INTO guardianship (bucket, minor, guardian, since, turns_adult_on, source)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_END = """
UPDATE guardianship SET until = greatest($4, since), frozen_at = NULL
WHERE bucket = $1 AND minor = $2 AND guardian = $3 AND until IS NULL
"""

_GROWN_UP = """
UPDATE guardianship SET until = greatest($2, since), frozen_at = NULL
WHERE until IS NULL AND turns_adult_on <= $1 RETURNING minor
"""

_END_OF_GUARDIAN = """
UPDATE guardianship SET until = greatest($2, since), frozen_at = NULL
WHERE guardian = $1 AND until IS NULL RETURNING minor
"""

_OF = """
SELECT kept.minor, kept.guardian
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, minor), LATERAL (
    SELECT minor, guardian, since FROM guardianship
    WHERE guardianship.bucket = wanted.bucket AND guardianship.minor = wanted.minor
      AND until IS NULL
    OFFSET 0) AS kept
ORDER BY kept.minor, kept.since, kept.guardian
"""

_MINORS = """
SELECT minor, since, source, frozen_at FROM guardianship
WHERE guardian = $1 AND until IS NULL ORDER BY since, minor
"""

_FREEZE = """
UPDATE guardianship SET frozen_at = CASE WHEN $4 THEN coalesce(frozen_at, $5) END
WHERE bucket = $1 AND minor = $2 AND guardian = $3 AND until IS NULL
"""

_FROZEN = """
SELECT kept.minor
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, minor), LATERAL (
    SELECT minor FROM guardianship
    WHERE guardianship.bucket = wanted.bucket AND guardianship.minor = wanted.minor
      AND until IS NULL AND frozen_at IS NOT NULL
    LIMIT 1) AS kept
"""


class Ward(msgspec.Struct, frozen=True, kw_only=True):
    """A minor, as its guardian sees that."""

    minor: UUID
    since: datetime
    source: str
    frozen_at: datetime | None


async def appoint(
    minor: UUID, guardian: UUID, *, source: str, actor: str, keys: MemberKeys, at: datetime
) -> None:
    """Let `guardian` guard `minor` from `at`, as `source` says; repeating it changes nothing.

    Raises `NotAMinor` for who is known to be of age, `GuardianIsAMinor` for a guardian who is known
    not to be, or is guarded, and for a ward who guards; `InvalidRelationship` for oneself, and what
    `lock_open` does.
    """
    if minor == guardian:
        raise InvalidRelationship
    async with transaction() as connection:
        await lock_open(connection, (MemberId(minor), MemberId(guardian)))
        guarding = await guardians_of(connection, [minor, guardian])
        if guardian in guarding[minor]:
            return
        known = await circumstances.read(
            connection, [MemberId(minor), MemberId(guardian)], keys=keys
        )
        today = await day(connection, at)
        turns = turning_day(known[MemberId(minor)].born)
        if turns is not None and turns <= today:
            raise NotAMinor
        turned = turning_day(known[MemberId(guardian)].born)
        is_young = turned is not None and turned > today
        if is_young or guarding[guardian] or await wards_of(connection, minor):
            raise GuardianIsAMinor
        await connection.execute(_ADD, bucket_of(minor), minor, guardian, at, turns, source)
        await _record(connection, "guardian.appointed", (minor, guardian), actor=actor, at=at)


async def dismiss(minor: UUID, guardian: UUID, *, actor: str, at: datetime) -> None:
    """End a guardianship at `at`, and with it what the guardian has stopped.

    Raises `UnknownGuardian` where there is none.
    """
    async with transaction() as connection:
        await holders.lock(connection, [minor])
        done = await connection.execute(_END, bucket_of(minor), minor, guardian, at)
        if done == "UPDATE 0":
            raise UnknownGuardian
        await sharing.mark(connection, [minor])
        await _record(connection, "guardian.dismissed", (minor, guardian), actor=actor, at=at)


async def stop(minor: UUID, guardian: UUID, *, at: datetime) -> None:
    """Let `minor` spend and send nothing until its guardian says so. Raises `UnknownGuardian`."""
    await _set_frozen(minor, guardian, is_frozen=True, at=at)


async def let_go_on(minor: UUID, guardian: UUID, *, at: datetime) -> None:
    """End what this guardian stopped; another's word stands. Raises `UnknownGuardian`."""
    await _set_frozen(minor, guardian, is_frozen=False, at=at)


async def end_grown_up(at: datetime) -> int:
    """End the guardianships of who has come of age by `at`; return how many."""
    async with transaction() as connection:
        rows = await connection.fetch(_GROWN_UP, await day(connection, at), at)
        minors = {row[0] for row in rows}
        await holders.lock(connection, minors)
        await sharing.mark(connection, minors)
    return len(rows)


async def end_of(connection: Connection, guardian: UUID, at: datetime) -> None:
    """End all guardianships of who can guard nobody any more, and what it stopped."""
    minors = {row[0] for row in await connection.fetch(_END_OF_GUARDIAN, guardian, at)}
    await holders.lock(connection, minors)
    await sharing.mark(connection, minors)


async def guardians_of(connection: Connection, members: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return who guards each of `members`, who has done so longest first."""
    found: dict[UUID, list[UUID]] = {member: [] for member in members}
    buckets = [bucket_of(member) for member in found]
    for row in await connection.fetch(_OF, buckets, list(found)):
        found[row[0]].append(row[1])
    return found


async def wards_of(connection: Connection, guardian: UUID) -> list[Ward]:
    """Return whom a member guards."""
    rows = await connection.fetch(_MINORS, guardian)
    return [msgspec.convert(dict(row), Ward) for row in rows]


async def stopped(connection: Connection, members: Collection[UUID]) -> frozenset[UUID]:
    """Return those of `members` whose spending and sending a guardian has stopped."""
    wanted = list(members)
    rows = await connection.fetch(_FROZEN, [bucket_of(one) for one in wanted], wanted)
    return frozenset(row[0] for row in rows)


async def _set_frozen(minor: UUID, guardian: UUID, *, is_frozen: bool, at: datetime) -> None:
    async with transaction() as connection:
        await holders.lock(connection, [minor])
        done = await connection.execute(_FREEZE, bucket_of(minor), minor, guardian, is_frozen, at)
        if done == "UPDATE 0":
            raise UnknownGuardian
        await sharing.mark(connection, [minor])


async def _record(
    connection: Connection, action: str, pair: tuple[UUID, UUID], *, actor: str, at: datetime
) -> None:
    minor, guardian = pair
    await audit_log.record(
        connection,
        actor=actor,
        action=action,
        subject=f"member:{minor}",
        facts={"guardian": guardian},
        at=at,
    )
