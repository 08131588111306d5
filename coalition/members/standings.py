"""What a member is to the coalition for a time: tier, plan, segments and flags.

Kept as facts that are only added. Each says from when until when a value is held, or, to end one
early, no longer held; of the facts about one value that cover an instant the last one decides.
Among several tiers held at once the one granted last counts, and so among plans: a tier for a year
lies over the one beneath it, which shows again when the year is over. No job ends anything.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from coalition.federation import catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import holders, kept_shares
from coalition.ledger.holders import OPEN_END
from coalition.members.locking import lock_open
from coalition.members.refusals import InvalidStanding, StandingNotHeld

LONGEST_VALUE = 60
LONGEST_SOURCE = 100
INSTANT = timedelta(microseconds=1)

Kind = Literal["tier", "plan", "segment", "flag"]


class StandingKind(StrEnum):
    """What a standing is about; of tiers and plans one counts at a time."""

    TIER = "tier"
    PLAN = "plan"
    SEGMENT = "segment"
    FLAG = "flag"


class Standings(msgspec.Struct, frozen=True):
    """What holds of one member at one instant."""

    tier: str | None = None
    plan: str | None = None
    segments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


NOBODY = Standings()


class _Covering(NamedTuple):
    """A fact that covers the instant asked for; what was given as somebody else counts less."""

    is_own: bool
    no: int
    kind: str
    value: str
    held: bool


_FACTS = msgspec.json.Decoder(list[_Covering])


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact as it was written down: `held` until `valid_until` (None: for good), or not held.

    `given_as` is the member of before a merge, under whose id it was written first.
    """

    member_id: MemberId
    kind: StandingKind
    value: str
    held: bool = True
    valid_from: datetime
    valid_until: datetime | None
    source: str
    made_at: datetime
    given_as: MemberId | None = None


_READ = """
SELECT wanted.no, fact.*
FROM unnest($1::int2[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY
    AS wanted (bucket, member_id, at, no), LATERAL (
    SELECT given_as IS NULL, no, kind, value, held
    FROM standing
    WHERE bucket = wanted.bucket AND member_id = wanted.member_id
        AND valid_from <= wanted.at AND (valid_until IS NULL OR valid_until > wanted.at)
    OFFSET 0) AS fact
"""

OF_EACH = """
SELECT json_agg(json_build_array(given_as IS NULL, no, kind, value, held))::text
FROM standing
WHERE bucket = wanted.bucket AND member_id = wanted.id
    AND valid_from <= wanted.at AND (valid_until IS NULL OR valid_until > wanted.at)
"""
"""The same as a question that is asked beside another one; `told` reads its answer."""

# The members' rows are locked, so nobody else counts on from the same number. What repeats the last
# word on its tier, plan, segment or flag is left out.
_ADD = """
INSERT INTO standing (bucket, member_id, no, kind, value, held, valid_from, valid_until, source,
    made_at, given_as)
SELECT given.bucket, given.member_id,
       last.no + row_number() OVER (PARTITION BY given.bucket, given.member_id ORDER BY given.line),
       given.kind, given.value, given.held, given.valid_from, given.valid_until, given.source,
       given.made_at, given.given_as
FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::bool[], $6::timestamptz[],
            $7::timestamptz[], $8::text[], $9::timestamptz[], $10::uuid[]) WITH ORDINALITY
    AS given (bucket, member_id, kind, value, held, valid_from, valid_until, source, made_at,
              given_as, line),
LATERAL (
    SELECT coalesce(max(no), 0) AS no FROM standing
    WHERE bucket = given.bucket AND member_id = given.member_id
    OFFSET 0) AS last
WHERE (given.value, given.held, given.valid_from, given.valid_until, given.source)
    IS DISTINCT FROM (
        SELECT ROW(value, held, valid_from, valid_until, source) FROM standing
        WHERE bucket = given.bucket AND member_id = given.member_id AND kind = given.kind
            AND (kind IN ('tier', 'plan') OR value = given.value)
        ORDER BY no DESC LIMIT 1)
"""

_HISTORY = """
SELECT member_id, kind, value, held, valid_from, valid_until, source, made_at, given_as
FROM standing WHERE bucket = $1 AND member_id = $2 ORDER BY no
"""


# Whoever has no such fact never was, or is no more, what is to end.
_NOT_HELD = """
SELECT FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
    AS given (bucket, member_id, kind, value, ends_at)
WHERE NOT EXISTS (
    SELECT FROM standing
    WHERE bucket = given.bucket AND member_id = given.member_id AND kind = given.kind
        AND value = given.value AND held
        AND (valid_until IS NULL OR valid_until > given.ends_at))
LIMIT 1
"""


async def read(
    connection: Connection, members: Collection[MemberId], at: datetime
) -> dict[MemberId, Standings]:
    """Return what each of `members` is at the instant `at`; who is nothing is left out."""
    found = await read_each(connection, {(member, at) for member in members})
    return {member: held for (member, _), held in found.items()}


async def read_each(
    connection: Connection, wanted: Collection[tuple[MemberId, datetime]]
) -> dict[tuple[MemberId, datetime], Standings]:
    """Return what each member is at its instant, for distinct pairs; who is nothing is left out."""
    ordered = list(wanted)
    members = [member for member, _ in ordered]
    buckets = [bucket_of(member) for member in members]
    rows = await connection.fetch(_READ, buckets, members, [at for _, at in ordered])
    by_pair: dict[tuple[MemberId, datetime], list[_Covering]] = {}
    for number, *fact in rows:
        by_pair.setdefault(ordered[number - 1], []).append(_Covering(*fact))
    found = {pair: _standings(covering) for pair, covering in by_pair.items()}
    return {pair: held for pair, held in found.items() if held != NOBODY}


def told(answer: str) -> Standings:
    """Return what one member is at one instant, from an answer to `OF_EACH` that is not NULL."""
    return _standings(_FACTS.decode(answer))


async def grant(
    connection: Connection,
    *,
    member: MemberId,
    kind: Kind,
    value: str,
    valid_from: datetime,
    valid_until: datetime | None,
    source: str,
    at: datetime,
) -> None:
    """Let the member be `value` from `valid_from` until `valid_until` (None: for good).

    `source` says who or what granted it, without personal data. Repeating the last grant changes
    nothing. A tier that suspends the expiry of points does so at once, until it ends. Raises
    `InvalidStanding` and what `lock_open` does.
    """
    fact = Fact(
        member_id=member,
        kind=StandingKind(kind),
        value=value,
        valid_from=valid_from,
        valid_until=valid_until,
        source=source,
        made_at=at,
    )
    await add(connection, [fact])


async def end(
    connection: Connection,
    *,
    member: MemberId,
    kind: Kind,
    value: str,
    ends_at: datetime,
    source: str,
    at: datetime,
) -> None:
    """Let the member no longer be `value` from `ends_at` on; what held before is still on record.

    Points whose expiry a tier has suspended end then, unless another such tier holds. Raises as
    `grant` does, and `StandingNotHeld` for what the member is not from then on.
    """
    fact = Fact(
        member_id=member,
        kind=StandingKind(kind),
        value=value,
        held=False,
        valid_from=ends_at,
        valid_until=None,
        source=source,
        made_at=at,
    )
    await add(connection, [fact])


async def end_all(connection: Connection, member: MemberId, *, source: str, at: datetime) -> None:
    """End everything that a member, who is locked, is or would become; for one who leaves."""
    held: dict[tuple[StandingKind, str], None] = {}
    for fact in await history(connection, member):
        if fact.held and (fact.valid_until is None or fact.valid_until > at):
            held[fact.kind, fact.value] = None
        elif not fact.held and fact.valid_until is None and fact.valid_from <= at:
            held.pop((fact.kind, fact.value), None)
    ends = [
        Fact(
            member_id=member,
            kind=kind,
            value=value,
            held=False,
            valid_from=at,
            valid_until=None,
            source=source,
            made_at=at,
        )
        for kind, value in held
    ]
    await append(connection, ends)


async def take_over(
    connection: Connection, *, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Let `into_id` be, behind its own standings, what `from_id` is or will be; both are locked."""
    facts = [
        msgspec.structs.replace(fact, member_id=into_id, given_as=fact.given_as or from_id)
        for fact in await history(connection, from_id)
        if fact.valid_until is None or fact.valid_until > at
    ]
    await append(connection, facts)


async def add(connection: Connection, facts: Sequence[Fact]) -> None:
    """Write down any number of facts in one set of statements, in order; raises as `end` does."""
    for fact in facts:
        _check(fact)
    await lock_open(connection, (fact.member_id for fact in facts))
    await _check_held(connection, [fact for fact in facts if not fact.held])
    await append(connection, facts)
    await _suspend_expiry(connection, facts)


async def history(connection: Connection, member: MemberId) -> list[Fact]:
    """Return every fact about the member in the order in which they were written down."""
    rows = await connection.fetch(_HISTORY, bucket_of(member), member)
    return [msgspec.convert(dict(row), Fact) for row in rows]


async def append(connection: Connection, facts: Sequence[Fact]) -> None:
    """Write facts down as they are, about members who are locked."""
    await connection.execute(
        _ADD,
        [bucket_of(fact.member_id) for fact in facts],
        [fact.member_id for fact in facts],
        [fact.kind.value for fact in facts],
        [fact.value for fact in facts],
        [fact.held for fact in facts],
        [fact.valid_from for fact in facts],
        [fact.valid_until for fact in facts],
        [fact.source for fact in facts],
        [fact.made_at for fact in facts],
        [fact.given_as for fact in facts],
    )


async def _check_held(connection: Connection, ends: Sequence[Fact]) -> None:
    if not ends:
        return
    columns = zip(
        *(
            (bucket_of(one.member_id), one.member_id, one.kind, one.value, one.valid_from)
            for one in ends
        ),
        strict=True,
    )
    if await connection.fetchrow(_NOT_HELD, *columns) is not None:
        raise StandingNotHeld


async def _suspend_expiry(connection: Connection, facts: Sequence[Fact]) -> None:
    """Tell the ledger until when the tiers of the members, as they are now, suspend expiry."""
    if not any(fact.kind is StandingKind.TIER for fact in facts):
        return
    known = await catalogue.load(connection)
    tiers = known.coalition.expiry_suspended_tiers if known.is_set_up else ()
    for member in {fact.member_id for fact in facts if fact.value in tiers}:
        kept = await history(connection, member)
        until = suspended_until([fact for fact in kept if fact.value in tiers], known.zone)
        await holders.resume_expiry(connection, member, until)
        await holders.suspend_expiry(connection, member, until)
        await kept_shares.keep(connection, member, until)


def suspended_until(facts: Iterable[Fact], zone: ZoneInfo) -> date:
    """Return the last day in `zone` on which one of the tiers that `facts` tell of is held."""
    last_days: dict[str, date] = {}
    for fact in facts:
        if fact.kind is StandingKind.TIER:
            end = fact.valid_until if fact.held else fact.valid_from
            day = OPEN_END if end is None else (end - INSTANT).astimezone(zone).date()
            known = last_days.get(fact.value, day)
            last_days[fact.value] = max(known, day) if fact.held else min(known, day)
    return max(last_days.values())


def _standings(covering: Iterable[_Covering]) -> Standings:
    """Return what facts about one member come to: of each value the last word counts."""
    last = {(fact.kind, fact.value): fact for fact in sorted(covering)}
    values: dict[str, list[str]] = {kind.value: [] for kind in StandingKind}
    for fact in sorted(last.values()):
        if fact.held:
            values[fact.kind].append(fact.value)
    return Standings(
        tier=values["tier"][-1] if values["tier"] else None,
        plan=values["plan"][-1] if values["plan"] else None,
        segments=frozenset(values["segment"]),
        flags=frozenset(values["flag"]),
    )


def _check(fact: Fact) -> None:
    for text, most in ((fact.value, LONGEST_VALUE), (fact.source, LONGEST_SOURCE)):
        if not 1 <= len(text) <= most or not text.isprintable() or text != text.strip():
            raise InvalidStanding
    if fact.valid_until is not None and fact.valid_until <= fact.valid_from:
        raise InvalidStanding("A standing ends after it begins")
