"""Runs the commands of the guide on earning rules; what they print is what the guide shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from tests.server.processes import environment, within
from tests.structure import tree

GUIDE = tree.ROOT / "docs" / "guides" / "earning-rules.md"

_FILE = re.compile(r"`([\w-]+\.yaml)`:\n\n```yaml\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(
    r"^```sh\n(.*?)^```\n(?:```(?:json|text)\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)
_VARYING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"
)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory with the partner of the guide."""
    directory = tmp_path / "data"
    assert within("partner", "create", "--name", "Corner Shop", "--data", directory).status == 0
    with embedded_postgres.start(directory):
        yield directory


def test_every_command_of_the_guide_on_rules_prints_what_it_shows(
    data: Path, tmp_path: Path
) -> None:
    text = GUIDE.read_text("utf-8")
    files = _FILE.findall(text)
    assert len(files) == 2
    for name, content in files:
        (tmp_path / name).write_text(content, "utf-8")
    examples = _EXAMPLE.findall(text)
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
        if shown:
            assert _VARYING.sub("…", answer) == _VARYING.sub("…", shown), commands


def programs_in(folder: Path) -> Path:
    """Return a directory with the programs that the guide calls."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    command = programs / "coalition"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m server.cli "$@"\n')
    command.chmod(0o755)
    return programs
