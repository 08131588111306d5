"""The worker: relays events, does jobs, drains postings into money; a process of its own."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from billing.gateway import draining
from billing.subscriptions import arrivals
from billing.subscriptions.fees import paying as fees
from billing.subscriptions.seats import sharing
from billing.subscriptions.telling import of_fees
from coalition.families.pools.pooling import FamilyPools
from coalition.kernel.clock import SystemClock
from coalition.kernel.jobs import JobKind, run_worker
from coalition.kernel.jobs.worker import is_set_within
from coalition.kernel.outbox import AnySubscriber, job_kinds, run_relay
from coalition.kernel.settings import Settings
from coalition.members import privacy
from coalition.members.sealing import MemberKeys
from coalition.points.guards import watching as guards
from coalition.points.till import Tills
from partners.batches import jobs as batches
from partners.settlement import jobs as settlement
from server import collector, payments, people, upkeep

WHILE_STDIN_OPEN = "--while-stdin-open"
"""The option by which a worker ends together with the service that started it."""

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

PATIENCE_S = 25.0
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0)

_logger = structlog.get_logger(__name__)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Relay events, do jobs, drain postings and Stripe's events until `stop` is set."""
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
        group.create_task(run_relay(SUBSCRIBERS, stop=stop))
        group.create_task(run_worker(kinds, schedules, clock=clock, stop=stop))
        group.create_task(settlement.run_drains(stop, clock))
        group.create_task(draining.run(stop, clock, handler.handle))
        if paying.sandbox is not None:
            group.create_task(paying.sandbox.run(stop))
    await tills.finish()
    await paying.close()


async def set_at_end_of_input(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: whoever held its other end is gone, however it went."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()


@asynccontextmanager
async def beside(settings: Settings) -> AsyncIterator[None]:
    """Run a worker process while the block runs; one that ends by itself is started again.

    It ends with this process even when that is killed: its standard input is our pipe.
    """
    stopping = asyncio.Event()
    keeping = asyncio.create_task(_keep(settings, stopping))
    try:
        yield
    finally:
        stopping.set()
        await keeping


async def _keep(settings: Settings, stopping: asyncio.Event) -> None:
    failures = 0
    while not stopping.is_set():
        process = await asyncio.create_subprocess_exec(
            *_command(settings),
            stdin=asyncio.subprocess.PIPE,
            env=_environment(settings),
            # Ctrl-C on a terminal reaches a whole group; the worker ends when the service says so.
            start_new_session=True,
        )
        ended = asyncio.create_task(process.wait())
        asked = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                await _end(process)
                return
        finally:
            asked.cancel()
            if process.returncode is None and not stopping.is_set():
                process.kill()
        _logger.error("worker_ended", status=process.returncode)
        await is_set_within(stopping, _PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
        failures += 1


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the worker's input and wait for it; a worker that does not end in time is killed."""
    assert process.stdin is not None, "the worker was started with a pipe"
    process.stdin.close()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    except TimeoutError:
        _logger.warning("worker_killed", after_s=PATIENCE_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _command(settings: Settings) -> list[str]:
    # -P: a folder called `server` in the present directory is not ours.
    command = [sys.executable, "-P", "-m", "server.cli", "worker", WHILE_STDIN_OPEN]
    if settings.data_directory is not None:
        command += ["--data", str(settings.data_directory)]
    return command


def _environment(settings: Settings) -> dict[str, str]:
    """Return our variables; a server's address goes this way, where other users cannot read it."""
    if settings.data_directory is not None:
        return os.environ | {"COALITION_STRIPE_SANDBOX": "1" if settings.stripe_sandbox else "0"}
    return os.environ | {"COALITION_DATABASE_URL": settings.database_url}
