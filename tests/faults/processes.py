"""The service as a process of its own, and PostgreSQL's processes: to start, to kill, to limit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from coalition.kernel.embedded_postgres.layout import layout_of
from coalition.kernel.embedded_postgres.postmaster import free_port, read_postmaster

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""How long anything may take; only a fault that never heals takes so long."""

_POLL_S = 0.02


@dataclass
class ServiceProcess:
    """`coalition serve` on a data directory or a database's address; started and killed at will."""

    arguments: Sequence[str]
    log: Path
    port: int = field(default_factory=free_port)
    environ: dict[str, str] = field(default_factory=dict)
    has_worker: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base address, the same after each start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self, *, failpoint: str | None = None) -> None:
        """Start it, with a `failpoint` of `failing_service` or without, and wait until ready."""
        assert not self.is_alive, "one service at a time"
        program = ["tests.faults.failing_service", failpoint] if failpoint else ["server.cli"]
        command = [sys.executable, "-m", *program, "serve"]
        if not self.has_worker:
            command.append("--no-worker")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.arguments],
                cwd=ROOT,
                env=os.environ | self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.await_ready()

    def await_ready(self) -> None:
        """Return when the service says that it takes requests; it must not end instead."""
        for _ in until(PATIENCE_S, "the service to be ready"):
            assert self.is_alive, f"the service ended:\n{self.log.read_text()[-3000:]}"
            if self.is_ready():
                return

    def is_ready(self) -> bool:
        """Tell whether the service answers that it takes requests."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it at once, as the system does when memory runs out."""
        self.send(signal.SIGKILL)
        self.await_end()

    def send(self, what: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self.process is not None, "it was started"
        self.process.send_signal(what)

    def await_end(self) -> int:
        """Return the exit status when the process has ended."""
        assert self.process is not None, "it was started"
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """End it and its worker, however they are."""
        if self.process is not None and self.is_alive:
            workers = [one for one in children_of(self.process.pid) if is_worker(one)]
            self.kill()
            kill_all(workers)
            for _ in until(PATIENCE_S, "the worker to end"):
                if not any(is_worker(one) for one in workers):
                    return


def until(patience_s: float, what: str) -> Iterator[None]:
    """Yield again and again, with a short pause between, until `patience_s` are over; then fail."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_S)
    raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")


def postgres_processes(data: Path) -> list[int]:
    """Return the ids of the processes of the embedded server of `data`, the postmaster first."""
    postmaster = read_postmaster(layout_of(data).cluster)
    if postmaster is None or not Path(f"/proc/{postmaster.pid}").exists():
        return []
    return [postmaster.pid, *children_of(postmaster.pid)]


def children_of(parent: int) -> list[int]:
    """Return the ids of the processes that `parent` started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name of the program stands in parentheses and may hold anything.
        if int(status.rpartition(")")[2].split()[1]) == parent:
            found.append(int(entry.name))
    return found


def worker_of(service: ServiceProcess) -> int:
    """Return the id of the worker process that the service keeps beside it."""
    assert service.process is not None, "it was started"
    for _ in until(PATIENCE_S, "a worker"):
        for process in children_of(service.process.pid):
            if is_worker(process):
                return process
    raise AssertionError("the loop ends by itself")


def is_worker(process: int) -> bool:
    """Tell whether a process is a worker that has not ended."""
    return b"worker" in _command_line(process).split(b"\0")


def backends_of(data: Path) -> list[int]:
    """Return the ids of the server processes that serve connections, in the order of their ids."""
    title = b" coalition coalition 127.0.0.1("
    return sorted(one for one in postgres_processes(data)[1:] if title in _command_line(one))


def _command_line(process: int) -> bytes:
    """Return how a process was started, empty when it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def kill_all(processes: Sequence[int]) -> None:
    """Kill processes; those that end meanwhile are dead as well."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def no_room_for_files_above(size_bytes: int, service: ServiceProcess, data: Path) -> Iterator[None]:
    """Let no file of the service's PostgreSQL grow above a size while the block runs.

    So the disk is full for PostgreSQL and for nobody else; what is started inherits the limit.
    """
    assert service.process is not None, "it was started"
    _limit([service.process.pid, *postgres_processes(data)], str(size_bytes))
    try:
        yield
    finally:
        _limit([service.process.pid, *postgres_processes(data)], "unlimited")


def _limit(processes: Sequence[int], size: str) -> None:
    for process in processes:
        try:
            owner = Path(f"/proc/{process}").stat()
        except FileNotFoundError:
            continue
        # As its own user: even root may be forbidden to limit the processes of others.
        command = ["prlimit", "--pid", str(process), f"--fsize={size}:"]
        done = subprocess.run(
            command, user=owner.st_uid, group=owner.st_gid, capture_output=True, check=False
        )
        assert done.returncode == 0 or not Path(f"/proc/{process}").exists(), done.stderr
