"""The command line as others run it: a process of its own, with what it says and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from server.cli import main

PATIENCE_S = 60
_SERVING = re.compile(r"Serving on (http://\S+);")


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # Any: JSON
        """The one JSON document on standard output."""
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Return our variables without the coalition's own, and `more`."""
    return {k: v for k, v in os.environ.items() if not k.startswith("COALITION_")} | more


def within(*arguments: str | Path, **variables: str) -> Ended:
    """Run `coalition` in this process, which spares the start of another."""
    others: dict[str, str | None] = {
        name: None for name in os.environ if name.startswith("COALITION_")
    }
    done = CliRunner().invoke(
        main,
        [str(argument) for argument in arguments],
        env={**others, **variables},
        prog_name="coalition",
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)


def coalition(*arguments: str | Path, **variables: str) -> Ended:
    """Run `coalition` with these arguments to its end."""
    return patiently(PATIENCE_S, *arguments, **variables)


def patiently(patience_s: float, *arguments: str | Path, **variables: str) -> Ended:
    """Run `coalition` with these arguments to its end, which may take so long."""
    done = subprocess.run(
        [sys.executable, "-m", "server.cli", *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass
class Serving:
    """A command that serves; `said` is what it has told on standard error until it listened."""

    process: subprocess.Popen[str]
    url: str
    said: str

    def end(self) -> Ended:
        """Ask it to stop, as a supervisor does, and return how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> Ended:
        """Wait for its end and return how it ended."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Ended(self.process.returncode, out, self.said + err)


@contextmanager
def serving(*arguments: str | Path, **variables: str) -> Iterator[Serving]:
    """Run a command that serves on a free port, from when it listens; at last it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "server.cli", *arguments, "--port", "0"],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := _SERVING.search(line):
                yield Serving(process, found[1], said)
                return
        message = f"{arguments} did not serve:\n{said}"
        raise AssertionError(message)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
