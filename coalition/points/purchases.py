"""Purchases as they were judged: baskets with their lines, what each rule gave, what was returned.

Written only for issues that have lines or that a rule had a say in; the others are told from their
posting alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Executes
from coalition.kernel.ids import bucket_of
from coalition.kernel.money import POINTS_MAX
from coalition.points.bonuses.arithmetic import Gain
from coalition.points.bonuses.compiled import Rule
from coalition.points.bonuses.evaluation import BASE, Basket, Evaluation
from coalition.points.bonuses.personal import PERSONAL
from coalition.points.judging import Earned
from coalition.points.rules import Reason

_json_of = msgspec.json.Encoder().encode

_BASKETS = """
INSERT INTO purchase_basket (bucket, posting, holder, partner_no, store_no, occurred_at, currency,
                             amount_minor, points, base_rule_no, circumstances)
SELECT bucket, posting, holder, partner_no, store_no, occurred_at, currency, amount_minor, points,
       base_rule_no, circumstances::jsonb
FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[], $5::int4[], $6::timestamptz[],
            $7::text[], $8::int8[], $9::int4[], $10::int4[], $11::text[])
     AS made (bucket, posting, holder, partner_no, store_no, occurred_at, currency, amount_minor,
              points, base_rule_no, circumstances)
"""

_LINES = """
INSERT INTO purchase_line (bucket, posting, no, amount_minor, category, sku, quantity, returned)
SELECT made.*, 0
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::int8[], $5::text[], $6::text[], $7::int4[])
     AS made
"""

_EARNINGS = """
INSERT INTO purchase_earning (bucket, posting, no, rule, rule_no, points, capped, explanation,
                              shares)
SELECT bucket, posting, no, rule, rule_no, points, capped, explanation, shares::jsonb
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::text[], $5::int4[], $6::int4[], $7::int4[],
            $8::text[], $9::text[])
     AS made (bucket, posting, no, rule, rule_no, points, capped, explanation, shares)
"""

_READ_BASKETS = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, posting), LATERAL (
    SELECT posting, holder, partner_no, store_no, occurred_at, currency, amount_minor, points,
           base_rule_no, circumstances
    FROM purchase_basket
    WHERE purchase_basket.bucket = wanted.bucket AND purchase_basket.posting = wanted.posting
    OFFSET 0) AS kept
"""

_READ_LINES = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, posting), LATERAL (
    SELECT posting, no, amount_minor, category, sku, quantity, returned FROM purchase_line
    WHERE purchase_line.bucket = wanted.bucket AND purchase_line.posting = wanted.posting
    OFFSET 0) AS kept
ORDER BY kept.posting, kept.no
"""

_READ_REASONS = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, posting), LATERAL (
    SELECT posting, no, rule, points, explanation FROM purchase_earning
    WHERE purchase_earning.bucket = wanted.bucket AND purchase_earning.posting = wanted.posting
    OFFSET 0) AS kept
ORDER BY kept.posting, kept.no
"""

_RETURN = """
UPDATE purchase_line SET returned = purchase_line.returned + back.quantity
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::int4[]) AS back (bucket, posting, no, quantity)
WHERE purchase_line.bucket = back.bucket AND purchase_line.posting = back.posting
    AND purchase_line.no = back.no
"""


class Circumstances(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a basket's points depended on beside what was bought.

    `considered` are the rule versions that were looked at, whether or not they gave anything, and
    `personal` the sources of the member's own bonuses; `used` is where the counters of caps stood.
    """

    considered: tuple[int, ...] = ()
    personal: tuple[str, ...] = ()
    used: tuple[tuple[int, str, int], ...] = ()
    measures: dict[str, int] = {}
    tier: str | None = None
    plan: str | None = None
    segments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


class KeptLine(NamedTuple):
    """A line as it was bought, and how much of it went back since."""

    no: int
    amount_minor: int
    category: str | None
    sku: str | None
    quantity: int
    returned: int


class KeptBasket(NamedTuple):
    """A basket with its lines, as it was judged when it earned `points`."""

    posting: UUID
    holder: UUID
    partner_no: int
    store_no: int | None
    occurred_at: datetime
    currency: str
    amount_minor: int
    points: int
    base_rule_no: int | None
    circumstances: Circumstances
    lines: tuple[KeptLine, ...]


class Judged(NamedTuple):
    """An issue that was posted: who got the points, at which store, and what was judged."""

    posting: UUID
    holder: UUID
    store_no: int | None
    earned: Earned
    considered: Sequence[Rule]


async def write(connection: Executes, judged: Iterable[Judged]) -> None:
    """Write down why each of `judged` earned what it did, and the lines of those that have any."""
    earnings: list[tuple[object, ...]] = []
    baskets: list[tuple[object, ...]] = []
    lines: list[tuple[object, ...]] = []
    for one in judged:
        assert one.earned.basket is not None, "what was judged has a basket"
        if one.earned.verdict is not None and (told := _told(one.earned.verdict)):
            earnings += _earnings_of(one, one.earned.verdict, told)
        if one.earned.basket.lines:
            baskets.append(_basket_of(one, one.earned.basket))
            lines += _lines_of(one.posting, one.earned.basket)
    for statement, rows in ((_EARNINGS, earnings), (_BASKETS, baskets), (_LINES, lines)):
        if rows:
            await connection.execute(statement, *zip(*rows, strict=True))


async def read(connection: Connection, postings: Collection[UUID]) -> dict[UUID, KeptBasket]:
    """Return the basket of each of `postings` that has lines."""
    arrays = _arrays(postings)
    rows = await connection.fetch(_READ_BASKETS, *arrays)
    if not rows:
        return {}
    lines = await read_lines(connection, [row["posting"] for row in rows])
    return {row["posting"]: _kept(row, lines[row["posting"]]) for row in rows}


async def read_lines(
    connection: Connection, postings: Collection[UUID]
) -> dict[UUID, tuple[KeptLine, ...]]:
    """Return the lines of each of `postings` that has any, in order."""
    found: dict[UUID, tuple[KeptLine, ...]] = {}
    for row in await connection.fetch(_READ_LINES, *_arrays(postings)):
        found[row[0]] = (*found.get(row[0], ()), KeptLine(*row[1:]))
    return found


async def read_reasons(
    connection: Connection, postings: Collection[UUID]
) -> dict[UUID, list[Reason]]:
    """Return the reasons of each of `postings` that a rule had a say in, as the till heard them."""
    found: dict[UUID, list[Reason]] = {}
    for row in await connection.fetch(_READ_REASONS, *_arrays(postings)):
        found.setdefault(row[0], []).append(Reason(row[2], row[3], row[4]))
    return found


async def take_back(connection: Connection, returned: Mapping[UUID, Mapping[int, int]]) -> None:
    """Note how much of which line of each posting went back; the holders are locked."""
    rows = sorted(
        (bucket_of(posting), posting.bytes, no, posting, quantity)
        for posting, lines in returned.items()
        for no, quantity in lines.items()
    )
    columns = zip(*((row[0], row[3], row[2], row[4]) for row in rows), strict=True)
    done = await connection.execute(_RETURN, *columns)
    assert done == f"UPDATE {len(rows)}", "a line that went back is not there"


def _circumstances_of(one: Judged, basket: Basket) -> Circumstances:
    return Circumstances(
        considered=tuple(rule.no for rule in one.considered if rule.no != PERSONAL),
        personal=tuple(rule.code for rule in one.considered if rule.no == PERSONAL),
        used=tuple((*counter, points) for counter, points in one.earned.used.items() if points),
        measures=dict(basket.measures),
        tier=basket.tier,
        plan=basket.plan,
        segments=basket.segments,
        flags=basket.flags,
    )


def _told(verdict: Evaluation) -> list[Gain]:
    """Return the gains that have a reason; without any the posting tells by itself why."""
    return [gain for gain in verdict.gains if gain.uncapped or gain.note]


def _earnings_of(
    one: Judged, verdict: Evaluation, told: Sequence[Gain]
) -> list[tuple[object, ...]]:
    """Return a row per reason; the gains `told` have one, and come in the order of the reasons."""
    reasons = verdict.reasons
    bases = len(reasons) - len(told)
    of: list[tuple[int, int]] = [(BASE, 0)] * bases
    of += [(gain.rule.no, _taken_by_cap(gain)) for gain in told]
    shares: dict[int, list[tuple[int, int]]] = {}
    for share in verdict.shares:
        shares.setdefault(share.rule_no, []).append((share.funder_no, share.points))
    bucket = bucket_of(one.posting)
    return [
        (
            bucket, one.posting, no, reason.rule, rule_no or None, reason.points, capped,
            reason.text, _json_of(shares.pop(rule_no, [])).decode(),
        )
        for no, (reason, (rule_no, capped)) in enumerate(zip(reasons, of, strict=True))
    ]  # fmt: skip


def _taken_by_cap(gain: Gain) -> int:
    """Return how many points a cap took, at most what a posting could have given."""
    return 0 if gain.cap is None else min(gain.uncapped - gain.points, POINTS_MAX)


def _basket_of(one: Judged, basket: Basket) -> tuple[object, ...]:
    rule = one.earned.rule
    return (
        bucket_of(one.posting), one.posting, one.holder, basket.partner_no, one.store_no,
        basket.occurred_at, basket.currency, basket.amount_minor, one.earned.points,
        None if rule is None else rule.no,
        msgspec.json.encode(_circumstances_of(one, basket)).decode(),
    )  # fmt: skip


def _lines_of(posting: UUID, basket: Basket) -> list[tuple[object, ...]]:
    bucket = bucket_of(posting)
    return [
        (bucket, posting, line.no, line.amount_minor, line.category, line.sku, line.quantity)
        for line in basket.lines
    ]


def _kept(row: asyncpg.Record, lines: tuple[KeptLine, ...]) -> KeptBasket:
    given: dict[str, Any] = dict(row)  # Any: the columns of a row
    given["circumstances"] = msgspec.json.decode(row["circumstances"], type=Circumstances)
    return KeptBasket(**given, lines=lines)


def _arrays(postings: Collection[UUID]) -> tuple[list[int], list[UUID]]:
    return [bucket_of(posting) for posting in postings], list(postings)
