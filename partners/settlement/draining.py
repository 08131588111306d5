"""The drain: takes what postings queued and turns it into money, once.

One transaction of one shard, whose first statement locks the shard's row. What is taken from the
queue is gone when it commits, so nothing is drained twice; what is not taken stays, so nothing is
lost. See docs/adr/0030 and the close protocol in docs/guides/finance.md.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, localcontext
from uuid import UUID
from weakref import WeakKeyDictionary

from coalition.federation import catalogue
from coalition.kernel.database import Connection, Engine, bound_engine, retrying, transaction
from coalition.kernel.ids import SHARDS, uuid7, uuid_from_bytes
from coalition.ledger import money
from coalition.ledger.money import EXACT, MoneyAccount, MoneyEntry, MoneyKind
from partners.settlement import digests, feed, periods
from partners.settlement.feed import Queued
from partners.settlement.kinds import OPERATOR
from partners.settlement.pricing import Charge, Move, PriceBook, Priced, exact, price

POSTINGS_AT_ONCE = 50_000
"""About how many postings an ordinary drain takes; a seal takes all there are."""

_LOCK = "SELECT FROM settlement_shard WHERE no = $1 FOR UPDATE"

_TAKE = """
DELETE FROM settlement_queue WHERE shard = $1
RETURNING shard, batch, first_posting, last_posting, postings
"""

_TAKE_SOME = """
WITH counted AS (
    SELECT batch, sum(postings) OVER (ORDER BY batch) - postings AS before
    FROM (SELECT batch, postings FROM settlement_queue WHERE shard = $1 ORDER BY batch LIMIT 10000)
         AS oldest
)
DELETE FROM settlement_queue USING counted
WHERE settlement_queue.shard = $1 AND settlement_queue.batch = counted.batch AND before < $2
RETURNING shard, settlement_queue.batch, first_posting, last_posting, postings
"""

_WAITING = "SELECT DISTINCT shard FROM settlement_queue ORDER BY shard"

_FIRST_OPEN = "SELECT partner_no, period_no FROM first_open WHERE shard = $1"

# All of a drain in one statement; what it does not write belongs to the money book.
_WRITE = """
WITH made AS (
    INSERT INTO drain (id, shard, made_at, postings) VALUES ($1, $2, $3, $4)
), batches AS (
    INSERT INTO drained (shard, batch, drain) SELECT $2, batch, $1 FROM unnest($5::uuid[]) AS batch
), tariffs AS (
    INSERT INTO tariff (id, partner_no, period_no, origin_no, kind, contract_no, currency,
                        vat_code, vat_rate, unit_price, counts_points)
    SELECT * FROM unnest($6::uuid[], $7::int4[], $8::int4[], $9::int4[], $10::int2[], $11::int4[],
                         $12::text[], $13::text[], $14::numeric[], $15::numeric[], $16::bool[])
    ON CONFLICT DO NOTHING
), blocks AS (
    INSERT INTO block (drain, no, postings, points, moves)
    SELECT $1, * FROM unnest($17::int4[], $18::int4[], $19::int8[], $20::bytea[])
), ties AS (
    INSERT INTO block_tariff (tariff, drain, no)
    SELECT tariff, $1, no FROM unnest($21::uuid[], $22::int4[]) AS tied (tariff, no)
), digests AS (
    INSERT INTO drain_digest (partner_no, period_no, drain, digest)
    SELECT partner_no, period_no, $1, digest
    FROM unnest($23::int4[], $24::int4[], $25::bytea[]) AS told (partner_no, period_no, digest)
)
INSERT INTO tariff_total AS kept (tariff, shard, points, charges)
SELECT tariff, $2, points, charges
FROM unnest($26::uuid[], $27::int8[], $28::int8[]) AS summed (tariff, points, charges)
ON CONFLICT (tariff, shard) DO UPDATE
SET points = kept.points + excluded.points, charges = kept.charges + excluded.charges
"""

_books: WeakKeyDictionary[Engine, PriceBook] = WeakKeyDictionary()
"""Prices as they were last read, by database."""


async def drain(shard: int, at: datetime, *, limit: int | None = POSTINGS_AT_ONCE) -> int:
    """Drain one shard in a transaction of its own; return how many postings it took.

    The periods of `at` must be there: see `periods.ensure`.
    """

    async def attempt() -> int:
        async with transaction(feed.PLANS) as connection:
            await lock(connection, shard)
            return await drain_locked(connection, shard, at, limit=limit)

    return await retrying(attempt)


async def drain_all(at: datetime) -> int:
    """Drain every shard until nothing is queued that was there before; return the postings."""
    await periods.ensure(at)
    async with transaction() as connection:
        shards = [row[0] for row in await connection.fetch(_WAITING)]
    taken = 0
    for shard in shards:
        while some := await drain(shard, at):
            taken += some
            if some < POSTINGS_AT_ONCE:
                break
    return taken


async def lock(connection: Connection, shard: int) -> None:
    """Lock a shard until the transaction ends; this is its first statement, alone.

    What it reads afterwards then has a snapshot that sees all that the last holder wrote.
    """
    assert 0 <= shard < SHARDS, "there are sixteen shards"
    await connection.execute(_LOCK, shard)


async def drain_locked(
    connection: Connection, shard: int, at: datetime, *, limit: int | None = None
) -> int:
    """Drain a shard that the caller's transaction has locked; return how many postings it took."""
    taking = (_TAKE, shard) if limit is None else (_TAKE_SOME, shard, limit)
    waiting = [Queued._make(row) for row in await connection.fetch(*taking)]
    if not waiting:
        return 0
    book = await read_book(connection)
    first_open = dict(await connection.fetch(_FIRST_OPEN, shard))
    moves = await feed.moves_of(connection, waiting, book)
    await _write(connection, shard, waiting, _Priced(moves, book, first_open), at)
    return sum(one.postings for one in waiting)


async def read_book(connection: Connection) -> PriceBook:
    """Return what prices depend on as of now, of all times: a return may come after years.

    It is kept in memory until a contract, a rate or a period is added.
    """
    engine = bound_engine()
    kept = _books.get(engine)
    if kept is None or kept.catalogue.version != await catalogue.version(connection):
        known = await catalogue.load(connection)
        kept = _books[engine] = PriceBook(known, await periods.load(connection))
    return kept


class _Priced:
    """The moves of one drain with their tariffs: columns for the tables and sides of the book."""

    def __init__(self, moves: list[Move], book: PriceBook, first_open: dict[int, int]) -> None:
        self.tariffs: dict[Charge, UUID] = {}
        self.ties: list[tuple[UUID, int]] = []
        self.blocks: list[tuple[int, int, int, bytes]] = []
        self.entries: list[MoneyEntry] = []
        self.totals: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
        self._parts: dict[tuple[int, int], list[bytes]] = defaultdict(list)
        with localcontext(EXACT):
            for no, move in enumerate(moves):
                self._price(no, move, price(move, book), first_open)
            assert len(set(self.tariffs.values())) == len(self.tariffs), "a tariff is one charge's"
            for charge, tariff in self.tariffs.items():
                self.entries += vat_entries(charge, self.totals[tariff][0])

    def _price(self, no: int, move: Move, priced: Priced, first_open: dict[int, int]) -> None:
        for side in priced.sides:
            amount = side.unit * move.points
            self.entries.append(MoneyEntry(side.account, side.partner_no, side.currency, amount))
        for charge in priced.charges:
            self._add(no, move, booked(charge, first_open))
        if priced.charges:
            self.blocks.append((no, move.postings, move.points, move.moves))

    def _add(self, no: int, move: Move, charge: Charge) -> None:
        tariff = self.tariffs.setdefault(charge, tariff_id(charge))
        self.ties.append((tariff, no))
        total = self.totals[tariff]
        total[0] += move.points
        total[1] += move.postings
        self._parts[charge.partner_no, charge.period_no].append(
            digests.part(
                charge, origin_no=charge.origin_no, postings=move.postings, moves=move.moves
            )
        )

    def digests(self) -> list[tuple[int, int, bytes]]:
        """Return partner, period and digest of everything drained for them."""
        return [(*key, digests.digest(parts)) for key, parts in sorted(self._parts.items())]


def booked(charge: Charge, first_open: dict[int, int]) -> Charge:
    """Return `charge` in the period in which it is booked: its own, or the first not sealed.

    A till's clock may be ahead, so that a return is dated before what it returns: it is booked in
    the period of that, for nothing is settled before it happened.
    """
    first = first_open.get(charge.partner_no, 1)
    return charge._replace(period_no=max(charge.period_no, charge.origin_no, first))


def vat_entries(charge: Charge, points: int) -> list[MoneyEntry]:
    """Return the two sides of the VAT on `points` of a charge.

    It is exact to twelve places per point, as prices are, so that it does not depend on how
    postings came together in drains.
    """
    vat = exact(charge.unit_price * charge.vat_rate) * points
    if not vat:
        return []
    assert charge.partner_no != OPERATOR, "the operator pays itself no VAT"
    return [
        MoneyEntry(MoneyAccount.PARTNER, charge.partner_no, charge.currency, vat),
        MoneyEntry(MoneyAccount.VAT, OPERATOR, charge.currency, -vat),
    ]


def tariff_id(charge: Charge) -> UUID:
    """Return the id of the tariff of a booked charge, derived from all that makes it one.

    VAT is not in it, nor in the key that the table guards, for it follows: every charge has the VAT
    that its contract version, which never changes, names for its kind (`pricing._charge`), and the
    operator, who has no contract, pays itself none. Two charges that differ in VAT differ in
    version or kind.
    """
    key = "|".join(
        (
            *(str(int(number)) for number in charge[:5]),
            charge.currency,
            f"{charge.unit_price:.12f}",
            str(charge.counts_points),
        )
    )
    return uuid_from_bytes(hashlib.sha256(key.encode()).digest()[:16])


async def _write(
    connection: Connection, shard: int, waiting: list[Queued], priced: _Priced, at: datetime
) -> None:
    identifier = uuid7(at)
    tariffs = sorted((tariff, charge) for charge, tariff in priced.tariffs.items())
    await connection.execute(
        _WRITE,
        identifier,
        shard,
        at,
        sum(one.postings for one in waiting),
        [one.batch for one in waiting],
        *_columns(((tariff, *_row(charge)) for tariff, charge in tariffs), 11),
        *_columns(priced.blocks, 4),
        *_columns(priced.ties, 2),
        *_columns(priced.digests(), 3),
        *_columns(((tariff, *total) for tariff, total in sorted(priced.totals.items())), 3),
    )
    await money.post(
        connection,
        kind=MoneyKind.DRAIN,
        subject=f"shard:{shard}",
        entries=priced.entries,
        at=at,
        posting=identifier,
    )


def _row(charge: Charge) -> tuple[int | str | bool | Decimal, ...]:
    numbers = charge.partner_no, charge.period_no, charge.origin_no, int(charge.kind)
    texts = charge.contract_no, charge.currency, charge.vat_code, charge.vat_rate
    return (*numbers, *texts, charge.unit_price, charge.counts_points)


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[tuple[object, ...]]:
    """Turn rows into columns; of no rows there are `width` empty ones."""
    return list(zip(*rows, strict=True)) or [()] * width
