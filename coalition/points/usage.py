"""What members have had of capped rules: counters per member, rule and period.

A counter is read and written only while its holder's row is locked, so that no two sessions count
on from the same number: an issue with a capped rule locks its holder as one who takes points does.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders

Counter = tuple[int, str]
"""The root number of a rule and the name of a period."""

_READ = """
SELECT kept.member, kept.rule_no, kept.period, kept.points
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::text[])
     AS wanted (bucket, member, rule_no, period), LATERAL (
    SELECT member, rule_no, period, points FROM earning_usage
    WHERE earning_usage.bucket = wanted.bucket AND earning_usage.member = wanted.member
        AND earning_usage.rule_no = wanted.rule_no AND earning_usage.period = wanted.period
    OFFSET 0) AS kept
"""

_ADD = """
INSERT INTO earning_usage AS kept (bucket, member, rule_no, period, points)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::text[], $5::int8[])
ON CONFLICT (bucket, member, rule_no, period) DO UPDATE SET points = kept.points + excluded.points
"""

_TAKE = """
UPDATE earning_usage SET points = earning_usage.points - back.points
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::text[], $5::int8[])
     AS back (bucket, member, rule_no, period, points)
WHERE earning_usage.bucket = back.bucket AND earning_usage.member = back.member
    AND earning_usage.rule_no = back.rule_no AND earning_usage.period = back.period
"""

_ADD_SHARES = """
INSERT INTO purchase_usage (bucket, posting, rule_no, period, member, points, kept)
SELECT made.*, made.points
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::text[], $5::uuid[], $6::int8[])
     AS made (bucket, posting, rule_no, period, member, points)
"""

_READ_SHARES = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, posting), LATERAL (
    SELECT posting, member, rule_no, period, points, kept FROM purchase_usage
    WHERE purchase_usage.bucket = wanted.bucket AND purchase_usage.posting = wanted.posting
    OFFSET 0) AS kept
"""

_KEEP = """
UPDATE purchase_usage SET kept = left_over.kept
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::text[], $5::int8[])
     AS left_over (bucket, posting, rule_no, period, kept)
WHERE purchase_usage.bucket = left_over.bucket AND purchase_usage.posting = left_over.posting
    AND purchase_usage.rule_no = left_over.rule_no AND purchase_usage.period = left_over.period
"""


class Share(NamedTuple):
    """Usage that came from one posting; `kept` of it still counts, the rest was given back."""

    posting: UUID
    member: UUID
    rule_no: int
    period: str
    points: int
    kept: int


async def read(
    connection: Connection, wanted: Iterable[tuple[UUID, Collection[Counter]]]
) -> dict[tuple[UUID, Counter], int]:
    """Return where the wanted counters (at least one) stand; one that is left out is at zero."""
    rows = {
        (bucket_of(member), member, rule_no, period)
        for member, counters in wanted
        for rule_no, period in counters
    }
    found = await connection.fetch(_READ, *zip(*rows, strict=True))
    return {(row[0], (row[1], row[2])): row[3] for row in found}


async def add(connection: Connection, shares: Collection[Share]) -> None:
    """Count what postings have used; the holders are locked."""
    if not shares:
        return
    await _change(connection, _ADD, shares)
    await connection.execute(
        _ADD_SHARES,
        *zip(
            *(
                (bucket_of(share.posting), share.posting, *share[2:4], share.member, share.points)
                for share in shares
            ),
            strict=True,
        ),
    )


async def shares_of(connection: Connection, postings: Collection[UUID]) -> dict[UUID, list[Share]]:
    """Return what each of `postings` has used of capped rules; most have used nothing."""
    found: dict[UUID, list[Share]] = {}
    buckets = [bucket_of(posting) for posting in postings]
    for row in await connection.fetch(_READ_SHARES, buckets, list(postings)):
        found.setdefault(row[0], []).append(Share(*row))
    return found


async def give_back(
    connection: Connection, left_over: Mapping[UUID, Mapping[Counter, int]]
) -> None:
    """Let no more count than what is `left_over` of each posting's usage; the holders are locked.

    A counter that is not named has nothing left. What counts never grows again. What a merged
    member has used counts for the survivor, and is given back there.
    """
    shares = await shares_of(connection, left_over.keys())
    changed: list[Share] = []
    back: list[Share] = []
    for posting, used in shares.items():
        for share in used:
            kept = min(share.kept, left_over[posting].get((share.rule_no, share.period), 0))
            if kept < share.kept:
                changed.append(share._replace(kept=kept))
                back.append(share._replace(points=share.kept - kept))
    if changed:
        merged = await holders.survivors_of(connection, {share.member for share in back})
        back = [share._replace(member=merged.get(share.member, share.member)) for share in back]
        await _change(connection, _TAKE, back)
        rows = ((bucket_of(one.posting), one.posting, *one[2:4], one.kept) for one in changed)
        await connection.execute(_KEEP, *zip(*rows, strict=True))


async def _change(connection: Connection, statement: str, shares: Collection[Share]) -> None:
    """Change each counter once, in key order, by the sum of its shares."""
    totals: dict[tuple[int, bytes, int, str], int] = {}
    members: dict[bytes, UUID] = {}
    for share in shares:
        key = (bucket_of(share.member), share.member.bytes, share.rule_no, share.period)
        members[share.member.bytes] = share.member
        totals[key] = totals.get(key, 0) + share.points
    rows = (
        (bucket, members[member], rule_no, period, points)
        for (bucket, member, rule_no, period), points in sorted(totals.items())
    )
    await connection.execute(statement, *zip(*rows, strict=True))
