"""Runs dev.py in a copy of its own, where the environment's programs only write down what is asked.

The stand-in takes pip's place, which is foreign; dev.py itself is the real file.
"""

import ast
import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.structure.tree import ROOT

# Writes its arguments down, then fails as its environment says.
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$(dirname "$0")/../../calls"
case "$*" in *"${FAILS_ON:-nothing at all}"*)
    echo "Looking at https://mirror.invalid/simple"
    exit "${FAILS_WITH:-1}"
esac
"""


@dataclass(frozen=True)
class Copy:
    """A folder with dev.py, small locks and a stand-in for the environment."""

    root: Path

    def dev(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run dev.py from another directory and return what it answered."""
        return subprocess.run(
            [sys.executable, str(self.root / "dev.py"), *arguments],
            cwd="/",
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """Return what the stand-ins were told since the last look."""
        path = self.root / "calls"
        told = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return told

    def stand_in(self, name: str) -> None:
        """Put a stand-in for a program into the environment."""
        program = self.root / ".venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(STAND_IN)
        program.chmod(0o755)

    def stamp(self) -> dict[str, str]:
        """Return what dev.py last stamped, empty when there is no stamp."""
        path = self.root / ".venv/set-up.json"
        stamp: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return stamp


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Return a copy that is set up."""
    (tmp_path / "dev.py").write_text((ROOT / "dev.py").read_text())
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "requirements-realdata.lock").write_text("")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'nothing'\nversion = '1'\n")
    made = Copy(tmp_path)
    made.stand_in("python")
    asked = "import dev, json; print(json.dumps(dev.wanted_stamp()))"
    wanted = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (tmp_path / ".venv/set-up.json").write_text(wanted.stdout)
    return made


def test_a_finished_set_up_does_nothing_and_says_nothing(copy: Copy) -> None:
    done = copy.dev("setup")
    assert (done.returncode, done.stdout, done.stderr, copy.calls()) == (0, "", "", [])


def test_a_changed_lock_installs_the_lock_alone_by_its_hashes(copy: Copy) -> None:
    (copy.root / "requirements.lock").write_text("# another lock\n")
    done = copy.dev("setup")
    (call,) = copy.calls()
    assert done.returncode == 0
    assert "install" in call
    assert f"--require-hashes --requirement {copy.root / 'requirements.lock'}" in call
    assert copy.dev("setup").stderr == ""


def test_a_changed_project_installs_the_project_alone_without_dependencies(copy: Copy) -> None:
    (copy.root / "pyproject.toml").write_text("[project]\nname = 'other'\nversion = '1'\n")
    assert copy.dev("setup").returncode == 0
    (call,) = copy.calls()
    assert f"--no-build-isolation --no-deps --editable {copy.root}" in call


def test_a_failed_set_up_leaves_no_stamp_and_shows_no_address(copy: Copy) -> None:
    (copy.root / "requirements.lock").write_text("# another lock\n")
    done = copy.dev("run", "--", "echo", "hello", FAILS_ON="requirements.lock")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Looking at (address)" in done.stderr
    assert "mirror.invalid" not in done.stderr
    assert copy.stamp() == {}


def test_an_interrupted_set_up_begins_afresh(copy: Copy) -> None:
    (copy.root / ".venv/set-up.json").unlink()
    (copy.root / ".venv/left-over").touch()
    done = copy.dev("setup")
    # The empty lock of this copy brings no build back end, so it gets no further than that.
    assert "Making a virtual environment" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")
    assert not (copy.root / ".venv/left-over").exists()
    assert copy.stamp() == {}


def test_a_data_set_that_cannot_be_had_is_said_once_and_keeps_nobody_waiting(copy: Copy) -> None:
    (copy.root / "requirements-realdata.lock").write_text("# another lock\n")
    done = copy.dev("setup", FAILS_ON="realdata")
    assert done.returncode == 0
    assert "cannot be had" in done.stderr
    assert copy.stamp()["realdata"].startswith("unavailable ")
    assert copy.dev("setup", FAILS_ON="realdata").stderr == ""


def test_one_process_sets_up_at_a_time(copy: Copy) -> None:
    (copy.root / "requirements.lock").write_text("# another lock\n")
    command = [sys.executable, str(copy.root / "dev.py"), "setup"]
    with (copy.root / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            assert "Waiting for another process" in waiting.stderr.readline()
            assert copy.calls() == []
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert "Environment ready" in waiting.stderr.read()
    assert waiting.returncode == 0
    assert len(copy.calls()) == 1


def test_run_replaces_itself_and_writes_nothing_to_stdout(copy: Copy) -> None:
    (copy.root / "requirements.lock").write_text("# another lock\n")
    command = [sys.executable, str(copy.root / "dev.py"), "run", "--", "sh", "-c", "echo $$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        stdout, stderr = process.communicate()
    assert int(stdout) == process.pid
    assert b"Environment ready" in stderr


def test_run_finds_the_environments_programs_first_and_passes_the_status_on(copy: Copy) -> None:
    copy.stand_in("true")
    assert copy.dev("run", "true", "one", FAILS_ON="one", FAILS_WITH="7").returncode == 7
    assert copy.calls() == ["true one"]


def test_run_answers_as_a_shell_does_when_there_is_no_such_command(copy: Copy) -> None:
    done = copy.dev("run", "--", "no-such-command")
    assert (done.returncode, done.stdout) == (127, "")
    assert "no-such-command" in done.stderr


def test_demo_becomes_the_products_own_demo(copy: Copy) -> None:
    copy.stand_in("coalition")
    assert copy.dev("demo", "--full", "--json").returncode == 0
    assert copy.calls() == ["coalition demo --full --json"]


def test_test_runs_all_but_the_slow_in_parallel_and_slow_only_those(copy: Copy) -> None:
    copy.dev("test", "tests/kernel", "-x")
    copy.dev("test", "--slow")
    plain, slow = copy.calls()
    assert plain == "python -m pytest -n auto --dist worksteal -m not slow tests/kernel -x"
    assert slow == "python -m pytest -n auto --dist worksteal -m slow"


def test_coverage_is_reported_even_when_a_test_fails_and_hides_no_failure(copy: Copy) -> None:
    done = copy.dev("test", "--coverage", FAILS_ON="pytest")
    measured, combined, reported, _ = copy.calls()
    assert done.returncode == 1
    assert measured.startswith("python -m coverage run -m pytest -n auto")
    assert "combine" in combined
    assert "report" in reported


def test_the_ledger_and_the_earning_rules_are_covered_whole_by_all_tests_together(
    copy: Copy,
) -> None:
    done = copy.dev("test", "--coverage", FAILS_ON="--fail-under 100")
    *_, held = copy.calls()
    assert done.returncode == 1
    assert (
        "--include coalition/ledger/*,coalition/points/bonuses/*,coalition/points/rules.py" in held
    )
    assert "coalition/points/returns.py" in held
    copy.dev("test", "--coverage", "tests/kernel")
    assert not any("--fail-under" in call for call in copy.calls()), "some tests cover some"


def test_no_test_at_all_is_a_failure_that_says_so(copy: Copy) -> None:
    done = copy.dev("test", FAILS_ON="pytest", FAILS_WITH="5")
    assert done.returncode == 5
    assert "No test was run" in done.stderr


def test_check_runs_everything_and_fails_when_anything_does(copy: Copy) -> None:
    for name in ("ruff", "mypy", "lint-imports"):
        copy.stand_in(name)
    assert copy.dev("check").returncode == 0
    assert len(copy.calls()) == 4
    done = copy.dev("check", FAILS_ON="format")
    assert done.returncode == 1
    assert "FAILED  ruff format" in done.stdout
    assert [call.split()[0] for call in copy.calls()] == ["ruff", "ruff", "mypy", "lint-imports"]


def test_check_mends_only_when_asked(copy: Copy) -> None:
    for name in ("ruff", "mypy", "lint-imports"):
        copy.stand_in(name)
    copy.dev("check")
    assert {"ruff format --check", "ruff check"} <= set(copy.calls())
    copy.dev("check", "--fix")
    assert {"ruff check --fix", "ruff format"} <= set(copy.calls())


def test_bench_runs_the_package_of_that_name(copy: Copy) -> None:
    copy.dev("bench", "posting", "--quick")
    assert copy.calls() == ["python -m bench posting --quick"]


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("setup", "now"), ("check", "all"), ("run",), ("run", "--")]
)
def test_a_wrong_command_line_is_answered_with_the_usage(
    copy: Copy, arguments: tuple[str, ...]
) -> None:
    done = copy.dev(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "python3 dev.py demo" in done.stderr


def test_help_goes_to_stdout(copy: Copy) -> None:
    done = copy.dev("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "python3 dev.py setup" in done.stdout


def test_it_needs_nothing_but_the_standard_library() -> None:
    source = ast.parse((ROOT / "dev.py").read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(source)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + [alias.name for alias in node.names if isinstance(node, ast.Import)]
    }
    assert imported <= sys.stdlib_module_names


def test_an_older_python_can_still_read_it_to_be_told_what_it_needs() -> None:
    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 7))
