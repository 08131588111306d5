"""The statements of the guards: rules, counts by slot, cases and their hits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import uuid7
from coalition.points.guards.documents import GuardDocument, GuardRule
from coalition.points.guards.rules import Count, Key

HEAD = -1
"""The slot that stands for a subject as a whole, and is locked for it."""

KEPT_MOST = 20
"""How many postings, cashiers and names a hit keeps; it counts them all."""

_RULES = """
SELECT no, version, document, active_from, retired_at, proposed_by, approved_by FROM guard_rule
WHERE $1 OR retired_at IS NULL ORDER BY name, version
"""

# The rows are locked in the order of the keys, so that two batches never wait in a circle. What is
# written is of use too: the tidying finds by it whom nobody has seen for long.
_LOCK = """
INSERT INTO guard_count AS kept (bucket, rule_no, subject, slot, total, part)
SELECT bucket, rule_no, subject, -1, slot, 0
FROM unnest($1::int2[], $2::int4[], $3::uuid[], $4::int4[])
    AS given (bucket, rule_no, subject, slot)
ORDER BY bucket, rule_no, subject
ON CONFLICT (bucket, rule_no, subject, slot) DO UPDATE
SET total = greatest(kept.total, excluded.total)
"""

_ADD = """
INSERT INTO guard_count AS kept (bucket, rule_no, subject, slot, total, part)
SELECT * FROM unnest($1::int2[], $2::int4[], $3::uuid[], $4::int4[], $5::int8[], $6::int8[])
    AS given (bucket, rule_no, subject, slot, total, part)
ORDER BY bucket, rule_no, subject, slot
ON CONFLICT (bucket, rule_no, subject, slot) DO UPDATE
SET total = kept.total + excluded.total, part = kept.part + excluded.part
"""

_READ = """
SELECT wanted.bucket, wanted.rule_no, wanted.subject, kept.slot, kept.total, kept.part
FROM unnest($1::int2[], $2::int4[], $3::uuid[], $4::int4[], $5::int4[])
    AS wanted (bucket, rule_no, subject, first, last), LATERAL (
    SELECT slot, total, part FROM guard_count
    WHERE bucket = wanted.bucket AND rule_no = wanted.rule_no AND subject = wanted.subject
        AND slot BETWEEN wanted.first AND wanted.last
    OFFSET 0) AS kept
"""

_SIGHT = """
INSERT INTO guard_sighting (bucket, rule_no, subject, slot, thing)
SELECT * FROM unnest($1::int2[], $2::int4[], $3::uuid[], $4::int4[], $5::uuid[])
    AS given (bucket, rule_no, subject, slot, thing)
ORDER BY bucket, rule_no, subject, slot, thing
ON CONFLICT DO NOTHING
RETURNING bucket, rule_no, subject, slot
"""

_TAKE = """
INSERT INTO guard_batch (id, counted_at)
SELECT id, $2 FROM unnest($1::uuid[]) AS given (id) ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
"""

_OPEN_CASES = """
INSERT INTO guard_case AS kept
    (id, rule_no, subject, member_id, partner_no, state, opened_at, last_hit_at)
SELECT id, rule_no, subject, member_id, partner_no, 'open', $6, $6
FROM unnest($1::uuid[], $2::int4[], $3::text[], $4::uuid[], $5::int4[])
    AS given (id, rule_no, subject, member_id, partner_no)
ORDER BY rule_no, subject
ON CONFLICT (rule_no, subject) WHERE state = 'open' DO UPDATE SET last_hit_at = excluded.last_hit_at
RETURNING rule_no, subject, id
"""

_ADD_HITS = f"""
INSERT INTO guard_hit AS kept (case_id, slot, outcome, seen_from, seen_until, reached, most, acts,
                               postings, cashiers, confirmed_by)
SELECT case_id, slot, outcome, seen_from, seen_until, reached, most, acts,
       postings::uuid[], cashiers::text[], confirmed_by::text[]
FROM unnest($1::uuid[], $2::int4[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::int8[],
            $7::int8[], $8::int4[], $9::text[], $10::text[], $11::text[])
    AS given (case_id, slot, outcome, seen_from, seen_until, reached, most, acts,
              postings, cashiers, confirmed_by)
ORDER BY case_id, slot, outcome
ON CONFLICT (case_id, slot, outcome) DO UPDATE SET
    reached = greatest(kept.reached, excluded.reached),
    acts = kept.acts + excluded.acts,
    postings = (kept.postings || excluded.postings)[1:{KEPT_MOST}],
    cashiers = ARRAY(SELECT DISTINCT unnest(kept.cashiers || excluded.cashiers)
                     ORDER BY 1 LIMIT {KEPT_MOST}),
    confirmed_by = ARRAY(SELECT DISTINCT unnest(kept.confirmed_by || excluded.confirmed_by)
                         ORDER BY 1 LIMIT {KEPT_MOST})
"""  # noqa: S608 - a number of ours

_FORGET_COUNTS = "DELETE FROM guard_count WHERE rule_no = $1 AND slot <> -1 AND slot < $2"
_FORGET_HEADS = "DELETE FROM guard_count WHERE rule_no = $1 AND slot = -1 AND total < $2"
_FORGET_SIGHTINGS = "DELETE FROM guard_sighting WHERE rule_no = $1 AND slot < $2"
_FORGET_BATCHES = "DELETE FROM guard_batch WHERE counted_at < $1"


class Range(NamedTuple):
    """The slots of a subject that are looked at, both ends included."""

    key: Key
    first: int
    last: int


class NewCase(NamedTuple):
    """A case to be opened, unless one of that rule and subject is open already."""

    rule_no: int
    subject: str
    member: UUID | None
    partner_no: int


class Hit(NamedTuple):
    """Acts of one slot that passed the number of a case's rule."""

    case: UUID
    slot: int
    outcome: str
    seen_from: datetime
    seen_until: datetime
    reached: int
    most: int
    acts: int
    postings: Sequence[UUID]
    cashiers: Sequence[str]
    confirmed_by: Sequence[str]


async def read_rules(connection: Connection, *, retired: bool = False) -> list[GuardRule]:
    """Return the active guard rules by name, and the retired ones if asked for."""
    rows = await connection.fetch(_RULES, retired)
    return [_rule(*row) for row in rows]


def _rule(no: int, version: int, document: str, *rest: object) -> GuardRule:
    known = msgspec.json.decode(document, type=GuardDocument)
    return GuardRule(no, version, known, *rest)  # type: ignore[arg-type]  # as the table has them


async def lock(connection: Connection, subjects: Mapping[Key, int]) -> None:
    """Lock `subjects` until the transaction ends; each with the latest slot that it is seen in."""
    ordered = sorted(subjects)
    keys = [list(column) for column in zip(*ordered, strict=True)]
    await connection.execute(_LOCK, *keys, [subjects[key] for key in ordered])


async def add(connection: Connection, counted: Mapping[tuple[Key, int], Count]) -> None:
    """Add to the counts of subjects by slot, in the order of their keys."""
    if counted:
        rows = [(*key, slot, *counted[key, slot]) for key, slot in sorted(counted)]
        await connection.execute(_ADD, *(list(column) for column in zip(*rows, strict=True)))


async def read(connection: Connection, ranges: Collection[Range]) -> dict[Key, dict[int, Count]]:
    """Return the counts of subjects by slot, within the ranges that were asked for."""
    found: dict[Key, dict[int, Count]] = {}
    if ranges:
        rows = [(*one.key, one.first, one.last) for one in ranges]
        columns = (list(column) for column in zip(*rows, strict=True))
        for bucket, rule_no, subject, slot, total, part in await connection.fetch(_READ, *columns):
            key = Key(bucket, rule_no, subject)
            found.setdefault(key, {})[slot] = Count(total, part)
    return found


async def sight(
    connection: Connection, sighted: Iterable[tuple[Key, int, UUID]]
) -> list[tuple[Key, int]]:
    """Remember what subjects were seen with; return the subject and slot of each that is new."""
    rows = [(*key, slot, thing) for key, slot, thing in sorted(set(sighted))]
    if not rows:
        return []
    columns = (list(column) for column in zip(*rows, strict=True))
    return [(Key(*row[:3]), row[3]) for row in await connection.fetch(_SIGHT, *columns)]


async def take(connection: Connection, batches: Collection[UUID], at: datetime) -> set[UUID]:
    """Mark `batches` as counted; return those that were not. Others were counted before."""
    return {row[0] for row in await connection.fetch(_TAKE, list(batches), at)}


async def open_cases(
    connection: Connection, cases: Collection[NewCase], at: datetime
) -> dict[tuple[int, str], UUID]:
    """Return the open case of each rule and subject, opened where there was none."""
    if not cases:
        return {}
    rows = [(uuid7(at), *case) for case in cases]
    columns = (list(column) for column in zip(*rows, strict=True))
    found = await connection.fetch(_OPEN_CASES, *columns, at)
    return {(row[0], row[1]): row[2] for row in found}


async def add_hits(connection: Connection, hits: Collection[Hit]) -> None:
    """Add hits to their cases; one per slot and outcome, which gathers what happens in it."""
    if hits:
        rows = [(*hit[:8], *(_array(list(given)) for given in hit[8:])) for hit in hits]
        await connection.execute(_ADD_HITS, *(list(column) for column in zip(*rows, strict=True)))


async def forget(
    connection: Connection, oldest: Mapping[int, int], *, batches_before: datetime
) -> int:
    """Drop counts of the rules in `oldest` before the slot named there; return how many.

    Batches that were counted before `batches_before` are forgotten too.
    """
    dropped = 0
    for rule_no, slot in oldest.items():
        for statement in (_FORGET_COUNTS, _FORGET_HEADS, _FORGET_SIGHTINGS):
            done = await connection.execute(statement, rule_no, slot)
            dropped += int(done.rpartition(" ")[2])
    await connection.execute(_FORGET_BATCHES, batches_before)
    return dropped


def _array(values: Sequence[object]) -> str:
    """Return an array as PostgreSQL writes it: an array of arrays would have to be a rectangle."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
