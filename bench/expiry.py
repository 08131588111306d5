"""The expiry group: a million lots are booked as expired while tills go on issuing.

The lots of the world end within 700 days, and those of the tills later, so the job is told a day
between: what it books is what was there before, as after a night in which everything has ended.
"""

import asyncio
import dataclasses
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

from bench import references
from bench.fill import POINTS_EACH
from bench.ledger import ISSUE, Bench, audited
from bench.load import Load
from bench.report import Result, Samples, measures_of, result_of
from bench.world import World, make_world, serving
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from coalition.ledger import expiry
from server import collector
from server.apps import APPS
from server.worker import GIVES_WAY

GROUP = "expiry"
MEMBERS = 50_000
LOTS_EACH = 20
ENDED = timedelta(days=701)
"""So far from today all lots of the world have ended, and none of those that tills make."""

LOG_MEBIBYTES = 2_048
"""What the world is made of, the job and the tills write no more than that."""

CONNECTIONS = 32

PACED = dataclasses.replace(ISSUE, pause_ms=60)
"""Tills that are not asked without end: some 490 issues a second, 1.7 million an hour."""


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure tills alone, `rounds` times, then the job and the tills beside it, once."""
    samples = Samples()
    lots = MEMBERS * LOTS_EACH
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        say(f"making a world of {lots:,} lots")
        world = make_world(
            Path(folder),
            members=MEMBERS,
            lots_each=LOTS_EACH,
            postings=lots,
            log_mebibytes=LOG_MEBIBYTES,
        )
        with world as made, serving(made):
            references.prepare_pgbench(made)
            os.sync()  # what made the world is no longer being written when tills are read
            Bench(made, "", seconds, Samples()).single("warm_up", ISSUE)
            for no in range(rounds):
                say(f"round {no + 1} of {rounds}, tills alone")
                _read(made, samples, "alone", seconds)
                _, latency_ms = references.pgbench(
                    made, builtin="tpcb-like", clients=CONNECTIONS, seconds=seconds
                )
                samples.add("tpcb_latency", latency_ms)
            say(f"expiring {lots:,} lots beside the tills")
            booked, took_s = _expire_beside_tills(made, samples, seconds)
            assert booked == lots * POINTS_EACH, "the job books everything that has ended"
            samples.add("expire_million", took_s * 1_000_000 / lots)
            samples.readings["p99_meanwhile"] = samples.readings["p99_beside"]
            say(f"paced tills meanwhile: {samples.median('paced'):,.0f} issues/s")
            say(f"{lots / took_s:,.0f} lots/s")
            report = asyncio.run(audited(made.postgres.url))
            say(f"audit: {report.checks} checks, {len(report.breaches)} breaches")
            assert report.ok, report.breaches
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


def _read(world: World, samples: Samples, name: str, seconds: int, load: Load = ISSUE) -> None:
    reading = Samples()
    Bench(world, "", seconds, reading).single(name, load, connections=CONNECTIONS)
    samples.add(name, reading.median(name))
    samples.add(f"p99_{name}", reading.median(f"{name}.p99"))


def _expire_beside_tills(world: World, samples: Samples, seconds: int) -> tuple[int, float]:
    """Run the job and read the tills until it ends; return the points and the seconds it took.

    Readings at full speed and paced ones take turns. The job has a process that gives way to tills
    and is set up as the worker is.
    """
    own_process = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, own_process, _give_way) as worker:
        job = worker.submit(_run_job, world.postgres.url)
        for name, load in itertools.cycle([("beside", ISSUE), ("paced", PACED)]):
            _read(world, samples, name, seconds, load)
            if job.done():
                break
        return job.result()


def _give_way() -> None:
    os.nice(GIVES_WAY)
    collector.calm()


def _run_job(url: str) -> tuple[int, float]:
    return asyncio.run(_expire(url))


async def _expire(url: str) -> tuple[int, float]:
    engine = await open_database(url, apps=APPS, pool_size=2)
    try:
        at = SystemClock().now()
        started = time.perf_counter()
        booked = await expiry.expire(at, (at + ENDED).date(), rest=expiry.BesideTills())
        return booked, time.perf_counter() - started
    finally:
        await engine.close()
