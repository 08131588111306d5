"""Fills a ledger with a history by COPY: the same rows that postings would have made, only faster.

The invariants hold over what is written here, so that the audit can be run after a benchmark.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import Engine, open_database
from coalition.kernel.ids import bucket_of, random_id, shard_of, uuid7
from coalition.ledger.accounts import INTO_LOT, Account, HolderState, Kind
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.placing import place_together
from coalition.ledger.provenance import Provenance, lot_id
from server.apps import APPS

ROWS_AT_ONCE = 100_000
BATCH_POSTINGS = 50_000
"""How many postings one batch of the history has; a batch is what is queued for settlement."""

POINTS_EACH = 100
PARTNERS = 5
Row = tuple[object, ...]

_LOT = [
    "bucket",
    "id",
    "holder",
    "contributor",
    "currency_no",
    "issuer_no",
    "contract_no",
    "funder_no",
    "earned_month",
    "expires_on",
    "clock_no",
    "class_no",
    "issue_price",
    "prefunded_share",
    "points_in",
    "points_out",
    "held",
]
_POSTING = [
    "bucket",
    "id",
    "batch",
    "kind",
    "holder",
    "partner_no",
    "occurred_at",
    "committed_at",
    "currency_no",
    "points",
    "direction",
    "lot",
    "account",
    "account_partner_no",
]


def _provenances(today: date, lots_each: int) -> list[Provenance]:
    """Return the provenances that every member has a lot of: partners and months, latest first."""
    newest = today.year * 12 + today.month - 1
    found = [
        Provenance(
            currency_no=1,
            issuer_no=partner_no,
            contract_no=partner_no,
            funder_no=partner_no,
            earned_month=(newest - age) // 12 * 100 + (newest - age) % 12 + 1,
            expires_on=today + timedelta(days=700 - 30 * age),
            issue_price=Decimal("0.010000000"),
            prefunded_share=Decimal("1.000000"),
        )
        for age in range(-(-lots_each // PARTNERS))
        for partner_no in range(1, PARTNERS + 1)
    ]
    return found[:lots_each]


def _lots(
    members: list[UUID], provenances: list[Provenance], counts: dict[UUID, int]
) -> Iterator[Row]:
    for member in members:
        for source in provenances:
            lot = lot_id(member, source)
            yield (
                bucket_of(member), lot, member, member, 1, source.issuer_no, source.contract_no,
                source.funder_no, source.earned_month, source.expires_on, 0, 0, source.issue_price,
                source.prefunded_share, POINTS_EACH * counts[lot], 0, 0,
            )  # fmt: skip


class Part(NamedTuple):
    """Postings of a history that lie together, so long before the present."""

    ago: timedelta
    postings: int


class _Feed:
    """The batches of a history, each of a millisecond of its own, and what is queued of them."""

    def __init__(self, at: datetime, parts: Sequence[Part]) -> None:
        """Spread the postings of each part over the milliseconds before its time."""
        self.batches: list[tuple[UUID, datetime]] = []
        for ago, postings in parts:
            count = -(-postings // BATCH_POSTINGS)
            times = [at - ago - timedelta(milliseconds=count - no) for no in range(count)]
            self.batches += [(uuid7(when), when) for when in times]
        self.queued: dict[tuple[int, UUID], list[Any]] = {}  # Any: ids and a count
        self.totals: dict[tuple[UUID, int], int] = {}

    def take(self, no: int, bucket: int, issuer_no: int) -> tuple[UUID, UUID, datetime]:
        """Return id, batch and time of the posting `no`, counted from 0, and queue it."""
        batch, when = self.batches[no // BATCH_POSTINGS]
        posting = uuid7(when, bucket)
        queued = self.queued.setdefault((shard_of(bucket), batch), [posting, posting, 0])
        queued[0] = min(queued[0], posting)
        queued[1] = max(queued[1], posting)
        queued[2] += 1
        self.totals[batch, issuer_no] = self.totals.get((batch, issuer_no), 0) + 1
        return posting, batch, when


def _postings(chosen: Iterator[tuple[UUID, Provenance]], feed: _Feed) -> Iterator[Row]:
    for no, (member, source) in enumerate(chosen):
        bucket = bucket_of(member)
        posting, batch, at = feed.take(no, bucket, source.issuer_no)
        yield (
            bucket, posting, batch, int(Kind.ISSUE), member, source.issuer_no, at, at, 1,
            POINTS_EACH, INTO_LOT, lot_id(member, source), int(Account.ISSUED), source.issuer_no,
        )  # fmt: skip


def _chosen(
    members: list[UUID], provenances: list[Provenance], postings: int
) -> Iterator[tuple[UUID, Provenance]]:
    """Choose a member and a provenance for each posting: every lot once, then at random."""
    pairs = ((member, source) for source in provenances for member in members)
    yield from islice(pairs, postings)
    draw = random.Random(7)
    for _ in range(postings - len(members) * len(provenances)):
        yield (
            members[int(draw.random() * len(members))],
            provenances[int(draw.random() * len(provenances))],
        )


async def fill(
    url: str, *, members: int, lots_each: int, postings: int, earlier: Sequence[Part] = ()
) -> list[UUID]:
    """Write `members` with `lots_each` lots, `postings` issues in all; return the members' ids.

    Some of the issues lie `earlier`, the earliest first; the others are of just now.
    """
    at = SystemClock().now()
    parts = [*earlier, Part(timedelta(0), postings - sum(part.postings for part in earlier))]
    assert all(not part.postings % BATCH_POSTINGS for part in earlier), "of whole batches"
    ids = [random_id() for _ in range(members)]
    provenances = _provenances(at.date(), lots_each)
    assert postings >= members * lots_each, "every lot comes from a posting"
    engine = await open_database(url, apps=APPS)
    try:
        for part in parts:
            await ensure_partition(at - part.ago)
        await _copy_members(engine, ids, at)
        counts: dict[UUID, int] = {}
        for member, source in _chosen(ids, provenances, postings):
            lot = lot_id(member, source)
            counts[lot] = counts.get(lot, 0) + 1
        await _copy(engine, "lot", _LOT, _lots(ids, provenances, counts))
        del counts
        assert await place_together() == 0, "lots lie as a night's run leaves them"
        feed = _Feed(at, parts)
        rows = _postings(_chosen(ids, provenances, postings), feed)
        await _copy(engine, "posting", _POSTING, rows)
        await _copy_feed(engine, feed)
        assert engine.pool is not None
        # No checkpoint: what is measured is the middle of an interval, where pages have been
        # written whole already, as pgbench's own have.
        await engine.pool.execute("VACUUM ANALYZE")
    finally:
        await engine.close()
    return ids


async def _copy_members(engine: Engine, ids: list[UUID], at: datetime) -> None:
    buckets = [(bucket_of(member), member) for member in ids]
    holders = ((bucket, member, int(HolderState.ACTIVE), at) for bucket, member in buckets)
    await _copy(engine, "holder", ["bucket", "id", "state", "opened_at"], holders)
    rows = ((bucket, member, "active", at, 1, at) for bucket, member in buckets)
    columns = ["bucket", "id", "state", "state_since", "enrolled_by", "enrolled_at"]
    await _copy(engine, "member", columns, rows)
    related = ((b, m, no, at) for b, m in buckets for no in range(1, PARTNERS + 1))
    await _copy(engine, "partner_member", ["bucket", "member_id", "partner_no", "since"], related)


async def _copy_feed(engine: Engine, feed: _Feed) -> None:
    deltas = (
        (batch, no, int(Kind.ISSUE), INTO_LOT, 1, POINTS_EACH * count, count)
        for (batch, no), count in feed.totals.items()
    )
    columns = ["batch", "partner_no", "kind", "direction", "currency_no", "points", "postings"]
    await _copy(engine, "partner_delta", columns, deltas)
    queued = ((*key, *ends) for key, ends in sorted(feed.queued.items()))
    columns = ["shard", "batch", "first_posting", "last_posting", "postings"]
    await _copy(engine, "settlement_queue", columns, queued)


async def _copy(engine: Engine, table: str, columns: list[str], rows: Iterator[Row]) -> None:
    assert engine.pool is not None
    async with engine.pool.acquire() as connection:
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            await connection.copy_records_to_table(table, records=chunk, columns=columns)
