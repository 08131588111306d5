"""What the worker does for settlement all day long: drains what was posted, and judges credit."""

import asyncio
from datetime import datetime, timedelta

import structlog

from coalition.kernel.clock import Clock
from coalition.kernel.database import transaction
from coalition.kernel.jobs.stopping import is_set_within
from partners.settlement import draining, figures, periods
from partners.settlement.credit import Judge

POLL_S = 2.0
"""How long the worker waits when nothing is queued."""

POSTINGS_AT_ONCE = 20_000
"""About how many postings one drain takes; who wants the same shard waits no longer than that."""

LINGERS = timedelta(seconds=15)
"""How long postings may wait for others: each drain writes a dozen rows, however little it takes.
Live statements count what waits, so only credit is behind by as much."""

WORTH_A_DRAIN = 200
"""How many postings of a shard wait for no others."""

LONGEST_PAUSE_S = 300.0

JUDGED_AT_LEAST_EVERY = timedelta(seconds=30)
"""Credit is judged after each round that booked something, and this often anyway."""

_logger = structlog.get_logger(__name__)


class Drains:
    """Drains the shards in turn; one that fails is left alone for a while, the others go on."""

    def __init__(self, clock: Clock, *, lingers: timedelta = LINGERS) -> None:
        """Book and wait by `clock`; nothing is done before it is asked for."""
        self._clock = clock
        self._lingers = lingers
        self._failures: dict[int, int] = {}
        self._again_at: dict[int, datetime] = {}

    async def go_round(self, stop: asyncio.Event) -> int:
        """Drain each shard once where something has waited long or much; return the postings.

        Two at once do no harm: the second waits for the lock of the shard and finds less to do.
        """
        before = self._clock.now() - self._lingers
        async with transaction() as connection:
            waiting = await figures.ripe(connection, before=before, postings=WORTH_A_DRAIN)
        if waiting:
            await periods.ensure(self._clock.now())
        booked = 0
        for shard in waiting:
            now = self._clock.now()
            if not stop.is_set() and now >= self._again_at.get(shard, now):
                booked += await self._drain(shard, now)
        return booked

    async def _drain(self, shard: int, at: datetime) -> int:
        try:
            booked = await draining.drain(shard, at, limit=POSTINGS_AT_ONCE)
        except Exception as error:
            failures = self._failures[shard] = self._failures.get(shard, 0) + 1
            pause_s = pause_after(failures)
            self._again_at[shard] = at + timedelta(seconds=pause_s)
            _logger.warning("drain_failed", shard=shard, pause_s=pause_s, exc_info=error)
            return 0
        self._failures.pop(shard, None)
        return booked


async def run_drains(
    stop: asyncio.Event, clock: Clock, *, poll_s: float = POLL_S, lingers: timedelta = LINGERS
) -> None:
    """Drain and judge until `stop` is set, looking every `poll_s` while little is queued.

    Failures are logged, with pauses that double, and end nothing.
    """
    drains, judge = Drains(clock, lingers=lingers), Judge()
    judge_again_at = clock.now()
    failures = 0
    while not stop.is_set():
        try:
            booked = await drains.go_round(stop)
            if booked or clock.now() >= judge_again_at:
                await judge.judge(clock.now())
                judge_again_at = clock.now() + JUDGED_AT_LEAST_EVERY
        except Exception as error:
            failures += 1
            pause_s = pause_after(failures)
            _logger.warning("drains_failed", pause_s=pause_s, exc_info=error)
        else:
            failures = 0
            pause_s = 0.0 if booked >= POSTINGS_AT_ONCE else poll_s
        await is_set_within(stop, pause_s)


def pause_after(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return min(POLL_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
