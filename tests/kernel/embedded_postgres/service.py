"""A service in a process of its own that owns an embedded server: to kill, double, deprive.

Run as a program it becomes the wanted user, starts the server, says so in one line of JSON, and
then obeys one line of its standard input: `stop`.
"""

import json
import os
import pwd
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from coalition.kernel.embedded_postgres import EmbeddedPostgresError, start

ROOT = Path(__file__).parents[3]
PRESENT_UID = os.geteuid()
# Root is dropped by the launcher, so with root at hand both ways can be tried; else only one.
ORDINARY_UID = pwd.getpwnam("nobody").pw_uid if PRESENT_UID == 0 else PRESENT_UID
USERS = {"present_user": PRESENT_UID, "ordinary_user": ORDINARY_UID}


class Answer(TypedDict, total=False):
    """What a service says after its start: where its server is, or why there is none."""

    url: str
    port: int
    pid: int
    was_running: bool
    error: str


class Service:
    """The parent's handle on such a process; leaving the context kills it."""

    def __init__(
        self,
        directory: Path,
        *,
        uid: int = PRESENT_UID,
        file_size_limit: int = resource.RLIM_INFINITY,
        durable: bool = False,
        environ: dict[str, str] | None = None,
    ) -> None:
        self._answer: Answer | None = None
        arguments = (str(uid), str(file_size_limit), str(int(durable)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, str(directory), *arguments],
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def answer(self) -> Answer:
        """Wait for what the service says after its start."""
        assert self.process.stdout is not None
        if self._answer is None:
            self._answer = json.loads(self.process.stdout.readline())
        return self._answer

    def tell(self, command: str) -> int:
        """Give the last command and wait for the end; returns the exit status."""
        self.process.communicate(f"{command}\n", timeout=60)
        return self.process.returncode

    def signal(self, how: signal.Signals) -> None:
        """Send a signal to it and whatever it started in its session, as a terminal does."""
        os.killpg(self.process.pid, how)
        self.process.wait(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.__exit__(kind, error, trace)


def main(directory: Path, uid: int, file_size_limit: int, *, durable: bool) -> int:
    if uid != os.geteuid():
        # That user may not be able to read this Python's library: load what is loaded late.
        "127.0.0.1".encode("idna")
        os.setgroups([])
        os.setgid(pwd.getpwuid(uid).pw_gid)
        os.setuid(uid)
    # Whoever runs the tests in the background has had it ignored, for all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size_limit, file_size_limit))
    try:
        server = start(directory, durable=durable)
    except EmbeddedPostgresError as error:
        print(json.dumps(Answer(error=str(error))), flush=True)  # noqa: T201 - its answer
        return 1
    answer = Answer(
        url=server.url, port=server.port, pid=server.pid, was_running=server.was_running
    )
    print(json.dumps(answer), flush=True)  # noqa: T201 - its answer
    if sys.stdin.readline() == "stop\n":
        server.stop()
    return 0


if __name__ == "__main__":
    _, place, *numbers = sys.argv
    sys.exit(main(Path(place), int(numbers[0]), int(numbers[1]), durable=numbers[2] == "1"))
