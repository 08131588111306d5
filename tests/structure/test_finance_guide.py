"""Runs the guide for finance on a demo whose last month is left open; it prints what it shows."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from tests.server.processes import coalition, environment
from tests.structure import tree
from tests.structure.plain_guide import programs_in

GUIDE = tree.ROOT / "docs" / "guides" / "finance.md"

_EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_VARYING = re.compile(r"[0-9a-f]{64}|(?:\d+ days?, )?-?\d[\d.,:TZ+-]*|(?<= )(?:pays|receives)(?= )")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield the data directory of a small demo, as the guide begins with it."""
    directory = tmp_path / "demo"
    words = ("demo", "--made-up", "--households", "30", "--no-serve", "--leave-last-month")
    told = coalition(*words, "--data", directory)
    assert told.status == 0, told.err
    again = coalition(*words, "--data", directory)
    assert (again.status, again.out) == (0, told.out)
    assert "stays as it was left; --afresh begins again" in again.err
    with embedded_postgres.start(directory):
        yield directory


def test_every_command_of_the_guide_for_finance_prints_what_it_shows(
    data: Path, tmp_path: Path
) -> None:
    examples = _EXAMPLE.findall(GUIDE.read_text("utf-8"))
    script = "".join(f"{commands}\necho '=== {no}'\n" for no, (commands, _) in enumerate(examples))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment(
            PATH=f"{programs_in(tmp_path)}{os.pathsep}{os.environ['PATH']}",
            PYTHONPATH=str(tree.ROOT),
            COALITION_DATA_DIRECTORY=str(data),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = re.split(r"=== \d+\n", done.stdout)
    assert len(answers) == len(examples) + 1
    for (commands, shown), answer in zip(examples, answers, strict=False):
        assert outline(answer) == outline(shown), commands


def outline(text: str) -> list[str]:
    """Return the heads of tables and the sentences of an answer, without what varies in them."""
    return [
        " ".join(_VARYING.sub("…", line).split())
        for line in text.splitlines()
        if line and not line.startswith(("┏", "┡", "│", "└"))
    ]


def test_an_outline_keeps_columns_and_words_and_no_figures() -> None:
    text = "┏━━┓\n┃ a   ┃ b ┃\n│ 1   │ 2 │\n└──┘\n-1.25 and VAT 0.32: Corner receives 1 USD.\n"
    assert outline(text) == ["┃ a ┃ b ┃", "… and VAT … Corner … … USD."]
