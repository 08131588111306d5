"""Runs the commands that the papers show, in their order, against a real service."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.structure import tree

GUIDE = tree.ROOT / "docs" / "guides" / "till.md"
README = tree.ROOT / "README.md"
STAND_IN = Path(__file__).with_name("plain_curl.py")
AGREED = ["--currency", "USD", "--expiry-months", "24", "--json"]
COALITION = [sys.executable, "-P", "-m", "server.cli"]

_EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n(?:```json\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_SERVING = re.compile(r"Serving on (http://\S+);")


class Running(NamedTuple):
    """A service, and a client of it."""

    url: str
    client_id: str
    client_secret: str


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Serve a new coalition with one partner for as long as the test."""
    place = ["--data", str(tmp_path / "data")]
    command = [*COALITION, "serve", "--port", "0", "--no-worker", *place]
    with subprocess.Popen(command, cwd=tree.ROOT, stderr=subprocess.PIPE, text=True) as service:
        try:
            url = address_of(service)
            founded = subprocess.run(
                [*COALITION, "partner", "create", "--name", "Fuel Stop", *AGREED, *place],
                cwd=tree.ROOT,
                check=True,
                capture_output=True,
            )
            client = json.loads(founded.stdout)
            yield Running(url, client["client_id"], client["client_secret"])
        finally:
            service.terminate()
            service.communicate()


def address_of(service: subprocess.Popen[str]) -> str:
    """Return the address on which a starting service says that it serves."""
    assert service.stderr is not None
    said = ""
    for line in service.stderr:
        if found := _SERVING.search(line):
            return found[1]
        said += line
    raise AssertionError(said)


def test_every_command_of_the_guide_for_tills_answers_as_shown(
    running: Running, tmp_path: Path
) -> None:
    assert_answers_as_shown(GUIDE.read_text("utf-8"), running, tmp_path)


def test_the_five_commands_of_the_readme_answer_as_shown(running: Running, tmp_path: Path) -> None:
    assert_answers_as_shown(README.read_text("utf-8"), running, tmp_path)


def assert_answers_as_shown(text: str, running: Running, folder: Path) -> None:
    """Run every example of a paper in one shell, and compare the form of each answer."""
    examples = examples_of(text)
    script = "".join(
        f"{commands}echo; echo '=== {no}'\n" for no, (commands, _) in enumerate(examples)
    )
    for name, value in (
        ("CLIENT(?:_ID)?", running.client_id),
        ("(?:CLIENT_)?SECRET", running.client_secret),
    ):
        script = re.sub(rf"^({name})=.*$", rf"\g<1>={value}", script, flags=re.MULTILINE)
    script = re.sub(r"http://127\.0\.0\.1:8000", running.url, script)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path_with_curl(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = re.split(r"=== \d+\n", done.stdout)
    for (commands, shown), answer in zip(examples, answers, strict=False):
        if shown:
            assert form_of(json.loads(answer)) == form_of(json.loads(shown)), commands


def examples_of(text: str) -> list[tuple[str, str]]:
    """Return the commands that a paper shows, each with the answer below it, or with nothing."""
    examples: list[tuple[str, str]] = _EXAMPLE.findall(text)
    assert examples
    return examples


def path_with_curl(folder: Path) -> str:
    """Return a search path with our own command, and a curl where the machine has none."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    command = programs / "coalition"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={tree.ROOT} exec {" ".join(COALITION)} "$@"\n')
    command.chmod(0o755)
    if shutil.which("curl") is None:
        curl = programs / "curl"
        curl.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
        curl.chmod(0o755)
    return f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def form_of(value: Any) -> Any:  # Any: a JSON document, and what is left of it
    """Return a document with the names kept and each value replaced by its kind; codes stay."""
    if isinstance(value, dict):
        return {
            name: part if name in {"code", "status"} else form_of(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [form_of(part) for part in value[:1]]
    return "null or text" if value is None else type(value).__name__
