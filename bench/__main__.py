"""`python -m bench`: measures against references, prints a table, writes results.json."""

import argparse
import platform
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import billing, expiry, families, ledger, rules, scenario, settlement
from bench.report import Result, show, write

RESULTS = Path(__file__).parent / "results.json"

GROUPS: dict[str, Callable[..., list[Result]]] = {
    "ledger": ledger.run,
    "growth": ledger.run_growth,
    "expiry": expiry.run,
    "rules": rules.run,
    "scenario": scenario.run,
    "settlement": settlement.run,
    "families": families.run,
    "billing": billing.run,
}


def main() -> int:
    """Run the chosen groups; the exit status is 1 when a gate is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument(
        "--only", choices=sorted(GROUPS), action="append", help="run this group only"
    )
    parser.add_argument("--rounds", type=int, default=5, help="readings of each measure")
    parser.add_argument("--seconds", type=int, default=4, help="length of one reading")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        print("bench needs wrk, a load generator: apt-get install wrk", file=sys.stderr)
        return 2
    results = []
    started = time.perf_counter()

    def say(line: str) -> None:
        print(f"{time.perf_counter() - started:6.0f} s  {line}", file=sys.stderr)

    # The service's share depends on how its Python was built: by a fifth and more.
    say(f"Python {platform.python_version()}, built by {platform.python_compiler()}")
    for group in given.only or GROUPS:
        found = GROUPS[group](rounds=given.rounds, seconds=given.seconds, say=say)
        write(found, RESULTS)
        results += found
    show(results)
    reached = sum(row.passes_gate for row in results)
    print(f"{reached} of {len(results)} gates reached; rows are in {RESULTS.name}")
    return 0 if reached == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
