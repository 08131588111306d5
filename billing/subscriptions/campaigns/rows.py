"""The rows of campaigns: what was agreed on by two persons, and how each member stands."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from billing.subscriptions.campaigns.documents import Campaign, CampaignDocument, Move
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a member was told of a new price, what it agreed to, and how that stands.

    `doing` is an act at Stripe that was begun and of which nothing is known yet.
    """

    campaign_no: int
    subscription: str
    member_id: MemberId
    membership_id: UUID
    from_price: int
    to_price: int
    country: str
    text_version: str
    wants_consent: bool
    told_at: datetime
    applies_at: datetime
    agreed_at: datetime | None
    state: str
    reason: str
    acts: int
    doing: str | None
    look_at: datetime | None
    changed_at: datetime


class Wanted(NamedTuple):
    """Which members of a campaign are wanted; None is any."""

    state: str | None = None
    has_agreed: bool | None = None
    wants_consent: bool | None = None


_FIELDS = Change.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_ALL = """
SELECT no, code, document, moves, prepared_by, approved_by, made_at, stopped_at, stopped_by,
    paused_at, paused_by
FROM price_campaign ORDER BY no
"""
_ADD_CAMPAIGN = """
INSERT INTO price_campaign (no, code, document, moves, prepared_by, approved_by, made_at)
SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5, $6 FROM price_campaign
RETURNING no
"""
_STOP = """
UPDATE price_campaign SET stopped_at = $2, stopped_by = $3
WHERE code = $1 AND stopped_at IS NULL RETURNING true
"""
_PAUSE = """
UPDATE price_campaign SET paused_at = $2, paused_by = $3
WHERE code = $1 AND paused_at IS NULL AND stopped_at IS NULL RETURNING true
"""
_RESUME = """
UPDATE price_campaign SET paused_at = NULL, paused_by = NULL
WHERE code = $1 AND paused_at IS NOT NULL AND stopped_at IS NULL RETURNING true
"""
_RUNS = """
SELECT stopped_at IS NULL AND paused_at IS NULL FROM price_campaign WHERE no = $1
"""
_TELL = (
    f"INSERT INTO price_change (bucket, {_COLUMNS}) VALUES ($1, "  # noqa: S608 - names of our own
    + ", ".join(f"${no}" for no in range(2, len(_FIELDS) + 2))
    + ") ON CONFLICT (bucket, campaign_no, subscription) DO NOTHING RETURNING true"
)
_DUE = f"""
SELECT {_COLUMNS} FROM price_change
WHERE campaign_no = $1 AND look_at <= $2 ORDER BY look_at, subscription LIMIT $3
"""  # noqa: S608 - names of our own
_DUE_AT_STRIPE = f"""
SELECT {_COLUMNS} FROM price_change
WHERE campaign_no = $1 AND look_at <= $2
    AND (state IN ('scheduled', 'ending') OR doing IS NOT NULL)
ORDER BY look_at, subscription LIMIT $3
"""  # noqa: S608 - names of our own
_MEMBERS = f"""
SELECT {_COLUMNS} FROM price_change
WHERE campaign_no = $1 AND ($2::text IS NULL OR state = $2)
    AND ($3::bool IS NULL OR (agreed_at IS NOT NULL) = $3)
    AND ($4::bool IS NULL OR wants_consent = $4)
    AND ($5::text IS NULL OR subscription > $5)
ORDER BY subscription LIMIT $6
"""  # noqa: S608 - names of our own
_OF_MEMBER = f"""
SELECT {_COLUMNS} FROM price_change WHERE bucket = $1 AND member_id = $2
ORDER BY told_at DESC, campaign_no DESC
"""  # noqa: S608 - names of our own
# Of a campaign that was stopped only what is scheduled comes still.
_COMES = """look_at IS NOT NULL AND (state = 'scheduled'
    OR campaign_no IN (SELECT no FROM price_campaign WHERE stopped_at IS NULL))"""
_WAITING = f"""
SELECT {_COLUMNS} FROM price_change WHERE bucket = $1 AND member_id = $2 AND {_COMES}
ORDER BY told_at DESC, campaign_no DESC LIMIT 1
"""  # noqa: S608 - names of our own
_ELSEWHERE = f"""
SELECT subscription FROM price_change
WHERE bucket = ANY($1) AND campaign_no <> $2 AND subscription = ANY($3) AND {_COMES}
"""  # noqa: S608 - names of our own
_KNOWN = """
SELECT subscription FROM price_change
WHERE bucket = ANY($1) AND campaign_no = $2 AND subscription = ANY($3)
"""
_STAND = """
UPDATE price_change
SET state = $4, reason = $5, look_at = $6, changed_at = $7, doing = NULL
WHERE bucket = $1 AND campaign_no = $2 AND subscription = $3
"""
_LOOK = """
UPDATE price_change SET look_at = $4
WHERE bucket = $1 AND campaign_no = $2 AND subscription = $3 AND look_at IS NOT NULL
"""
# What was begun and broke off is the same act, under the same key.
_BEGIN = """
UPDATE price_change
SET acts = acts + CASE WHEN doing = $4 THEN 0 ELSE 1 END, doing = $4
WHERE bucket = $1 AND campaign_no = $2 AND subscription = $3
RETURNING acts
"""
_AGREE = """
UPDATE price_change SET agreed_at = $3, look_at = $3, changed_at = $3
WHERE bucket = $1 AND campaign_no = $2 AND subscription = $4 AND look_at IS NOT NULL
    AND wants_consent AND agreed_at IS NULL
RETURNING true
"""
_COUNTS = """
SELECT state, reason, wants_consent, agreed_at IS NOT NULL AS has_agreed, count(*) AS members
FROM price_change WHERE campaign_no = $1 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


async def campaigns(connection: Connection) -> list[Campaign]:
    """Return all campaigns, the first one first."""
    return [_campaign(row) for row in await connection.fetch(_ALL)]


async def campaign(connection: Connection, code: str) -> Campaign | None:
    """Return a campaign by its code."""
    return next((one for one in await campaigns(connection) if one.code == code), None)


async def lock(connection: Connection) -> None:
    """Let no other campaign begin, or be steered, until the transaction ends."""
    await connection.execute("LOCK TABLE price_campaign IN SHARE ROW EXCLUSIVE MODE")


async def add(
    connection: Connection,
    document: CampaignDocument,
    moves: Sequence[Move],
    *,
    prepared_by: str,
    approved_by: str,
    at: datetime,
) -> int:
    """Store a campaign that two persons agreed on; return its number."""
    written = [msgspec.json.encode(part).decode() for part in (document, moves)]
    args = document.code, *written, prepared_by, approved_by, at
    return int(await connection.fetchval(_ADD_CAMPAIGN, *args))


async def stop(connection: Connection, code: str, *, by: str, at: datetime) -> bool:
    """Let a campaign go no further; return False for one that was stopped before."""
    return bool(await connection.fetchval(_STOP, code, at, by))


async def pause(connection: Connection, code: str, *, by: str, at: datetime) -> bool:
    """Let a campaign rest; return False for one that rests, or was stopped."""
    return bool(await connection.fetchval(_PAUSE, code, at, by))


async def resume(connection: Connection, code: str) -> bool:
    """Let a campaign go on; return False for one that does not rest."""
    return bool(await connection.fetchval(_RESUME, code))


async def runs(connection: Connection, campaign_no: int) -> bool:
    """Tell whether a campaign goes on at this moment, neither paused nor stopped."""
    return bool(await connection.fetchval(_RUNS, campaign_no))


async def tell(connection: Connection, change: Change) -> bool:
    """Store what a member is told; return False where it was told before."""
    values = [getattr(change, name) for name in _FIELDS]
    return bool(await connection.fetchval(_TELL, bucket_of(change.membership_id), *values))


async def due(
    connection: Connection, campaign_no: int, at: datetime, most: int, *, at_stripe: bool = False
) -> list[Change]:
    """Return members to look at, the longest due first; or those whose price Stripe has to come."""
    wanted = _DUE_AT_STRIPE if at_stripe else _DUE
    rows = await connection.fetch(wanted, campaign_no, at, most)
    return [msgspec.convert(dict(row), Change) for row in rows]


async def members(
    connection: Connection, campaign_no: int, wanted: Wanted, *, after: str | None, most: int
) -> list[Change]:
    """Return members of a campaign, in the order of their subscriptions, behind one of them."""
    rows = await connection.fetch(_MEMBERS, campaign_no, *wanted, after, most)
    return [msgspec.convert(dict(row), Change) for row in rows]


async def of_member(connection: Connection, member: MemberId) -> list[Change]:
    """Return all that a member was ever told, the latest first."""
    rows = await connection.fetch(_OF_MEMBER, bucket_of(member), member)
    return [msgspec.convert(dict(row), Change) for row in rows]


async def waiting(connection: Connection, member: MemberId) -> Change | None:
    """Return the change of price that is to come for a member."""
    row = await connection.fetchrow(_WAITING, bucket_of(member), member)
    return None if row is None else msgspec.convert(dict(row), Change)


async def known(
    connection: Connection, campaign_no: int, subscriptions: Iterable[tuple[UUID, str]]
) -> set[str]:
    """Return which of some subscriptions (each with its membership) were told."""
    return await _among(connection, _KNOWN, campaign_no, subscriptions)


async def told_elsewhere(
    connection: Connection, campaign_no: int, subscriptions: Iterable[tuple[UUID, str]]
) -> set[str]:
    """Return for which of some subscriptions another campaign has a price to come."""
    return await _among(connection, _ELSEWHERE, campaign_no, subscriptions)


async def _among(
    connection: Connection,
    statement: str,
    campaign_no: int,
    subscriptions: Iterable[tuple[UUID, str]],
) -> set[str]:
    pairs = list(subscriptions)
    buckets = sorted({bucket_of(membership) for membership, _ in pairs})
    ids = [subscription for _, subscription in pairs]
    return {row[0] for row in await connection.fetch(statement, buckets, campaign_no, ids)}


async def begin(connection: Connection, change: Change, doing: str) -> int:
    """Write down what is begun at Stripe; return its number, the same while nothing is known."""
    return int(await connection.fetchval(_BEGIN, *_place(change), doing))


async def stand(
    connection: Connection,
    change: Change,
    state: str,
    reason: str,
    *,
    look_at: datetime | None,
    at: datetime,
) -> None:
    """Store how a member stands, and when to look again."""
    await connection.execute(_STAND, *_place(change), state, reason, look_at, at)


async def look_again(connection: Connection, change: Change, look_at: datetime) -> None:
    """Store when to look at a member again; how it stands is not known yet."""
    await connection.execute(_LOOK, *_place(change), look_at)


async def agree(connection: Connection, change: Change, at: datetime) -> bool:
    """Store that a member agrees to what it was told; return False where nothing waits for it."""
    bucket, campaign_no, subscription = _place(change)
    agreed = await connection.fetchval(_AGREE, bucket, campaign_no, at, subscription)
    return bool(agreed)


async def counts(connection: Connection, campaign_no: int) -> list[asyncpg.Record]:
    """Return how many members stand how, and why."""
    found: list[asyncpg.Record] = await connection.fetch(_COUNTS, campaign_no)
    return found


def _place(change: Change) -> tuple[int, int, str]:
    return bucket_of(change.membership_id), change.campaign_no, change.subscription


def _campaign(row: asyncpg.Record) -> Campaign:
    return msgspec.convert(
        dict(row)
        | {"document": msgspec.json.decode(row["document"])}
        | {"moves": msgspec.json.decode(row["moves"])},
        Campaign,
    )
