"""Drains the queue of a database as the worker does, until it is told to stop.

python -m bench.drains URL
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from partners.settlement.jobs import run_drains
from server.apps import APPS

POLL_S = 0.5
"""Shorter than the worker's own, so that even a short reading has several rounds in it."""


@contextmanager
def draining(url: str) -> Iterator[None]:
    """Drain in a process of its own while the block runs."""
    command = [sys.executable, "-m", "bench.drains", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"draining\n", "it says so when it begins"
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


async def _drain(url: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    engine = await open_database(url, apps=APPS, pool_size=2)
    try:
        print("draining", flush=True)
        await run_drains(stop, SystemClock(), poll_s=POLL_S)
    finally:
        await engine.close()


if __name__ == "__main__":
    asyncio.run(_drain(sys.argv[1]))
