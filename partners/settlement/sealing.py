"""Seals periods at their cut-off: from then on what is drained goes to the next one.

Steps 6 and 7 of the close protocol (docs/adr/0031). First a statement row says `cut_off`. Then each
shard is sealed in one transaction: it is locked, drained without a limit, and told its first open
period. When all are past it, the statement is `provisional`. Killed anywhere, the same seal goes on
where it ended; two at once wait for each other shard by shard and come to the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import SHARDS, random_id
from coalition.kernel.outbox import Event
from partners.settlement import draining, feed, periods
from partners.settlement.calendars import Period
from partners.settlement.kinds import StatementState
from partners.settlement.refusals import EarlierPeriodOpen, PeriodNotOver

_UNSEALED = """
SELECT period.* FROM settlement_period AS period
LEFT JOIN statement ON statement.partner_no = period.partner_no AND statement.period_no = period.no
WHERE period.ends_at <= $1 AND (statement.id IS NULL OR statement.state = 'cut_off')
ORDER BY period.partner_no, period.no
"""
_EARLIER = """
SELECT period.name FROM settlement_period AS period
LEFT JOIN statement ON statement.partner_no = period.partner_no AND statement.period_no = period.no
WHERE period.partner_no = $1 AND period.no = $2 - 1
  AND (statement.id IS NULL OR statement.state = 'cut_off')
"""
_STATE = "SELECT state FROM statement WHERE partner_no = $1 AND period_no = $2"
# Whoever adjusts money holds a lock of the row while looking whether its period is still open.
_LOCK = """
SELECT FROM settlement_period
WHERE (partner_no, no) IN (SELECT * FROM unnest($1::int4[], $2::int4[]))
ORDER BY partner_no, no FOR NO KEY UPDATE
"""
_CUT_OFF = """
INSERT INTO statement (id, partner_no, period_no, state)
SELECT *, 'cut_off' FROM unnest($1::uuid[], $2::int4[], $3::int4[])
ON CONFLICT DO NOTHING
RETURNING partner_no, period_no
"""
_GO_ON = """
INSERT INTO first_open (shard, partner_no, period_no)
SELECT $1, * FROM unnest($2::int4[], $3::int4[])
ON CONFLICT (shard, partner_no) DO UPDATE
SET period_no = excluded.period_no WHERE first_open.period_no < excluded.period_no
"""
_PROVISIONAL = """
UPDATE statement SET state = 'provisional', sealed_at = $3
WHERE (partner_no, period_no) IN (SELECT * FROM unnest($1::int4[], $2::int4[]))
  AND state = 'cut_off'
RETURNING partner_no, period_no
"""


async def seal(partner_no: int, period_no: int, at: datetime) -> Period:
    """Seal one period; return it. One that is sealed already stays as it is.

    Raises `UnknownPeriod`, `PeriodNotOver` before its cut-off, or `EarlierPeriodOpen`.
    """
    await periods.ensure(at)
    async with transaction() as connection:
        period = await periods.find(connection, partner_no, period_no)
        state = await connection.fetchval(_STATE, partner_no, period_no)
        if state in (None, StatementState.CUT_OFF):
            await _check(connection, period, at)
    if state in (None, StatementState.CUT_OFF):
        await seal_all([period], at)
    return period


async def seal_named(name: str, at: datetime, *, partner_no: int | None = None) -> list[Period]:
    """Seal the period of this name, of one partner or of all who have one; return all of them.

    Those that are sealed already stay as they are. Raises `UnknownPeriod`, `PeriodNotOver` or
    `EarlierPeriodOpen` of the first that cannot be sealed; then none is.
    """
    await periods.ensure(at)
    async with transaction() as connection:
        if partner_no is None:
            named = await periods.all_named(connection, name)
        else:
            named = [await periods.named(connection, partner_no, name)]
        unsealed = []
        for period in named:
            state = await connection.fetchval(_STATE, period.partner_no, period.no)
            if state in (None, StatementState.CUT_OFF):
                await _check(connection, period, at)
                unsealed.append(period)
    if unsealed:
        await seal_all(unsealed, at)
    return named


async def seal_due(at: datetime, partner_nos: Iterable[int] | None = None) -> list[Period]:
    """Seal every period of `partner_nos` (None: all) whose cut-off has come; return them.

    All share one pass over the shards. What several periods of a partner wait for is drained into
    each by its time, as long as none of them is sealed.
    """
    await periods.ensure(at)
    wanted = None if partner_nos is None else set(partner_nos)
    async with transaction() as connection:
        unsealed: dict[int, list[Period]] = defaultdict(list)
        for row in await connection.fetch(_UNSEALED, at):
            unsealed[row["partner_no"]].append(msgspec.convert(dict(row), Period))
    due = [
        period
        for partner_no, held in unsealed.items()
        if wanted is None or partner_no in wanted
        for period in _in_order(held, at)
    ]
    if due:
        await seal_all(due, at)
    return due


def _in_order(unsealed: Iterable[Period], at: datetime) -> Iterable[Period]:
    """Yield the periods of one partner that are due before one that still has its grace."""
    for period in unsealed:
        if period.cut_off_at > at:
            return
        yield period


async def _check(connection: Connection, period: Period, at: datetime) -> None:
    if at < period.cut_off_at:
        raise PeriodNotOver(
            f"{period.name} is sealed at {period.cut_off_at.isoformat()} or later",
            period=period.name,
            cut_off_at=period.cut_off_at.isoformat(),
        )
    earlier = await connection.fetchval(_EARLIER, period.partner_no, period.no)
    if earlier is not None:
        raise EarlierPeriodOpen(f"Seal {earlier} first", period=earlier)


async def seal_all(due: Sequence[Period], at: datetime) -> None:
    """Seal `due` periods, all over: of each partner those that follow its last sealed one."""
    await draining.drain_all(at)  # in pieces, so that little is left for the shards' transactions
    keys = [period.partner_no for period in due], [period.no for period in due]
    by_key = {(period.partner_no, period.no): period for period in due}

    async def cut_off() -> None:
        async with transaction() as connection:
            await connection.execute(_LOCK, *keys)
            ids = [random_id() for _ in due]
            begun = await connection.fetch(_CUT_OFF, ids, *keys)
            await _tell(connection, StatementState.CUT_OFF, begun, by_key, at)

    await retrying(cut_off)
    first_open: dict[int, int] = {}
    for period in due:
        first_open[period.partner_no] = max(first_open.get(period.partner_no, 0), period.no + 1)
    for shard in range(SHARDS):
        await _seal_shard(shard, first_open, at)

    async def provisional() -> None:
        async with transaction() as connection:
            sealed = await connection.fetch(_PROVISIONAL, *keys, at)
            await _tell(connection, StatementState.PROVISIONAL, sealed, by_key, at)

    await retrying(provisional)


async def _seal_shard(shard: int, first_open: dict[int, int], at: datetime) -> None:
    """Drain a shard to the last row and let it go on with the first open period of each partner."""
    partner_nos = sorted(first_open)

    async def attempt() -> None:
        async with transaction(feed.PLANS) as connection:
            await draining.lock(connection, shard)
            await draining.drain_locked(connection, shard, at)
            nos = [first_open[partner_no] for partner_no in partner_nos]
            await connection.execute(_GO_ON, shard, partner_nos, nos)

    await retrying(attempt)


async def _tell(
    connection: Connection,
    state: StatementState,
    changed: Iterable[asyncpg.Record],
    by_key: dict[tuple[int, int], Period],
    at: datetime,
) -> None:
    """Write an event for each statement that has come to `state`."""
    told = [by_key[row["partner_no"], row["period_no"]] for row in changed]
    await outbox.append(connection, [state_event(period, state) for period in told], at)


def state_event(period: Period, state: StatementState) -> Event:
    """Return the event of a statement's new state, `statement.closed` for one; without money."""
    facts = {"partner_no": period.partner_no, "period_no": period.no, "period": period.name}
    return Event(f"statement.{state.value}", facts)
