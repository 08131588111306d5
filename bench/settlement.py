"""The settlement group: what draining costs tills, and how long statements and closes take.

Two worlds: a small one in which tills work while a process drains beside them, and one of ten
million postings in five months. Its months are closed one after the other, as if each had just
ended: two small ones, a large one, and two small ones that have all the others behind them.
"""

import asyncio
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from bench.drains import draining
from bench.fill import Part
from bench.ledger import ISSUE, Bench, audited
from bench.load import Load
from bench.report import Result, Samples, measures_of, result_of
from bench.world import World, make_world, serving
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from partners.settlement import closing, sealing
from partners.settlement.draining import drain_all
from server.apps import APPS

GROUP = "settlement"
ZONE = ZoneInfo("Europe/Stockholm")

FEW_MEMBERS, FEW_LOTS_EACH = 20_000, 10
MEMBERS, LOTS_EACH = 100_000, 10
SMALL, LARGE = 1_000_000, 6_000_000
"""Postings of a month; each is one charge."""
MONTHS = ("close_first", "close_first", "close_million", "close_later", "close_later")
"""What closing each month measures, the earliest first; the last is the present one."""

PAGE = 100
PAGES = 50
LIVE = Load(path="/v1/statements/live")
ANNA, BO = "bench:first", "bench:second"

Value = TypeVar("Value")


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure the group: drains `rounds` times in turn with tills alone, closes once."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        _drains(Path(folder), samples, rounds=rounds, seconds=seconds, say=say)
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        _statements(Path(folder), samples, rounds=rounds, seconds=seconds, say=say)
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


def _drains(
    folder: Path, samples: Samples, *, rounds: int, seconds: int, say: Callable[[str], None]
) -> None:
    say("making a world in which tills work and a process drains")
    small = make_world(
        folder,
        members=FEW_MEMBERS,
        lots_each=FEW_LOTS_EACH,
        postings=FEW_MEMBERS * FEW_LOTS_EACH,
    )
    with small as world, serving(world):
        url = world.postgres.url
        Bench(world, "", seconds, Samples()).single("warm_up", ISSUE)
        _on(url, drain_all(SystemClock().now()))
        bench = Bench(world, "", seconds, samples)
        for no in range(rounds):
            say(f"round {no + 1} of {rounds}")
            bench.single("singles_alone", ISSUE)
            bench.batches("batches_alone", "issue", connections=1)
            _on(url, drain_all(SystemClock().now()))
            with draining(url):
                bench.single("drain_single", ISSUE)
                bench.batches("drain_batch", "issue", connections=1)
            left = _on(url, drain_all(SystemClock().now()))
            say(f"{left:,} postings were left in the queue")
        _prove(url, say)


def _statements(
    folder: Path, samples: Samples, *, rounds: int, seconds: int, say: Callable[[str], None]
) -> None:
    now = SystemClock().now()
    days = _days(now)
    sizes = [LARGE if name == "close_million" else SMALL for name in MONTHS]
    earlier = [Part(now - day, size) for day, size in zip(days[:-1], sizes[:-1], strict=True)]
    postings = SMALL + sum(part.postings for part in earlier)
    say(f"making a world of {postings:,} postings in {len(MONTHS)} months")
    history = make_world(
        folder, members=MEMBERS, lots_each=LOTS_EACH, postings=postings, earlier=earlier
    )
    with history as world:
        url = world.postgres.url
        started = time.perf_counter()
        drained = _on(url, drain_all(SystemClock().now()))
        say(f"drained {drained / (time.perf_counter() - started):,.0f} postings/s")
        with serving(world):
            _read(world, samples, rounds=rounds, seconds=seconds, say=say)
        _on(url, drain_all(SystemClock().now()))
        _close_months(url, samples, days, say)
        _prove(url, say)


def _read(
    world: World, samples: Samples, *, rounds: int, seconds: int, say: Callable[[str], None]
) -> None:
    """Read the live statement and the last of the pages, one request after the other."""
    world.renew_token()
    period = f"{_days(SystemClock().now())[MONTHS.index('close_million')]:%Y-%m}"
    lines = _get(world, "/v1/statements/live", period=period)["lines"]
    largest = max(lines, key=lambda line: abs(line["points"]))["line"]
    cursor = _walk(world, period, largest)
    page = f"/v1/statements/live/lines?{_query(period=period, line=largest, cursor=cursor)}"
    for no in range(rounds):
        say(f"round {no + 1} of {rounds}, statements")
        for name, load in (("live", LIVE), ("page_50", Load(path=page))):
            reading = Samples()
            Bench(world, "", seconds, reading).single(name, load, connections=1)
            samples.add(name, 1000 / reading.median(name))
            say(f"{name}: 99 of 100 within {reading.median(f'{name}.p99'):.1f} ms")


def _walk(world: World, period: str, line: int) -> str:
    """Return where the last page begins."""
    cursor: str | None = None
    for _ in range(PAGES - 1):
        asked = {"cursor": cursor} if cursor else {}
        answer = _get(world, "/v1/statements/live/lines", period=period, line=line, **asked)
        cursor = answer["next_cursor"]
        assert cursor, "the line has more pages"
    assert cursor is not None
    return cursor


def _get(world: World, path: str, **query: object) -> Any:  # Any: JSON
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=30)
    headers = {"Authorization": f"Bearer {world.token}"}
    limited = query | {"limit": PAGE} if "line" in query else query
    connection.request("GET", f"{path}?{urlencode(limited)}", headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == http.client.OK, content[:500]
    return json.loads(content)


def _query(**query: object) -> str:
    return urlencode(query | {"limit": PAGE})


def _days(now: datetime) -> list[datetime]:
    """Return a day of each of the months: the middle of those that are over, and now."""
    middles = [now.replace(day=15)]
    while len(middles) < len(MONTHS):
        middles.append((middles[-1] - timedelta(days=30)).replace(day=15))
    return [*reversed(middles[1:]), now]


def _close_months(
    url: str, samples: Samples, days: list[datetime], say: Callable[[str], None]
) -> None:
    """Close the months in their order; what came before them is closed beforehand."""
    _on(url, _close_before(days[0]))
    for name, day in zip(MONTHS, days, strict=True):
        took_s = _on(url, _close(day))
        samples.add(name, took_s)
        say(f"{name}: {took_s:.2f} s")


async def _close_before(day: datetime) -> None:
    """Close everything before the month of a day."""
    first = day.astimezone(ZONE).replace(day=1, hour=1)
    due = await sealing.seal_due(first.astimezone(UTC))
    for name in dict.fromkeys(sorted(period.name for period in due)):
        await _close_period(name, first.astimezone(UTC))


async def _close(day: datetime) -> float:
    """Seal and close the month of a day as soon as it is over; return how long that took."""
    local = day.astimezone(ZONE)
    over = (local.replace(day=28, hour=1) + timedelta(days=4)).replace(day=1).astimezone(UTC)
    started = time.perf_counter()
    await sealing.seal_due(over)
    await _close_period(f"{local:%Y-%m}", over)
    return time.perf_counter() - started


async def _close_period(name: str, at: datetime) -> None:
    approval = await closing.prepare(period=name, prepared_by=ANNA, at=at)
    await closing.approve(approval, approved_by=BO, at=at)


def _prove(url: str, say: Callable[[str], None]) -> None:
    report = asyncio.run(audited(url))
    say(f"audit: {report.checks} checks, {len(report.breaches)} breaches")
    assert report.ok, report.breaches


def _on(url: str, work: Coroutine[Any, Any, Value]) -> Value:
    """Do some work on the database at `url`."""

    async def done() -> Value:
        engine = await open_database(url, apps=APPS, pool_size=2)
        try:
            return await work
        finally:
            await engine.close()

    return asyncio.run(done())
