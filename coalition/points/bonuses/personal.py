"""Bonuses of single members for a time, given by what stands above points: a plan, a tier, a gift.

Whoever gives one calls down with a source that names what it was given for, so that given twice it
is given once. Validity ends it at the instant; ending it early is the only change. Each is judged
like a rule that comes after all others.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import asyncpg
import msgspec

from coalition.federation import catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.points.bonuses.compiled import ISSUER, Rule
from coalition.points.bonuses.documents import Bonus, Effect, Multiplier
from coalition.points.bonuses.refusals import InvalidBonus

PERSONAL = -1
"""The rule number of what a member earns by a bonus of its own."""

_ORDER = 1_000_000
_FACTOR_MOST = 1000
_POINTS_MOST = 1_000_000

_ADD = """
INSERT INTO earning_bonus (bucket, holder, source, kind, factor, points, partner_no, category,
    funding, valid_from, valid_until, made_at, name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (bucket, holder, source) DO NOTHING
RETURNING true
"""

_READ = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, holder), LATERAL (
    SELECT holder, source, name, kind, factor, points, partner_no, category, funding, valid_from,
        least(valid_until, ended_at) AS valid_until
    FROM earning_bonus
    WHERE earning_bonus.bucket = wanted.bucket AND earning_bonus.holder = wanted.holder
    OFFSET 0) AS kept
ORDER BY kept.holder, kept.valid_from, kept.source
"""

_GIVEN = """
SELECT holder, source, name, kind, factor, points, partner_no, category, funding, valid_from,
    least(valid_until, ended_at) AS valid_until
FROM earning_bonus WHERE bucket = $1 AND holder = $2 AND starts_with(source, $3) ORDER BY source
"""


class EarningBonus(msgspec.Struct, frozen=True, kw_only=True):
    """What one member earns beyond the rules; `funding` is funders with whole weights.

    A `multiplier` gives `factor` times the points of the base rate, the base within it; `extra`
    gives `points` for each basket.
    """

    holder: MemberId
    source: str
    name: str | None = None
    """What members read of it; None is the source."""
    kind: Literal["multiplier", "extra"]
    factor: Decimal | None = None
    points: int | None = None
    partner_no: int | None = None
    category: str | None = None
    funding: tuple[tuple[int, int], ...] = ((ISSUER, 1),)
    valid_from: datetime
    valid_until: datetime | None = None


async def give(connection: Connection, bonus: EarningBonus, *, at: datetime) -> bool:
    """Let a member earn by `bonus`; return whether it was new. Works in the caller's transaction.

    Raises `InvalidBonus`. The first bonus of all counts as a change of the terms, so that tills
    begin to look for bonuses.
    """
    _check(bonus)
    if not await any_given(connection):
        await catalogue.bump(connection)
    added = await connection.fetchval(
        _ADD,
        bucket_of(bonus.holder),
        bonus.holder,
        bonus.source,
        bonus.kind,
        bonus.factor,
        bonus.points,
        bonus.partner_no,
        bonus.category,
        msgspec.json.encode(bonus.funding).decode(),
        bonus.valid_from,
        bonus.valid_until,
        at,
        bonus.name,
    )
    return bool(added)


async def end(connection: Connection, holder: MemberId, source: str, *, at: datetime) -> bool:
    """End a bonus before its time; return whether it was there and had not ended earlier."""
    ended = await connection.fetchval(
        "UPDATE earning_bonus SET ended_at = $4 WHERE bucket = $1 AND holder = $2 AND source = $3"
        " AND (ended_at IS NULL OR ended_at > $4) RETURNING true",
        bucket_of(holder),
        holder,
        source,
        at,
    )
    return bool(ended)


async def given(connection: Connection, holder: MemberId, prefix: str) -> list[EarningBonus]:
    """Return the bonuses of a member whose source begins like this, by source, as far as they hold.

    One that was ended before its time is valid until then, be it before it began.
    """
    rows = await connection.fetch(_GIVEN, bucket_of(holder), holder, prefix)
    return [_bonus(row) for row in rows]


async def any_given(connection: Connection) -> bool:
    """Tell whether any member was ever given a bonus; else tills need not look for any."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM earning_bonus)"))


async def read(
    connection: Connection, holders: Collection[MemberId]
) -> dict[MemberId, tuple[Rule, ...]]:
    """Return the bonuses of `holders` as rules that know their time; who has none is left out."""
    wanted = sorted(holders)
    rows = await connection.fetch(_READ, [bucket_of(one) for one in wanted], wanted)
    found: dict[MemberId, tuple[Rule, ...]] = {}
    for row in rows:
        bonus = _bonus(row)
        if bonus.valid_until is None or bonus.valid_until > bonus.valid_from:
            found[bonus.holder] = (*found.get(bonus.holder, ()), as_rule(bonus))
    return found


def as_rule(bonus: EarningBonus) -> Rule:
    """Return the bonus as a rule of its member alone, after all others in order."""
    effect: Effect
    if bonus.factor is not None:
        effect = Multiplier(f"{bonus.factor.normalize():f}")
        extra = (Fraction(bonus.factor) - 1).as_integer_ratio()
    else:
        effect, extra = Bonus(bonus.points or 0), (0, 1)
    return Rule(
        no=PERSONAL,
        root_no=PERSONAL,
        code=bonus.source,
        version=0,
        name=bonus.name or bonus.source,
        effect=effect,
        order=_ORDER,
        extra=extra,
        partners=frozenset() if bonus.partner_no is None else frozenset((bonus.partner_no,)),
        categories=frozenset() if bonus.category is None else frozenset((bonus.category,)),
        funding=bonus.funding,
        begins=bonus.valid_from,
        ends=bonus.valid_until,
    )


def _bonus(row: asyncpg.Record) -> EarningBonus:
    fields = dict(row)
    fields["funding"] = msgspec.json.decode(fields["funding"])
    return msgspec.convert(fields, EarningBonus)


def _check(bonus: EarningBonus) -> None:
    factor, points = bonus.factor, bonus.points
    if bonus.kind == "multiplier":
        is_right = points is None and factor is not None and 1 < factor <= _FACTOR_MOST
    else:
        is_right = factor is None and points is not None and 0 < points <= _POINTS_MOST
    is_paid = bool(bonus.funding) and all(weight > 0 for _, weight in bonus.funding)
    ends = bonus.valid_until
    if not (is_right and is_paid and (ends is None or ends > bonus.valid_from)):
        raise InvalidBonus
    if not 1 <= len(bonus.source) <= 100:
        raise InvalidBonus("A bonus names its source in 1 to 100 characters, such as plan:plus")
