"""A worker beside a service: a process of its own, which is kept and ends with the service."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from coalition.kernel.jobs.stopping import is_set_within
from coalition.kernel.settings import Settings

WHILE_STDIN_OPEN = "--while-stdin-open"
"""The option by which a worker ends together with the service that started it."""

PATIENCE_S = 25.0
"""How long a worker that is told to stop has for what it is doing."""

_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0)

_logger = structlog.get_logger(__name__)


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
