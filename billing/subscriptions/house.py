"""What all acts of memberships work with, and how one of them goes on at a time for a member."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.gateway.client import Gateway
from billing.plans.catalogue import Plans, Shelf
from billing.plans.countries import Countries, shipped
from billing.subscriptions.refusals import ActInProgress, InvalidPath
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of, digest16
from coalition.members import queries
from coalition.members.personal import PersonalData
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened

HELD = timedelta(minutes=2)
"""After so long an act whose process has died stands in nobody's way."""

_GLANCES, _BETWEEN_S = 60, 0.05
"""How often a second click looks whether the first one is done, and how long it waits between."""

_TAKE = """
INSERT INTO membership_act (bucket, member_id, key, kind, begun_at, held_until)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (bucket, member_id) DO UPDATE
SET key = excluded.key, kind = excluded.kind, begun_at = excluded.begun_at,
    held_until = excluded.held_until
WHERE membership_act.held_until <= excluded.begun_at
    OR (membership_act.key = excluded.key AND $7)
RETURNING true
"""
_HOLDER = "SELECT key FROM membership_act WHERE bucket = $1 AND member_id = $2"
_LEAVE = "DELETE FROM membership_act WHERE bucket = $1 AND member_id = $2 AND key = $3"


@dataclass(frozen=True)
class House:
    """Stripe, our keys, our address (`home`, no slash at its end), the law and the plans."""

    gateway: Gateway
    keys: MemberKeys
    home: str
    countries: Countries = field(default_factory=shipped)
    shelf: Shelf = field(default_factory=Shelf)

    async def plans(self) -> Plans:
        """Return all plans as they are now."""
        async with transaction() as connection:
            return await self.shelf.read(connection)

    def way_back(self, path: str) -> str:
        """Return the address of a path of ours. Raises `InvalidPath`: nobody is led elsewhere."""
        is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
        if not is_ours or len(path) > 200 or not path.isascii() or not path.isprintable():
            raise InvalidPath(path=path[:200])
        return self.home + path

    async def person(self, connection: Connection, member: MemberId) -> PersonalData:
        """Return what is known of a member; nothing of one whose data are gone."""
        stored = await queries.read(connection, member)
        if stored is None or stored.sealed is None:
            return PersonalData()
        return opened(stored, member_id=member, keys=self.keys)[0]


def act_key(member: MemberId, kind: str, key: str) -> str:
    """Return the key of an act at Stripe: the caller's, for this member and kind of act."""
    return f"{kind}-{digest16(kind, member.bytes, key).hex()}"


@asynccontextmanager
async def one_act(member: MemberId, kind: str, key: str, at: datetime) -> AsyncIterator[str]:
    """Let no other act of the member begin while the block runs; yield the key for Stripe.

    The same act may: a second click waits for the first one, and finds what came of it; a retry
    after a crash goes on in its place after some seconds, and is one act at Stripe too. Raises
    `ActInProgress`.
    """
    own = act_key(member, kind, key)
    for left in range(_GLANCES, -1, -1):
        holder = await _taken(member, own, kind, at, is_patience_over=left == 0)
        if holder is None:
            break
        if holder != own:
            raise ActInProgress(retry_after_s=2)
        await asyncio.sleep(_BETWEEN_S)
    try:
        yield own
    finally:
        async with transaction() as connection:
            await connection.execute(_LEAVE, bucket_of(member), member, own)


async def _taken(
    member: MemberId, own: str, kind: str, at: datetime, *, is_patience_over: bool
) -> str | None:
    """Let this act be the member's and return None, or return the key of the one that goes on."""
    place = bucket_of(member), member
    async with transaction() as connection:
        facts = own, kind, at, at + HELD, is_patience_over
        if await connection.fetchval(_TAKE, *place, *facts):
            return None
        # One that has ended meanwhile is looked for again.
        holder: str | None = await connection.fetchval(_HOLDER, *place)
    return holder or own
