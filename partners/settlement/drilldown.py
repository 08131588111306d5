"""From a line of a statement down to the postings behind it, page by page.

A line is a group of tariffs. The blocks that count for them come in the order (drain, number of the
block, tariff), and within a block the postings in theirs; a page begins where the last one ended,
so that the fiftieth costs what the first does.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from partners.settlement import packed
from partners.settlement.packed import Moved

# Of each tariff by its own index, so that nothing is sorted but what the page needs. One more than
# the page: the first may be of a tariff whose part of the block came on the page before.
_PARTS = """
SELECT part.drain, part.no, part.tariff, block.postings
FROM (
    SELECT tied.tariff, tied.drain, tied.no
    FROM unnest($1::uuid[]) AS wanted (tariff)
    CROSS JOIN LATERAL (
        SELECT tariff, drain, no FROM block_tariff
        WHERE block_tariff.tariff = wanted.tariff
            AND (block_tariff.drain, block_tariff.no) >= ($2::uuid, $3::int4)
        ORDER BY block_tariff.drain, block_tariff.no LIMIT $5 + 1
    ) AS tied
    WHERE (tied.drain, tied.no, tied.tariff) >= ($2, $3, $4::uuid)
    ORDER BY tied.drain, tied.no, tied.tariff LIMIT $5
) AS part
JOIN block ON block.drain = part.drain AND block.no = part.no
ORDER BY part.drain, part.no, part.tariff
"""

_SLICES = """
SELECT substring(block.moves FROM wanted.first * 20 + 1 FOR wanted.number * 20)
FROM unnest($1::uuid[], $2::int4[], $3::int4[], $4::int4[])
    WITH ORDINALITY AS wanted (drain, no, first, number, place)
JOIN block ON block.drain = wanted.drain AND block.no = wanted.no
ORDER BY wanted.place
"""

_OCCURRED = """
SELECT id, occurred_at,
       CASE WHEN $3::int4 IS NULL OR partner_no = $3 THEN receipt END,
       CASE WHEN $3::int4 IS NULL OR partner_no = $3 THEN store_no END
FROM unnest($1::int2[], $2::uuid[]) AS wanted (asked_bucket, asked)
JOIN settled_fact AS fact ON fact.bucket = wanted.asked_bucket AND fact.id = wanted.asked
"""


class Place(NamedTuple):
    """Where in the charges of a line a page begins."""

    drain: UUID
    block: int
    tariff: UUID
    position: int

    @classmethod
    def read(cls, text: str) -> "Place":
        """Return the place that `written` wrote; a `ChargeCursor` is well-formed."""
        drain, block, tariff, position = text.split(".")
        return cls(UUID(drain), int(block), UUID(tariff), int(position))

    def written(self) -> str:
        """Return the place as text."""
        return f"{self.drain.hex}.{self.block}.{self.tariff.hex}.{self.position}"


BEGINNING = Place(UUID(int=0), 0, UUID(int=0), 0)
"""Before every charge."""


class Charge(NamedTuple):
    """What one posting costs or earns by one tariff: points times unit price, exactly."""

    place: Place
    posting: UUID
    points: int
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        """Money in major units, exactly; positive is what the partner pays."""
        return self.points * self.unit_price


class Occurrence(NamedTuple):
    """When a posting took place; receipt and store only where the reader may know them."""

    occurred_at: datetime
    receipt: str | None
    store_no: int | None


class _Part(NamedTuple):
    """Some moves of a block, for one tariff."""

    drain: UUID
    block: int
    tariff: UUID
    first: int
    number: int


async def charges(
    connection: Connection, tariffs: dict[UUID, Decimal], *, first: Place, limit: int
) -> tuple[list[Charge], Place | None]:
    """Return at most `limit` charges of `tariffs` (with their unit prices) from `first` on.

    The second value is where the next page begins; None after the last one.
    """
    rows = await connection.fetch(
        _PARTS, list(tariffs), first.drain, first.block, first.tariff, limit + 1
    )
    tied = (_Part(drain, block, tariff, 0, number) for drain, block, tariff, number in rows)
    parts = list(_until(limit + 1, _from(first, tied)))
    found = [
        Charge(Place(*part[:3], moved.position), moved.posting, moved.points, tariffs[part.tariff])
        for part, moved in await _moves(connection, parts)
    ]
    return found[:limit], found[limit].place if len(found) > limit else None


async def occurrences(
    connection: Connection, postings: Iterable[UUID], *, partner_no: int | None
) -> dict[UUID, Occurrence]:
    """Return when `postings` took place, with receipt and store of those of `partner_no` only.

    None is finance, who may know all of them. The connection sees the postings of every partner.
    """
    wanted = list(dict.fromkeys(postings))
    buckets = [bucket_of(posting) for posting in wanted]
    rows = await connection.fetch(_OCCURRED, buckets, wanted, partner_no)
    return {row[0]: Occurrence(*row[1:]) for row in rows}


def _from(first: Place, parts: Iterable[_Part]) -> Iterator[_Part]:
    """Leave out what comes before `first` in the part that it names."""
    for part in parts:
        skipped = first.position if part[:3] == first[:3] else 0
        if skipped < part.number:
            yield part._replace(first=skipped, number=part.number - skipped)


def _until(limit: int, parts: Iterable[_Part]) -> Iterator[_Part]:
    """Cut off what comes after `limit` moves."""
    for part in parts:
        if limit <= 0:
            return
        yield part._replace(number=min(part.number, limit))
        limit -= part.number


async def _moves(connection: Connection, parts: Sequence[_Part]) -> Iterator[tuple[_Part, Moved]]:
    columns = [[part[column] for part in parts] for column in (0, 1, 3, 4)]
    rows = await connection.fetch(_SLICES, *columns)
    return (
        (part, moved)
        for row, part in zip(rows, parts, strict=True)
        for moved in packed.unpack(row[0], first=part.first)
    )
