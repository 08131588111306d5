"""What the measures are compared with: pgbench, COPY, and a trivial handler."""

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg

from bench.world import World, free_port
from coalition.kernel.clock import SystemClock
from coalition.kernel.embedded_postgres.binaries import find_binaries
from coalition.kernel.ids import bucket_of, random_id, uuid7

PGBENCH_SCALE = 20
PGBENCH_DATABASE = "pgbench_reference"
COPY_ROWS = 50_000

_TPS = re.compile(r"tps = ([\d.]+)")
_LATENCY = re.compile(r"latency average = ([\d.]+) ms")


def _pgbench_program() -> Path:
    bundled = find_binaries().folder / "pgbench"
    return bundled if bundled.exists() else Path("pgbench")


def _reference_url(world: World) -> str:
    return urlunsplit(urlsplit(world.postgres.url)._replace(path=f"/{PGBENCH_DATABASE}"))


def _pgbench(world: World, *arguments: str) -> str:
    command = [str(_pgbench_program()), *arguments, _reference_url(world)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def prepare_pgbench(world: World) -> None:
    """Make pgbench's own database on the world's server."""

    async def create() -> None:
        connection = await asyncpg.connect(world.postgres.url)
        await connection.execute(f"CREATE DATABASE {PGBENCH_DATABASE}")
        await connection.close()

    asyncio.run(create())
    _pgbench(world, "-i", "-q", "-s", str(PGBENCH_SCALE))


def pgbench(world: World, *, builtin: str, clients: int, seconds: int) -> tuple[float, float]:
    """Return transactions per second and mean latency in ms of one of pgbench's own scripts."""
    output = _pgbench(
        world,
        *("-b", builtin, "-c", str(clients), "-j", "2", "-T", str(seconds), "-n"),
    )
    tps, latency = _TPS.search(output), _LATENCY.search(output)
    assert tps, output
    assert latency, output
    return float(tps[1]), float(latency[1])


async def _copy_rows(url: str) -> float:
    """Return rows per second by COPY; one of journal, lot and claim together count as one."""
    at = SystemClock().now()
    connection = await asyncpg.connect(url)
    for table in ("posting", "lot", "receipt_claim"):
        await connection.execute(
            f"DROP TABLE IF EXISTS copy_{table};"
            f"CREATE TABLE copy_{table} (LIKE {table} INCLUDING ALL)"
        )
    members = [random_id() for _ in range(COPY_ROWS)]
    price, share, batch = Decimal("0.01"), Decimal(1), uuid7(at)
    days = at.date()
    postings = [
        (bucket_of(m), uuid7(at, bucket_of(m)), batch, 1, m, 1, f"r{n}", at, at, 1, 100, 1, m, 1, 1)
        for n, m in enumerate(members)
    ]
    lots = [
        (bucket_of(m), m, m, m, 1, 1, 1, 1, 202611, days, 0, 0, price, share, 100, 0, 0)
        for m in members
    ]
    claims = [(bucket_of(m), UUID(int=random.getrandbits(128)), batch) for m in members]
    columns = [
        "bucket",
        "id",
        "batch",
        "kind",
        "holder",
        "partner_no",
        "receipt",
        "occurred_at",
        "committed_at",
        "currency_no",
        "points",
        "direction",
        "lot",
        "account",
        "account_partner_no",
    ]
    started = time.perf_counter()
    async with connection.transaction():
        await connection.copy_records_to_table("copy_posting", records=postings, columns=columns)
        await connection.copy_records_to_table("copy_lot", records=lots)
        await connection.copy_records_to_table("copy_receipt_claim", records=claims)
    took_s = time.perf_counter() - started
    await connection.execute("DROP TABLE copy_posting, copy_lot, copy_receipt_claim")
    await connection.close()
    return COPY_ROWS / took_s


def copy_rows(world: World) -> float:
    """Return how many journal, lot and claim rows per second COPY writes into tables like ours."""
    return asyncio.run(_copy_rows(world.postgres.url))


@contextlib.contextmanager
def trivial_handler() -> Iterator[str]:
    """Serve a typed Litestar handler without middleware; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "bench.trivial", str(port)]
    process = subprocess.Popen(command, env={**os.environ}, stdout=subprocess.DEVNULL)
    try:
        _wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.perf_counter() + 30
    while time.perf_counter() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, "the trivial handler ended"
        time.sleep(0.02)
    raise TimeoutError
