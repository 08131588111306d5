"""What was used of limits: rows per subject, side, event, local day and the other member.

A window sums a few of them: whole months have rows of their own, under a day a thousand years
before, whoever the other was; the whole time has, under the day `LIFETIME`. Rows are
read in a statement of their own after everybody concerned was locked: locking only these rows was
tried, and two transfers at once both passed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from coalition.families.evaluator.acts import (
    LIFETIME,
    DayUse,
    Usage,
    UsageKey,
    UsageMade,
    UsageWanted,
)
from coalition.families.evaluator.limits import both
from coalition.families.evaluator.predicates import NOBODY
from coalition.families.rule_sets.vocabulary import Event
from coalition.families.transfers import spans
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_READ = """
SELECT wanted.subject, wanted.side, wanted.event, kept.day, kept.other, kept.amount, kept.times
FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::date[])
     AS wanted (bucket, subject, side, event, first, last), LATERAL (
    SELECT day, other, amount, times FROM family_usage
    WHERE family_usage.bucket = wanted.bucket AND family_usage.subject = wanted.subject
      AND family_usage.side = wanted.side AND family_usage.event = wanted.event
      AND family_usage.day BETWEEN wanted.first AND wanted.last
    OFFSET 0) AS kept
"""

_SUMS = """
SELECT wanted.no, NULL::uuid, kept.amount, kept.times
FROM unnest($1::int4[], $2::int2[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::date[])
     AS wanted (no, bucket, subject, side, event, first, last), LATERAL (
    SELECT sum(amount)::int8 AS amount, sum(times) AS times FROM family_usage
    WHERE family_usage.bucket = wanted.bucket AND family_usage.subject = wanted.subject
      AND family_usage.side = wanted.side AND family_usage.event = wanted.event
      AND family_usage.day BETWEEN wanted.first AND wanted.last) AS kept
WHERE kept.times > 0
"""

_SUMS_BY_OTHER = """
SELECT wanted.no, kept.other, kept.amount, kept.times
FROM unnest($1::int4[], $2::int2[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::date[],
            $8::uuid[], $9::bool[])
     AS wanted (no, bucket, subject, side, event, first, last, single, is_apart), LATERAL (
    SELECT CASE WHEN is_apart OR other = single THEN other END AS other,
           sum(amount)::int8 AS amount, sum(times) AS times FROM family_usage
    WHERE family_usage.bucket = wanted.bucket AND family_usage.subject = wanted.subject
      AND family_usage.side = wanted.side AND family_usage.event = wanted.event
      AND family_usage.day BETWEEN wanted.first AND wanted.last
    GROUP BY 1) AS kept
WHERE kept.times > 0
"""

_ADD = """
INSERT INTO family_usage AS kept (bucket, subject, side, event, day, other, amount, times)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::uuid[],
                     $7::int8[], $8::int4[])
ON CONFLICT (bucket, subject, side, event, day, other) DO UPDATE
SET amount = kept.amount + excluded.amount, times = kept.times + excluded.times
"""

_GIVE_BACK = """
UPDATE family_usage SET amount = family_usage.amount - back.amount,
                        times = family_usage.times - back.times
FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::uuid[], $7::int8[],
            $8::int4[])
     AS back (bucket, subject, side, event, day, other, amount, times)
WHERE family_usage.bucket = back.bucket AND family_usage.subject = back.subject
  AND family_usage.side = back.side AND family_usage.event = back.event
  AND family_usage.day = back.day AND family_usage.other = back.other
"""


class _Place(NamedTuple):
    """The primary key of a row."""

    bucket: int
    subject: UUID
    side: str
    event: str
    day: date
    other: UUID


async def read(connection: Connection, wanted: Iterable[UsageWanted]) -> Usage:
    """Return what was used of each key in its days; keys without any are left out."""
    asked = _spans(wanted)
    if not asked:
        return Usage()
    columns = zip(
        *((bucket_of(one.key.subject), *one.key, one.first, one.last) for one in asked), strict=True
    )
    days: dict[UsageKey, list[DayUse]] = defaultdict(list)
    for row in await connection.fetch(_READ, *columns):
        days[UsageKey(row[0], row[1], Event(row[2]))].append(DayUse(*row[3:]))
    return Usage({key: tuple(rows) for key, rows in days.items()})


async def read_sums(connection: Connection, wanted: Iterable[UsageWanted]) -> Usage:
    """Return what was used of each key, summed over the days that no window tells apart.

    Whether a limit holds is told by that; from when there is room again only by single days. A sum
    stands under the first of its days, and under nobody where others are not asked for.
    """
    rows: list[tuple[object, ...]] = []
    meant: list[tuple[tuple[UsageKey, date, int], ...]] = []
    is_plain = True
    for one in _spans(wanted):
        key, only, is_apart = one.key, one.only, one.is_apart
        is_plain = is_plain and only is None and not is_apart
        named = bucket_of(key.subject), key.subject, key.side, key.event.value
        by_days = only is not None or is_apart or one.last == LIFETIME
        firsts = (one.first, *one.cuts)
        by = spans.single_days if by_days else spans.days_and_months
        for part in by(firsts, one.last):
            rows.append((len(rows), *named, part.first, part.last, only, is_apart))
            meant.append(tuple((key, first, sign) for first, sign in part.counts))
    if not rows:
        return Usage()
    columns = list(zip(*rows, strict=True))
    statement = _SUMS_BY_OTHER
    if is_plain:
        statement, columns = _SUMS, columns[:-2]
    return _added_up(await connection.fetch(statement, *columns), meant)


def _added_up(
    rows: Iterable[Sequence[Any]],  # Any: numbers and an id, as the statement has them
    meant: Sequence[Sequence[tuple[UsageKey, date, int]]],
) -> Usage:
    """Return the use of windows, from rows that are each meant for some, with a sign."""
    sums: dict[tuple[UsageKey, date, UUID], list[int]] = {}
    for no, other, amount, times in rows:
        for key, first, sign in meant[no]:
            found = sums.setdefault((key, first, other or NOBODY), [0, 0])
            found[0] += sign * amount
            found[1] += sign * times
    days: dict[UsageKey, tuple[DayUse, ...]] = {}
    for (key, first, other), (amount, times) in sums.items():
        if times:
            days[key] = (*days.get(key, ()), DayUse(first, other, amount, times))
    return Usage(days)


async def add(connection: Connection, made: Sequence[UsageMade]) -> None:
    """Count what was done; subjects are locked by the caller."""
    if made:
        await connection.execute(_ADD, *_columns(made))


async def give_back(connection: Connection, made: Sequence[UsageMade]) -> None:
    """Count no longer what was counted by `add` under the same days."""
    if made:
        rows = _columns(made)
        done = await connection.execute(_GIVE_BACK, *rows)
        assert done == f"UPDATE {len(rows[0])}", "what is given back was counted"


def counted(usage: Usage, made: Sequence[UsageMade]) -> Usage:
    """Return `usage` as it is after acts of the same batch that are not written yet."""
    after = Usage(dict(usage.days))
    count(after, made)
    return after


def count(usage: Usage, made: Sequence[UsageMade]) -> None:
    """Let `usage` be as it is after acts of the same batch that are not written yet."""
    days = usage.days
    for key, other, day, amount, times in made:
        days[key] = (
            *days.get(key, ()),
            DayUse(day, other, amount, times),
            DayUse(LIFETIME, other, amount, times),
        )


def _spans(wanted: Iterable[UsageWanted]) -> list[UsageWanted]:
    """Return the days to read of each key: one span, and the whole time by itself."""
    found: dict[tuple[UsageKey, bool], UsageWanted] = {}
    for one in wanted:
        place = one.key, one.last == LIFETIME
        known = found.get(place)
        found[place] = one if known is None or known == one else both(known, one)
    return list(found.values())


def _columns(made: Sequence[UsageMade]) -> Sequence[Sequence[object]]:
    """Return rows per day, month and whole time, summed, in the order of the primary key."""
    amounts: dict[_Place, int] = defaultdict(int)
    times: dict[_Place, int] = defaultdict(int)
    for key, other, day, amount, count in made:
        named = bucket_of(key.subject), key.subject, key.side, key.event.value
        for place in (
            _Place(*named, day, other),
            _Place(*named, LIFETIME, other),
            _Place(*named, spans.month_of(day), NOBODY),
        ):
            amounts[place] += amount
            times[place] += count
    # A UUID compares as its bytes do.
    return list(zip(*((*one, amounts[one], times[one]) for one in sorted(amounts)), strict=True))
