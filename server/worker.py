"""The worker: relays events, does jobs, drains postings into money; a process of its own."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from billing.gateway import draining
from billing.subscriptions import arrivals
from billing.subscriptions.fees import paying as fees
from billing.subscriptions.seats import sharing
from billing.subscriptions.telling import of_fees
from coalition.families.pools.pooling import FamilyPools
from coalition.kernel.clock import SystemClock
from coalition.kernel.jobs import JobKind
from coalition.kernel.jobs.worker import run_worker
from coalition.kernel.outbox import AnySubscriber, job_kinds, run_relay
from coalition.kernel.settings import Settings
from coalition.members import privacy
from coalition.members.sealing import MemberKeys
from coalition.points.guards import watching as guards
from coalition.points.till import Tills
from partners.batches import jobs as batches
from partners.settlement import jobs as settlement
from server import collector, payments, people, upkeep

SUBSCRIBERS: tuple[AnySubscriber, ...] = (
    guards.SUBSCRIBER,
    sharing.SUBSCRIBER,
    fees.SUBSCRIBER,
    of_fees.SUBSCRIBER,
)
"""Who wants to know of which events."""

GIVES_WAY = 10
"""How much nicer than the service the worker is, on the scale of `nice`: where both want the same
core, a till is answered first."""

_logger = structlog.get_logger(__name__)


async def work(settings: Settings, stop: asyncio.Event, pulse: Path | None = None) -> None:
    """Relay events, do jobs, drain postings and Stripe's events until `stop` is set.

    Some times a second the file `pulse` is touched, so that its age tells whether this one hangs.
    """
    paying = payments.open_payments(settings, SystemClock())
    clock, house = paying.clock, paying.memberships.house
    handler = arrivals.handler(house)
    pools = FamilyPools(keys=MemberKeys.of(settings))
    tills = Tills(card_key=settings.blind_index_key, clock=clock, pools=pools)
    scheduled, schedules = upkeep.scheduled(settings, house, handler, clock)
    kinds: list[JobKind[Any]] = [  # Any: each kind has its own payload
        *scheduled,
        *batches.job_kinds(tills, clock),
        privacy.job_kind(people.keepers(settings)),
        *job_kinds(SUBSCRIBERS),
    ]
    collector.calm()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_relay(SUBSCRIBERS, stop=stop, looked=_touching(pulse)))
        group.create_task(run_worker(kinds, schedules, clock=clock, stop=stop))
        group.create_task(settlement.run_drains(stop, clock))
        group.create_task(draining.run(stop, clock, handler.handle))
        if paying.sandbox is not None:
            group.create_task(paying.sandbox.run(stop))
    await tills.finish()
    await paying.close()


def _touching(pulse: Path | None) -> Callable[[], None]:
    """Return what touches `pulse`; where it cannot, that is said once, and the work goes on."""
    is_said = False

    def touch() -> None:
        nonlocal is_said
        try:
            if pulse is not None:
                pulse.touch()
        except OSError as error:
            if not is_said:
                _logger.warning("pulse_not_written", error=error.strerror)
            is_said = True

    return touch


async def set_at_end_of_input(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: whoever held its other end is gone, however it went."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()
