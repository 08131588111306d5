"""Runs the commands of the guide for those who look after members, as it shows them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server.databases import do
from server.place import Place
from tests.server.processes import environment, within
from tests.structure import tree
from tests.structure.test_papers_run import examples_of, form_of

GUIDE = tree.ROOT / "docs" / "guides" / "members.md"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory with two members, who hold the cards of the guide."""
    directory = tmp_path / "data"
    assert within("partner", "create", "--name", "Corner Shop", "--data", directory).status == 0

    async def enrol(settings: Settings) -> None:
        for card in ("97520001", "97520002"):
            await service.enrol(
                Enrolment(card=card),
                partner_no=1,
                keys=MemberKeys.of(settings),
                at=SystemClock().now(),
            )

    with embedded_postgres.start(directory):
        do(Place(environ={}, data=directory), enrol)
        yield directory


def test_every_command_of_the_guide_for_members_answers_as_shown(
    data: Path, tmp_path: Path
) -> None:
    examples = examples_of(GUIDE.read_text("utf-8"))
    script = "".join(f"{commands}\necho '=== {no}'\n" for no, (commands, _) in enumerate(examples))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    command = programs / "coalition"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m server.cli "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment(
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            PYTHONPATH=str(tree.ROOT),
            COALITION_DATA_DIRECTORY=str(data),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [part.partition("\n")[2] for part in f"\n{done.stdout}".split("=== ")]
    for (commands, shown), answer in zip(examples, answers, strict=False):
        if shown:
            assert form_of(json.loads(answer)) == form_of(json.loads(shown)), commands
