"""Holders: the row that says whether points may move, and that is locked before they are taken."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, buckets_of, in_lock_order
from coalition.ledger.accounts import HolderState
from coalition.ledger.provenance import bounds_of
from coalition.ledger.refusals import HolderMerged, HolderNotActive, UnknownHolder

_OPEN = """
INSERT INTO holder (bucket, id, state, opened_at)
SELECT bucket, id, $3, $4 FROM unnest($1::int2[], $2::uuid[]) AS opened (bucket, id)
ORDER BY bucket, id
"""

# OFFSET 0 keeps the planner from turning the look-up round while the table is small.
_READ = """
SELECT kept.id, kept.state, kept.owes, kept.expiry_suspended_until, kept.merged_into, kept.shares,
       kept.keeps_shares
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT * FROM holder WHERE bucket = wanted.bucket AND id = wanted.id
    OFFSET 0) AS kept
"""

# The same, with questions that the caller has beside it, and a row for each that is wanted.
_READ_BESIDE = """
SELECT ({question}), ({of_each}), ({spendable}), wanted.no, kept.id, kept.state, kept.owes,
       kept.expiry_suspended_until, kept.merged_into, kept.shares, kept.keeps_shares
FROM unnest($1::int2[], $2::uuid[], $3::timestamptz[]{arrays}) WITH ORDINALITY
    AS wanted (bucket, id, at{names}, no)
LEFT JOIN LATERAL (
    SELECT * FROM holder WHERE bucket = wanted.bucket AND id = wanted.id
    OFFSET 0) AS kept ON true
"""
_SPENDABLE = """
    SELECT coalesce(sum(points_in - points_out - held), 0)::int8 FROM lot
    WHERE lot.bucket = wanted.bucket AND lot.id <= wanted.last AND lot.id >= CASE
        WHEN kept.expiry_suspended_until >= $4 THEN wanted.lowest ELSE wanted.spendable END
        AND lot.holder = wanted.id AND lot.currency_no = $5"""
_WITH_SPENDABLE = {
    "spendable": _SPENDABLE,
    "arrays": ", $6::uuid[], $7::uuid[], $8::uuid[]",
    "names": ", lowest, spendable, last",
}
_WITHOUT_SPENDABLE = {"spendable": "NULL::int8", "arrays": "", "names": ""}

# The rows are locked in (bucket, id) order because the arrays are sorted and walked, so two takers
# never wait for each other's holders in a circle. Over lots, which are locked later, batches that
# mix issues and redemptions may: the database ends one of them, and it is tried again.
_LOCK = """
SELECT kept.id, kept.state, kept.owes, kept.expiry_suspended_until, kept.merged_into, kept.shares,
       kept.keeps_shares
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT * FROM holder WHERE bucket = wanted.bucket AND id = wanted.id
    OFFSET 0 FOR NO KEY UPDATE) AS kept
"""

_LOCK_BESIDE = _LOCK.replace("SELECT", "SELECT ({question}),", 1)

_SET_STATE = "UPDATE holder SET state = $3 WHERE bucket = $1 AND id = $2"

_SUSPEND = """
UPDATE holder SET expiry_suspended_until = greatest(expiry_suspended_until, $3)
WHERE bucket = $1 AND id = $2
"""
_RESUME = """
UPDATE holder SET expiry_suspended_until = CASE WHEN expiry_suspended_until > $3
    THEN $3 ELSE expiry_suspended_until END
WHERE bucket = $1 AND id = $2
"""

_FORWARD = """
UPDATE holder SET merged_into = $3
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id)
WHERE holder.bucket = wanted.bucket AND holder.id = wanted.id
"""

# An index holds those who were merged; they are few.
_MERGED = "SELECT id FROM holder WHERE merged_into = $1 ORDER BY bucket, id"

OPEN_END = date(9999, 12, 31)
"""Until when expiry is suspended for a holder whose suspension has no end yet."""


class Standing(NamedTuple):
    """A holder as it stands: whether its points move, what it owes, whether they expire."""

    state: int
    owes: int
    """What is open of its debts, in points; 0 for nearly everybody."""
    suspended_until: date | None
    """The last day on which nothing of it expires."""
    merged_into: UUID | None
    """The holder that has taken over everything of it."""
    shares: bool = False
    """Whether it spends or earns together with others, so that a till asks with whom."""
    keeps_shares: bool = False
    """Whether tiers of contributors may keep points of it from ending: see `kept_shares`."""


_ACTIVE = int(HolderState.ACTIVE)  # looked up once, which costs more than a call
PLAIN = Standing(_ACTIVE, 0, None, None)
"""Of nearly everybody: active, and owes and shares nothing. Whoever stands so has this very one."""


def _standing(columns: tuple[Any, ...]) -> Standing:  # Any: as they are read
    """Return what was read of a holder; of nearly all it is the same."""
    return PLAIN if columns == PLAIN else Standing._make(columns)


async def open_holders(connection: Connection, holders: Collection[UUID], at: datetime) -> None:
    """Open an account for each of `holders` (new ids), active from `at`."""
    buckets, ids = in_lock_order(holders)
    await connection.execute(_OPEN, buckets, ids, HolderState.ACTIVE, at)


async def set_state(connection: Connection, holder: UUID, state: HolderState) -> None:
    """Freeze, reopen or close a holder. Raises `UnknownHolder`."""
    done = await connection.execute(_SET_STATE, bucket_of(holder), holder, state)
    if done != "UPDATE 1":
        raise UnknownHolder


async def suspend_expiry(connection: Connection, holder: UUID, until: date | None) -> None:
    """Let nothing of `holder` expire through the day `until` (None: no end is known).

    The later of two days holds. What ends meanwhile stays spendable, and ends at once when the
    suspension is over. Raises `UnknownHolder`.
    """
    done = await connection.execute(_SUSPEND, bucket_of(holder), holder, until or OPEN_END)
    if done != "UPDATE 1":
        raise UnknownHolder


async def resume_expiry(connection: Connection, holder: UUID, last_day: date) -> None:
    """End a suspension after `last_day`, where it would have lasted longer.

    Raises `UnknownHolder`.
    """
    done = await connection.execute(_RESUME, bucket_of(holder), holder, last_day)
    if done != "UPDATE 1":
        raise UnknownHolder


async def forward(connection: Connection, merged: Iterable[UUID], into: UUID) -> None:
    """Let `merged`, whose survivor was merged in turn, name the last survivor."""
    await connection.execute(_FORWARD, *in_lock_order(merged), into)


async def merged_into(connection: Connection, survivor: UUID) -> list[UUID]:
    """Return everybody whose last survivor is `survivor`."""
    return [row[0] for row in await connection.fetch(_MERGED, survivor)]


async def read_states(connection: Connection, holders: Iterable[UUID]) -> dict[UUID, Standing]:
    """Return how each of `holders` that exists stands."""
    rows = await connection.fetch(_READ, *in_lock_order(holders))
    return {row[0]: _standing(row[1:]) for row in rows}


class Spending(NamedTuple):
    """Of which point currency, and on which day, it is asked what holders can spend."""

    currency_no: int
    today: date


class ReadBeside(NamedTuple):
    """What was read in one round trip; `of_each` has an answer for each that was wanted."""

    answer: int
    states: dict[UUID, Standing]
    of_each: list[str | None]
    spendable: dict[UUID, int]
    """What those who exist can spend; empty where it was not asked for."""


async def read_states_beside(
    connection: Connection,
    wanted: Sequence[UUID],
    question: str,
    *,
    instants: Sequence[datetime],
    of_each: str = "NULL::text",
    spending: Spending | None = None,
) -> ReadBeside:
    """Return the answer to `question`, how holders stand, and the answer `of_each` of `wanted`.

    There is at least one. The questions are statements of ours, and asked beside they cost no round
    trip: the first has one number for an answer, such as the version of what the caller knows, the
    second a text about `wanted.bucket`, `wanted.id` and `wanted.at`, a holder and its one of
    `instants`, which may be none where that is not asked. What they can spend is right where there
    are no clocks, for those who keep no shares of others.
    """
    arrays: list[Any] = [buckets_of(wanted), wanted, instants]  # Any: by column
    if spending is not None:
        arrays += [spending.today, spending.currency_no, *bounds_of(wanted, spending.today)]
    statement = _read_beside(question, of_each, has_spendable=spending is not None)
    read = ReadBeside(0, {}, [None] * len(wanted), {})
    rows = await connection.fetch(statement, *arrays)
    for row in rows:
        _, told, spendable, no, holder = row[:5]
        if holder is not None:
            read.states[holder] = _standing(row[5:])
            if spendable is not None:
                read.spendable[holder] = spendable
        read.of_each[no - 1] = told
    return read._replace(answer=rows[0][0])


@lru_cache(maxsize=16)
def _read_beside(question: str, of_each: str, *, has_spendable: bool) -> str:
    asked = _WITH_SPENDABLE if has_spendable else _WITHOUT_SPENDABLE
    return _READ_BESIDE.format(question=question, of_each=of_each, **asked)


async def lock(connection: Connection, holders: Iterable[UUID]) -> dict[UUID, Standing]:
    """Lock `holders` until the transaction ends; return how each that exists stands."""
    rows = await connection.fetch(_LOCK, *in_lock_order(holders))
    return {row[0]: _standing(row[1:]) for row in rows}


async def lock_beside(
    connection: Connection, holders: Iterable[UUID], question: str
) -> tuple[int | None, dict[UUID, Standing]]:
    """Do as `lock`, and answer `question`, as in `read_states_beside`; None if none exists."""
    rows = await connection.fetch(_LOCK_BESIDE.format(question=question), *in_lock_order(holders))
    return rows[0][0] if rows else None, {row[1]: _standing(row[2:]) for row in rows}


async def survivors_of(connection: Connection, wanted: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return who has taken over from each of `wanted` that was merged."""
    states = await read_states(connection, wanted)
    return {one: kept.merged_into for one, kept in states.items() if kept.merged_into is not None}


def refusal_by_state(
    states: Mapping[UUID, Standing], holder: UUID
) -> UnknownHolder | HolderNotActive | HolderMerged | None:
    """Return why points of `holder` may not move, or None when they may."""
    kept = states.get(holder)
    if kept is None:
        return UnknownHolder()
    if kept.state == _ACTIVE:
        return None
    if kept.merged_into is not None:
        return HolderMerged(merged_into=str(kept.merged_into))
    return HolderNotActive()
