"""Shares of what a holder has that do not end while a tier of whoever brought them says so.

A pool's account keeps points of many members. Whose tiers count for which contributor is written
down with the account; from then on each change of a member's tier is told here as well. Tills ask
for it only of holders that are marked, and of points that would have ended.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of

_FOLLOW = """
INSERT INTO kept_share (bucket, holder, contributor, follows, until)
SELECT $1, $2, * FROM unnest($3::uuid[], $4::uuid[], $5::date[])
ON CONFLICT (bucket, holder, contributor) DO UPDATE
SET follows = excluded.follows, until = excluded.until
"""

_MARK = """
UPDATE holder SET keeps_shares = $3 WHERE bucket = $1 AND id = $2 AND keeps_shares <> $3
"""

_FORGET = "DELETE FROM kept_share WHERE bucket = $1 AND holder = $2"

_KEEP = "UPDATE kept_share SET until = $2 WHERE follows = $1"
_KEEP_LONGER = "UPDATE kept_share SET until = greatest(until, $2) WHERE follows = $1"

_READ = """
SELECT kept.holder, kept.contributor, kept.follows, kept.until
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, holder), LATERAL (
    SELECT holder, contributor, follows, until FROM kept_share
    WHERE kept_share.bucket = wanted.bucket AND kept_share.holder = wanted.holder
    OFFSET 0) AS kept
"""

# Of who was merged: its tiers are the survivor's, and what it kept of others lies there.
_FOLLOW_SURVIVOR = """
UPDATE kept_share SET follows = $2, until = greatest(until, $3) WHERE follows = $1
"""
_KEEP_AT_SURVIVOR = """
INSERT INTO kept_share AS there (bucket, holder, contributor, follows, until)
SELECT $3, $4, contributor, follows, until FROM kept_share WHERE bucket = $1 AND holder = $2
ON CONFLICT (bucket, holder, contributor) DO UPDATE
SET until = greatest(there.until, excluded.until)
"""


class Share(NamedTuple):
    """Whose tiers keep a share from ending, and the last day on which they do, as things stand."""

    follows: UUID
    until: date | None


async def follow(connection: Connection, holder: UUID, shares: Mapping[UUID, Share]) -> None:
    """Let what contributors brought to `holder`, which is locked, last as `shares` say."""
    if shares:
        contributors = list(shares)
        follows = [shares[one].follows for one in contributors]
        until = [shares[one].until for one in contributors]
        key = bucket_of(holder), holder
        await connection.execute(_FOLLOW, *key, contributors, follows, until)
        await _mark(connection, holder, keeps_shares=True)


async def forget(connection: Connection, holder: UUID) -> None:
    """Let nothing that `holder` has, which is locked, follow its contributors any more."""
    await connection.execute(_FORGET, bucket_of(holder), holder)
    await _mark(connection, holder, keeps_shares=False)


async def keep(
    connection: Connection, member: UUID, until: date, *, or_longer: bool = False
) -> None:
    """Let what `member` brought anywhere not end through the day `until`, and no longer.

    Unless a later day may stay, as other tiers have it (`or_longer`).
    """
    await connection.execute(_KEEP_LONGER if or_longer else _KEEP, member, until)


async def read(connection: Connection, holders: Collection[UUID]) -> dict[UUID, dict[UUID, Share]]:
    """Return the shares of each of `holders`, by contributor."""
    wanted = list(holders)
    found: dict[UUID, dict[UUID, Share]] = defaultdict(dict)
    for row in await connection.fetch(_READ, [bucket_of(one) for one in wanted], wanted):
        found[row[0]][row[1]] = Share(row[2], row[3])
    return found


async def take_over(
    connection: Connection, *, from_holder: UUID, into_holder: UUID, until: date | None
) -> None:
    """Let the survivor of a merge, both locked, keep what the other did, and follow its tiers.

    `until` is the day through which the survivor's own tiers suspend expiry.
    """
    await connection.execute(_FOLLOW_SURVIVOR, from_holder, into_holder, until)
    ends = bucket_of(from_holder), from_holder, bucket_of(into_holder), into_holder
    done = await connection.execute(_KEEP_AT_SURVIVOR, *ends)
    if done != "INSERT 0 0":
        await _mark(connection, into_holder, keeps_shares=True)


async def _mark(connection: Connection, holder: UUID, *, keeps_shares: bool) -> None:
    await connection.execute(_MARK, bucket_of(holder), holder, keeps_shares)
