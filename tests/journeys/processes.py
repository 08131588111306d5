"""The product as a newcomer has it: commands, and a service in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

_COMMAND = (sys.executable, "-m", "server.cli")
_SERVING = re.compile(r"^Serving on (http://[\d.:]+);", re.MULTILINE)
_POLL_S = 0.02


def coalition(
    *arguments: str, environ: Mapping[str, str] | None = None
) -> Any:  # Any: whatever JSON document the command prints
    """Run a command that prints one JSON document; return it."""
    command = [*_COMMAND, *arguments, "--json"]
    env = os.environ | dict(environ or {})
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@contextmanager
def serving(*arguments: str, log: Path, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the base address of `coalition serve` while the block runs; it must end well after."""
    command = [*_COMMAND, "serve", "--port", "0", *arguments]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stderr=written,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := _SERVING.search(log.read_text("utf-8", "replace"))):
            assert process.poll() is None, f"the service ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"the service does not start:\n{log.read_text()}"
            time.sleep(_POLL_S)
        yield found[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, "a service that is told to stop ends well"
    finally:
        process.kill()
        process.wait()
