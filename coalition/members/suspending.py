"""Suspending expiry of those who hold a tier already, when the coalition names it."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import holders, kept_shares
from coalition.members import queries
from coalition.members.standings import Fact, suspended_until

MEMBERS_AT_ONCE = 1000

# Some of those who hold one of the tiers, in the order of their ids.
_HOLDING = """
SELECT DISTINCT bucket, member_id FROM standing
WHERE (bucket, member_id) > ($1, $2) AND kind = 'tier' AND value = ANY ($3::text[]) AND held
    AND (valid_until IS NULL OR valid_until > $4)
ORDER BY bucket, member_id LIMIT $5
"""

_TIERS = """
SELECT member_id, kind, value, held, valid_from, valid_until, source, made_at, given_as
FROM standing
WHERE (bucket, member_id) IN (SELECT * FROM unnest($1::int2[], $2::uuid[]))
    AND kind = 'tier' AND value = ANY ($3::text[])
ORDER BY bucket, member_id, no
"""


async def suspend_for(tiers: Sequence[str], at: datetime) -> int:
    """Let nothing expire of the members who hold one of `tiers` at `at` or will; return how many.

    For tiers that suspend expiry from now on. A thousand members at a time, each set in a
    transaction of its own; doing it again changes nothing.
    """
    last, done = (-1, MemberId(UUID(int=0))), 0
    while True:
        async with transaction() as connection:
            found = await connection.fetch(_HOLDING, *last, list(tiers), at, MEMBERS_AT_ONCE)
            if not found:
                return done
            last = found[-1][0], MemberId(found[-1][1])
            members = [MemberId(row[1]) for row in found]
            # Whoever is granted or loses a tier meanwhile waits, and sees the tiers as they are.
            await queries.lock_members(connection, members)
            await _suspend_of(connection, members, tiers)
            done += len(members)


async def by_own_tier(connection: Connection, members: Sequence[MemberId]) -> dict[MemberId, date]:
    """Return through which day each of `members` has a tier that suspends its expiry, if any."""
    known = await catalogue.load(connection)
    tiers = known.coalition.expiry_suspended_tiers if known.is_set_up else ()
    return await _until(connection, members, tiers) if tiers else {}


async def _suspend_of(
    connection: Connection, members: Sequence[MemberId], tiers: Sequence[str]
) -> None:
    for member, until in (await _until(connection, members, tiers)).items():
        await holders.suspend_expiry(connection, member, until)
        await kept_shares.keep(connection, member, until, or_longer=True)


async def _until(
    connection: Connection, members: Sequence[MemberId], tiers: Sequence[str]
) -> dict[MemberId, date]:
    zone = (await catalogue.load(connection)).zone
    buckets = [bucket_of(member) for member in members]
    kept: dict[MemberId, list[Fact]] = {}
    for row in await connection.fetch(_TIERS, buckets, list(members), list(tiers)):
        fact = msgspec.convert(dict(row), Fact)
        kept.setdefault(fact.member_id, []).append(fact)
    return {member: suspended_until(facts, zone) for member, facts in kept.items()}
