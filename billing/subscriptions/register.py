"""The rows of memberships, and of subscriptions as they were fetched last."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from billing.benefits.entitlements import Ground
from billing.gateway.shapes import Picture
from billing.subscriptions.states import State
from coalition.kernel.database import Connection
from coalition.kernel.ids import BUCKETS, MemberId, bucket_of, digest16


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A membership as our books have it; `ground` is what stands behind it now, if anything.

    `subscription` is the one at Stripe that lives, or was the last, if there was one.
    `period_start` and `period_end` are the billing period of what the member is entitled to now, or
    was last; `turns_at` when that changes by itself.
    """

    id: UUID
    member_id: MemberId
    state: State
    ground: Ground | None
    plan_no: int
    price_no: int | None
    subscription: str | None
    customer_id: str | None
    started_at: datetime
    entitled_until: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    turns_at: datetime | None
    ended_at: datetime | None
    changed_at: datetime


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it was fetched last; `picture` is None before that was applied."""

    id: str
    fetch_no: int
    applied_no: int
    member_id: MemberId | None
    membership_id: UUID | None
    picture: Picture | None
    applied_at: datetime | None


_FIELDS = Membership.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_LIVE = (
    f"SELECT {_COLUMNS} FROM membership "  # noqa: S608 - names of our own
    "WHERE bucket = $1 AND member_id = $2 AND ended_at IS NULL"
)
_OF_MEMBER = (
    f"SELECT {_COLUMNS} FROM membership "  # noqa: S608 - names of our own
    "WHERE bucket = $1 AND member_id = $2 ORDER BY started_at DESC, id DESC"
)
_BY_ID = f"SELECT {_COLUMNS} FROM membership WHERE bucket = $1 AND id = $2"  # noqa: S608 - as above
_BY_IDS = (
    f"SELECT {_COLUMNS} FROM membership "  # noqa: S608 - names of our own
    "WHERE bucket = ANY($1) AND id = ANY($2) ORDER BY id"
)
_ADD = (
    f"INSERT INTO membership (bucket, {_COLUMNS}) VALUES ($1, "  # noqa: S608 - names of our own
    + ", ".join(f"${no}" for no in range(2, len(_FIELDS) + 2))
    + ") ON CONFLICT (bucket, member_id) WHERE ended_at IS NULL DO NOTHING RETURNING true"
)
_CHANGED = [name for name in _FIELDS if name not in {"id", "member_id", "started_at"}]
_CHANGE = (
    "UPDATE membership SET "  # noqa: S608 - names of our own
    + ", ".join(f"{name} = ${no}" for no, name in enumerate(_CHANGED, start=3))
    + " WHERE bucket = $1 AND id = $2"
)

_TURNING = """
SELECT id FROM membership WHERE turns_at <= $1 ORDER BY turns_at LIMIT $2
"""

_NEXT_FETCH = """
INSERT INTO stripe_subscription (bucket, id, fetch_no) VALUES ($1, $2, 1)
ON CONFLICT (bucket, id) DO UPDATE SET fetch_no = stripe_subscription.fetch_no + 1
RETURNING fetch_no
"""
_KEPT = """id, fetch_no, applied_no, member_id, membership_id, picture, applied_at"""
_READ = f"SELECT {_KEPT} FROM stripe_subscription WHERE bucket = $1 AND id = $2"  # noqa: S608 - ours
_OF_MEMBERSHIP = (
    f"SELECT {_KEPT} FROM stripe_subscription "  # noqa: S608 - names of our own
    "WHERE membership_id = $1 ORDER BY id"
)
_PICTURES = """
SELECT id, picture FROM stripe_subscription
WHERE bucket = ANY($1) AND id = ANY($2) AND picture IS NOT NULL
"""
_APPLY = """
UPDATE stripe_subscription
SET applied_no = $3, member_id = $4, membership_id = $5, customer_id = $6, status = $7,
    picture = $8, applied_at = $9
WHERE bucket = $1 AND id = $2
"""
_EVERY = (
    f"SELECT {_KEPT} FROM stripe_subscription "  # noqa: S608 - names of our own
    "WHERE (bucket, id) > ($1, $2) ORDER BY bucket, id LIMIT $3"
)
_PICTURES_OF = """
SELECT membership_id, picture FROM stripe_subscription
WHERE membership_id = ANY($1) AND picture IS NOT NULL ORDER BY id
"""

_decoder = msgspec.json.Decoder(Picture)


async def live(
    connection: Connection, member: MemberId, *, lock: bool = False
) -> Membership | None:
    """Return the membership of a member that has not ended, if there is one."""
    query = _LIVE + " FOR UPDATE" if lock else _LIVE
    return _membership(await connection.fetchrow(query, bucket_of(member), member))


async def of_member(connection: Connection, member: MemberId) -> list[Membership]:
    """Return all memberships of a member, the latest first."""
    rows = await connection.fetch(_OF_MEMBER, bucket_of(member), member)
    return [found for row in rows if (found := _membership(row)) is not None]


async def by_id(
    connection: Connection, membership_id: UUID, *, lock: bool = False
) -> Membership | None:
    """Return a membership by its id, which also says where it lives."""
    query = _BY_ID + " FOR UPDATE" if lock else _BY_ID
    return _membership(await connection.fetchrow(query, bucket_of(membership_id), membership_id))


async def by_ids(connection: Connection, wanted: Sequence[UUID]) -> list[Membership]:
    """Return some memberships, in the order of their ids."""
    buckets = sorted({bucket_of(one) for one in wanted})
    rows = await connection.fetch(_BY_IDS, buckets, list(wanted))
    return [found for row in rows if (found := _membership(row)) is not None]


async def add(connection: Connection, made: Membership) -> bool:
    """Store a membership that has begun; return False where the member has one already."""
    values = [getattr(made, name) for name in _FIELDS]
    return bool(await connection.fetchval(_ADD, bucket_of(made.id), *values))


async def change(connection: Connection, now: Membership) -> None:
    """Store how a membership stands now."""
    values = [getattr(now, name) for name in _CHANGED]
    await connection.execute(_CHANGE, bucket_of(now.id), now.id, *values)


async def turning(connection: Connection, at: datetime, most: int) -> list[UUID]:
    """Return memberships whose standing changes by itself by `at`, the longest due first."""
    return [row[0] for row in await connection.fetch(_TURNING, at, most)]


async def next_fetch(connection: Connection, subscription: str) -> int:
    """Return the number of the fetch that begins now; it is above those of all that have begun."""
    return int(await connection.fetchval(_NEXT_FETCH, _place(subscription), subscription))


async def kept(connection: Connection, subscription: str, *, lock: bool = False) -> Kept | None:
    """Return a subscription as it was fetched last; None for one that nobody has fetched."""
    query = _READ + " FOR UPDATE" if lock else _READ
    row = await connection.fetchrow(query, _place(subscription), subscription)
    return None if row is None else _kept(row)


async def kept_of(connection: Connection, membership_id: UUID) -> list[Kept]:
    """Return the subscriptions of a membership, as they were fetched last."""
    return [_kept(row) for row in await connection.fetch(_OF_MEMBERSHIP, membership_id)]


async def pictures(connection: Connection, subscriptions: Sequence[str]) -> dict[str, Picture]:
    """Return some subscriptions as they were fetched last, by their ids."""
    places = sorted({_place(one) for one in subscriptions})
    rows = await connection.fetch(_PICTURES, places, list(subscriptions))
    return {row["id"]: _decoder.decode(row["picture"]) for row in rows}


async def apply(
    connection: Connection,
    picture: Picture,
    *,
    fetch_no: int,
    member: MemberId | None,
    membership_id: UUID | None,
    at: datetime,
) -> None:
    """Keep a picture in place of the one before."""
    one = picture.subscription
    await connection.execute(
        _APPLY,
        _place(one.id),
        one.id,
        fetch_no,
        member,
        membership_id,
        one.customer_id,
        one.status,
        msgspec.json.encode(picture),
        at,
    )


async def pictures_of(
    connection: Connection, memberships: Sequence[UUID]
) -> dict[UUID, list[Picture]]:
    """Return the subscriptions of some memberships as they were fetched last."""
    found: dict[UUID, list[Picture]] = {}
    for row in await connection.fetch(_PICTURES_OF, list(memberships)):
        found.setdefault(row["membership_id"], []).append(_decoder.decode(row["picture"]))
    return found


async def some_kept(connection: Connection, after: str | None, most: int) -> list[Kept]:
    """Return subscriptions as they were fetched last, the next ones after `after`."""
    place = (-1, "") if after is None else (_place(after), after)
    return [_kept(row) for row in await connection.fetch(_EVERY, *place, most)]


def place_of(identifier: UUID) -> tuple[int, UUID]:
    """Return bucket and id of a member's or a membership's row."""
    return bucket_of(identifier), identifier


def _place(subscription: str) -> int:
    """Return the bucket of a subscription: that of its id's digest."""
    return int.from_bytes(digest16(subscription)[-2:], "big") % BUCKETS


def _membership(row: asyncpg.Record | None) -> Membership | None:
    return None if row is None else msgspec.convert(dict(row), Membership)


def _kept(row: asyncpg.Record) -> Kept:
    picture = row["picture"]
    return Kept(
        id=row["id"],
        fetch_no=row["fetch_no"],
        applied_no=row["applied_no"],
        member_id=row["member_id"],
        membership_id=row["membership_id"],
        picture=None if picture is None else _decoder.decode(picture),
        applied_at=row["applied_at"],
    )
