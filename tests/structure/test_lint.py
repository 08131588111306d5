"""Shows that the linter, as pyproject.toml sets it, sees what the conventions leave to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.tree import ROOT

OPENING = '"""A module."""\n'
CLOCK = "from datetime import UTC, datetime\n\nREAD_AT = datetime.now(UTC)\n"


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        ("D100", "AMOUNT = 1\n"),
        ("TID251", f"{OPENING}\n{CLOCK}"),
        ("TID251", f"{OPENING}\nimport time\n\nREAD_AT = time.time()\n"),
        ("TID251", f"{OPENING}\nfrom uuid import uuid4\n\nPOSTING = uuid4()\n"),
        ("TID251", f"{OPENING}\nfrom unittest.mock import patch\n\nPATCHED = patch\n"),
        ("FIX002", f"{OPENING}\nAMOUNT = 1  # TODO: more\n"),
        ("FIX001", f"{OPENING}\nAMOUNT = 1  # FIXME\n"),
        ("ERA001", f"{OPENING}\n# amount = 1\nAMOUNT = 2\n"),
        ("B006", f'{OPENING}\n\ndef add(to: list[int] = []) -> None:\n    """Add."""\n'),
        ("BLE001", f"{OPENING}\ntry:\n    AMOUNT = 1\nexcept Exception:\n    AMOUNT = 2\n"),
        ("E501", f"{OPENING}\nTEXT = '{'x' * 100}'\n"),
        ("ANN001", f'{OPENING}\n\ndef add(points) -> None:\n    """Add points."""\n'),
    ],
)
def test_what_is_refused_is_seen(rule: str, source: str) -> None:
    assert f" {rule} " in lint("coalition/ledger/sample.py", source)


def test_the_clock_module_alone_reads_the_clock() -> None:
    assert "TID251" not in lint("coalition/kernel/clock.py", OPENING + CLOCK)


def test_what_is_right_passes() -> None:
    source = (
        f'{OPENING}\n\ndef add(points: int) -> int:\n    """Add one."""\n    return points + 1\n'
    )
    assert "All checks passed" in lint("coalition/ledger/sample.py", source)


def lint(name: str, source: str) -> str:
    """Return what ruff says of a source as if it stood in a file of ours."""
    program = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [program, "check", "--no-cache", "--output-format=concise", "--stdin-filename", name, "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout
