"""Plays a guide: writes the files it shows, runs its commands, and compares what they print."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.server.processes import environment
from tests.structure import tree

_FILE = re.compile(r"`([\w-]+\.yaml)`:\n\n```yaml\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(
    r"^```sh\n(.*?)^```\n(?:```(?:json|text)\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)
_VARYING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"
)


def assert_played(guide: Path, *, data: Path, folder: Path, files: int) -> None:
    """Run the commands of `guide` in `folder` on the data directory `data`.

    The guide shows so many files. Ids and instants may be others than it shows.
    """
    text = guide.read_text("utf-8")
    shown_files = _FILE.findall(text)
    assert len(shown_files) == files
    for name, content in shown_files:
        (folder / name).write_text(content, "utf-8")
    examples = _EXAMPLE.findall(text)
    script = "".join(f"{commands}\necho '=== {no}'\n" for no, (commands, _) in enumerate(examples))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(
            PATH=f"{programs_in(folder)}{os.pathsep}{os.environ['PATH']}",
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
    """Return a directory with the programs that guides call."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    command = programs / "coalition"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m server.cli "$@"\n')
    command.chmod(0o755)
    return programs
