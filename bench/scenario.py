"""The scenario group: how long a story of a thousand steps takes, from command to answer."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.report import Result, Samples, measures_of, result_of

GROUP = "scenario"
STEPS = 1_000
PARTNERS = 5
MEMBERS = 20


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Run the story `rounds` times, each on a database of its own."""
    del seconds  # a story takes as long as it takes
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        path = Path(folder) / "story.yaml"
        path.write_text(story(STEPS), "utf-8")
        for no in range(rounds):
            say(f"story {no + 1} of {rounds}")
            samples.add("thousand_steps", _took_s(path))
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


def _took_s(path: Path) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "server.cli", "scenario", "run", str(path), "--json"],
        check=True,
        capture_output=True,
    )
    took = time.perf_counter() - began
    outcome = json.loads(done.stdout)
    assert len(outcome["steps"]) == STEPS, "every step has its answer"
    assert outcome["audit"]["ok"], "the books are right"
    return took


def story(steps: int) -> str:
    """Return a story in which some companies issue, redeem, hold, reverse and expire for months."""
    partners = "\n".join(
        f'  P{no}: {{contract: {{valid_from: 2026-01-01, issue_price: "0.01", '
        'redemption_price: "0.01", expiry_months: 3}, earning: 1/1.00}'
        for no in range(PARTNERS)
    )
    members = "\n".join(f"  m{no}:" for no in range(MEMBERS))
    begin = datetime(2026, 1, 5, 8, tzinfo=UTC)
    lines = "\n".join(_step(no, begin + no * timedelta(hours=6)) for no in range(steps))
    head = "coalition: {currency: EUR, timezone: Europe/Oslo}"
    return f"{head}\npartners:\n{partners}\nmembers:\n{members}\nsteps:\n{lines}\n"


def _step(no: int, at: datetime) -> str:
    """Of ten steps six are purchases, and one each pays, reserves, takes back and expires."""
    round_no, kind = divmod(no, 10)
    buyer = f"partner: P{no % PARTNERS}, member: m{(round_no * 6 + kind) % MEMBERS}"
    earner = f"partner: P{no % PARTNERS}, member: m{round_no * 6 % MEMBERS}"
    what = {
        6: f"redeem, id: r{no}, {earner}, points: 50",
        7: f"hold, {earner}, points: 20",
        8: f"reverse, posting: r{no - 2}, points: 10",
        9: "expire",
    }.get(kind, f'issue, {buyer}, purchase: "{100 + no}.50"')
    return f"  - {{at: {at.isoformat()}, do: {what}}}"
