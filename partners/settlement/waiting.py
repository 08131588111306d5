"""What waits for a drain, priced as the drain will price it: each batch once per process.

A live statement counts what no drain has booked. What was posted never changes, so a batch that
was priced once is known for as long as it waits, whoever asks again; what a snapshot sees waiting
is counted and nothing else, so a live statement is never behind. One statement is made at a time
per process: however many ask, they take one connection and price nothing twice. Prices are kept by
shard in portions, and a portion of which something was drained is priced anew.

Where drains stand still for long, more waits than is worth reading for a look: beyond `MOST`
nothing of it is priced, and the statement says since when it waits.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from coalition.kernel.database import Connection, Engine, bound_engine
from coalition.kernel.ids import time_of
from coalition.ledger import totals
from partners.settlement import draining, feed, sums
from partners.settlement.feed import Batches
from partners.settlement.pricing import Charge, PriceBook, price
from partners.settlement.rules import Group

_ID_BYTES = 16
_PORTIONS_MOST = 8
"""In how many portions the prices of a shard are kept before they are put together."""

_FIRST_OPEN = "SELECT shard, period_no FROM first_open WHERE partner_no = $1"


class Bound(NamedTuple):
    """How much that waits is priced for a look at a statement."""

    batches: int
    postings: int


MOST = Bound(50_000, 500_000)
"""Beyond this drains have stood still for long."""

Priced = Mapping[int, Mapping[Charge, tuple[int, int]]]
"""Points and postings by partner and charge."""


class Waiting(NamedTuple):
    """What waits, of all partners, and what it comes to for one of them by period number."""

    postings: int
    """All that wait; where nothing is priced, those that were counted until that was clear."""
    groups: Mapping[int, list[Group]]
    unpriced_since: datetime | None
    """Since when postings wait that are not in `groups`; None where all are."""


NOTHING = Waiting(0, {}, None)


class _Portion(NamedTuple):
    batches: frozenset[bytes]
    charges: Priced


class _Shard:
    """What is known of one shard: the last batches as they were read, and their prices."""

    def __init__(self) -> None:
        self.read = b""
        self.portions: list[_Portion] = []

    def missing(self, read: bytes) -> frozenset[bytes]:
        """Forget what has gone since; return the batches whose prices are not known."""
        if read == self.read:
            return frozenset()
        waiting = frozenset(_split(read))
        self.read = b""  # until all of it is priced
        self.portions = [one for one in self.portions if one.batches <= waiting]
        return waiting.difference(*(one.batches for one in self.portions))

    def take(self, read: bytes, portion: _Portion) -> None:
        """Keep prices, so that all that was `read` is known."""
        if portion.batches:
            self.portions.append(portion)
        if len(self.portions) > _PORTIONS_MOST:
            self.portions = [_together(self.portions)]
        self.read = read


class _Known:
    """What one process knows of a database's queue."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.book: PriceBook | None = None
        self.shards: dict[int, _Shard] = defaultdict(_Shard)


_known: WeakKeyDictionary[Engine, _Known] = WeakKeyDictionary()


def turn() -> asyncio.Lock:
    """Return the lock under which `of_partner` is called, taken before the transaction begins."""
    return _of_engine().turn


async def of_partner(
    connection: Connection, partner_no: int, book: PriceBook, most: Bound = MOST
) -> Waiting:
    """Return what waits in the snapshot of `connection`; the caller holds `turn`."""
    waiting = await feed.batches_waiting(connection, most.batches + 1)
    if not waiting:
        return NOTHING
    postings = sum(one.postings for one in waiting)
    batches = sum(len(one.batches) for one in waiting) // _ID_BYTES
    if batches > most.batches or postings > most.postings:
        oldest = await totals.oldest_unsettled(connection)
        assert oldest is not None, "in this snapshot something waits"
        return Waiting(postings, {}, time_of(oldest))
    known = _of_engine()
    if known.book is not book:
        known.book = book
        known.shards.clear()
    await _learn(connection, known, waiting, book)
    opened = dict(await connection.fetch(_FIRST_OPEN, partner_no))
    groups: dict[int, list[Group]] = defaultdict(list)
    for one in waiting:
        first_open = {partner_no: opened.get(one.shard, 1)}
        for portion in known.shards[one.shard].portions:
            for charge, (points, charges) in portion.charges.get(partner_no, {}).items():
                held = draining.booked(charge, first_open)
                group = sums.priced(held, points=points, charges=charges)
                groups[held.period_no].append(group)
    return Waiting(postings, groups, None)


def _of_engine() -> _Known:
    return _known.setdefault(bound_engine(), _Known())


async def _learn(
    connection: Connection, known: _Known, waiting: Sequence[Batches], book: PriceBook
) -> None:
    """Price all of `waiting` that is not known; keep nothing of shards in which nothing waits."""
    for gone in known.shards.keys() - {one.shard for one in waiting}:
        del known.shards[gone]
    missing = {one.shard: known.shards[one.shard].missing(one.batches) for one in waiting}
    wanted = [(shard, UUID(bytes=batch)) for shard, held in missing.items() for batch in held]
    charges: dict[int, dict[int, dict[Charge, tuple[int, int]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    if wanted:
        rows = await feed.queued_of(connection, wanted)
        for shard, move in await feed.moves_by_shard(connection, rows, book):
            for charge in price(move, book).charges:
                _add(charges[shard][charge.partner_no], charge, move.points, move.postings)
    for one in waiting:
        known.shards[one.shard].take(one.batches, _Portion(missing[one.shard], charges[one.shard]))


def _add(kept: dict[Charge, tuple[int, int]], charge: Charge, points: int, postings: int) -> None:
    before = kept.get(charge, (0, 0))
    kept[charge] = before[0] + points, before[1] + postings


def _together(portions: Iterable[_Portion]) -> _Portion:
    batches: set[bytes] = set()
    charges: dict[int, dict[Charge, tuple[int, int]]] = defaultdict(dict)
    for one in portions:
        batches |= one.batches
        for partner_no, held in one.charges.items():
            for charge, (points, postings) in held.items():
                _add(charges[partner_no], charge, points, postings)
    return _Portion(frozenset(batches), charges)


def _split(read: bytes) -> Iterable[bytes]:
    return (read[start : start + _ID_BYTES] for start in range(0, len(read), _ID_BYTES))
