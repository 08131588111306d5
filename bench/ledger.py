"""The ledger group: singles, batches and reads over HTTP, and what they are compared with."""

import asyncio
import dataclasses
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import references
from bench.load import Load, run_batches, run_wrk
from bench.report import Result, Samples, measures_of, result_of
from bench.world import World, make_world, serving
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from coalition.ledger.audit import Report
from server.apps import APPS
from server.proof import prove

GROUP = "ledger"
BATCH_LINES = 5_000
MEMBERS = 80_000
LOTS_EACH = 20
LOG_MEBIBYTES = 2048
"""As after a day of work: for each file that a new log makes all commits wait."""

ISSUE = Load(
    path="/v1/points/issue",
    body="""string.format('{"member_id":"%s","receipt":"%s","occurred_at":"NOW","store":"s%d",'
      .. '"purchase":{"amount_minor":12345,"currency":"EUR"}}', member, key, n % 20)""",
)
ONE_STORE = Load(path=ISSUE.path, body=(ISSUE.body or "").replace("n % 20", "1"))
REDEEM = Load(
    path="/v1/points/redeem",
    body="""string.format(
      '{"member_id":"%s","receipt":"%s","occurred_at":"NOW","points":3}', member, key)""",
)
BALANCE = Load(path="/v1/members/{member}/balance")
MIXED = Load(path="/", mixed=True)


@dataclass
class Bench:
    """One run: the world, the bare handler's address, and how long a reading takes."""

    world: World
    bare_url: str
    seconds: int
    samples: Samples

    def single(
        self,
        name: str,
        load: Load,
        *,
        connections: int = 64,
        url: str | None = None,
        members: Path | None = None,
    ) -> None:
        """Read one kind of single request, about the world's members or those in a file."""
        world = self.world
        world.renew_token()
        now = SystemClock().now().isoformat(timespec="seconds")
        body = load.body.replace("NOW", now) if load.body else None
        reading = run_wrk(
            url or world.url,
            dataclasses.replace(load, body=body),
            token=world.token,
            members=members or world.members_file,
            run=world.next_run(),
            now=now,
            connections=connections,
            seconds=self.seconds,
        )
        self.samples.add(name, reading.per_second)
        self.samples.add(f"{name}.p99", reading.p99_ms)

    def batches(self, name: str, kind: str, *, connections: int, points: int | None = None) -> None:
        """Read batches of `BATCH_LINES`; redemptions of `points` each."""
        world = self.world
        world.renew_token()
        run = world.next_run()
        members = world.members()
        now = SystemClock().now().isoformat(timespec="seconds")
        amount = (
            f'"points":{points}' if points else '"purchase":{"amount_minor":12345,"currency":"EUR"}'
        )

        def body(no: int, count: int) -> bytes:
            # A redemption of a run meets a member once, so that each line finds its lots whole.
            chosen = world.untouched(BATCH_LINES) if points else random.sample(members, BATCH_LINES)
            return "\n".join(
                f'{{"kind":"{kind}","member_id":"{member}","receipt":"{run}-{no}-{count}-{line}",'
                f'"occurred_at":"{now}",{amount}}}'
                for line, member in enumerate(chosen)
            ).encode()

        each = 1 if points else 4
        bodies = [[body(no, count) for count in range(each)] for no in range(connections)]
        per_second, refused = run_batches(world.url, world.token, bodies, run=run)
        assert refused == 0, f"{refused} lines of {name} were refused"
        self.samples.add(name, per_second)


def _round(bench: Bench) -> None:
    samples, world = bench.samples, bench.world
    tps, latency = references.pgbench(world, builtin="tpcb-like", clients=32, seconds=bench.seconds)
    samples.add("tpcb", tps)
    samples.add("tpcb_latency", latency)
    bench.single("issue", ISSUE)
    samples.add("issue_bare", samples.readings["issue"][-1])
    bench.single("trivial", ISSUE, url=bench.bare_url)
    bench.single("redeem", REDEEM)
    bench.single("many_stores", ISSUE)
    bench.single("one_store", ONE_STORE)
    bench.single("at_32", ISSUE, connections=32)
    samples.add("p99", samples.readings["at_32.p99"][-1])
    bench.single("issue_alone", ISSUE)
    bench.single("mixed", MIXED)
    bench.single("balance", BALANCE)
    samples.add("memory", world.memory_mb())
    best = max(
        references.pgbench(
            world, builtin="simple-update", clients=clients, seconds=max(2, bench.seconds // 2)
        )[0]
        for clients in (1, 8, 32)
    )
    samples.add("simple_update", best)
    bench.batches("batch_1", "issue", connections=1)
    samples.add("batch_copy", samples.readings["batch_1"][-1])
    samples.add("copy", references.copy_rows(world))
    bench.batches("batch_2", "issue", connections=2)
    bench.batches("batch_issues", "issue", connections=1)
    for lots, points in ((1, 50), (4, 350), (15, 1450)):
        bench.batches(f"redeem_{lots}", "redeem", connections=1, points=points)


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure the group: `rounds` readings of everything, interleaved, each of `seconds`."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        say(f"making a world of {MEMBERS:,} members with {LOTS_EACH} lots each")
        with make_world(
            Path(folder),
            members=MEMBERS,
            lots_each=LOTS_EACH,
            postings=MEMBERS * LOTS_EACH,
            log_mebibytes=LOG_MEBIBYTES,
        ) as world:
            references.prepare_pgbench(world)
            for _ in range(rounds):
                with serving(world) as took_s:
                    samples.add("start", took_s)
            with serving(world), references.trivial_handler() as bare_url:
                warm_up = Bench(world, bare_url, seconds, Samples())
                warm_up.single("issue", ISSUE)
                warm_up.batches("batch_1", "issue", connections=1)
                bench = Bench(world, bare_url, seconds, samples)
                for no in range(rounds):
                    say(f"round {no + 1} of {rounds}")
                    _round(bench)
            report = asyncio.run(audited(world.postgres.url))
            say(f"audit: {report.checks} checks, {len(report.breaches)} breaches")
            assert report.ok, report.breaches
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


def run_growth(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure single issues in a small ledger and in one of 10 million postings, in turn."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        say("making a ledger of 100 thousand postings and one of 10 million")
        small = make_world(Path(folder) / "small", members=4_000, lots_each=10, postings=100_000)
        large = make_world(
            Path(folder) / "large", members=200_000, lots_each=20, postings=10_000_000
        )
        with small as few, large as many, serving(few), serving(many):
            for world in (few, many):
                Bench(world, "", seconds, Samples()).single("warm_up", ISSUE)
            for no in range(rounds):
                say(f"round {no + 1} of {rounds}")
                Bench(few, "", seconds, samples).single("at_100_thousand", ISSUE)
                Bench(many, "", seconds, samples).single("growth", ISSUE)
            report = asyncio.run(audited(many.postgres.url))
            say(f"audit: {report.checks} checks, {len(report.breaches)} breaches")
            assert report.ok, report.breaches
    return [result_of("growth", measure, samples) for measure in measures_of("growth")]


async def audited(url: str) -> Report:
    """Return what the audit says of the books at `url`."""
    engine = await open_database(url, apps=APPS)
    try:
        return await prove()
    finally:
        await engine.close()
