"""Launch PostgreSQL and wait until it takes connections, or explain why it does not."""

import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from coalition.kernel.embedded_postgres import locks
from coalition.kernel.embedded_postgres.binaries import Programs
from coalition.kernel.embedded_postgres.failures import failure, failure_from_log
from coalition.kernel.embedded_postgres.layout import Layout, address_of
from coalition.kernel.embedded_postgres.postmaster import (
    LOOPBACK,
    Postmaster,
    free_port,
    read_postmaster,
)

_PORTS_TRIED: Final = 10
# How long the leftovers of a killed server (its busy backends) may take to notice and end.
_LEFTOVERS_TIMEOUT_S: Final = 20.0
_LEFTOVERS: Final = (
    "processes of an earlier PostgreSQL still run on it and do not answer; end them and start again"
)

# Our children, kept so that they can be reaped whenever they end: a server may outlive its owner.
_children: set[subprocess.Popen[bytes]] = set()


def reap() -> None:
    """Take note of children that ended, so that none stays behind as a zombie."""
    for child in tuple(_children):
        if child.poll() is not None:
            _children.discard(child)


def has_ended(layout: Layout, *, timeout_s: float) -> bool:
    """Wait for the last process of a server to end; whether it did."""
    deadline = time.monotonic() + timeout_s
    while locks.is_held(layout.alive_lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(locks.POLL_INTERVAL_S)
    reap()
    return True


def await_running(layout: Layout, *, timeout_s: float) -> Postmaster | None:
    """Return the server that runs on a cluster once it is ready; None as soon as there is none.

    Waits while one starts, recovers or stops, and for the leftovers of a killed one to end.
    """
    reap()
    begin = time.monotonic()
    while locks.is_held(layout.alive_lock):
        postmaster = read_postmaster(layout.cluster)
        answers = postmaster is not None and postmaster.answers
        if postmaster is not None and postmaster.is_ready and answers:
            return postmaster
        if time.monotonic() - begin > (timeout_s if answers else _LEFTOVERS_TIMEOUT_S):
            raise failure(layout.root, _LEFTOVERS)
        time.sleep(locks.POLL_INTERVAL_S)
    return None


def launch(layout: Layout, programs: Programs, *, timeout_s: float) -> Postmaster:
    """Start the server on its last port or a free one; returns when it takes connections."""
    _forget_dead_postmaster(layout)
    port = _last_port(layout) or free_port()
    for _ in range(_PORTS_TRIED):
        log_sizes = _log_sizes(layout)
        child = _spawn(layout, programs, port=port)
        try:
            postmaster = _await_ready(layout, child, timeout_s=timeout_s)
        except BaseException:
            child.send_signal(signal.SIGQUIT)
            child.wait()
            raise
        if postmaster is not None:
            return postmaster
        reported = _written_since(layout, log_sizes)
        if "could not create any TCP/IP sockets" not in reported:
            raise failure_from_log(layout.root, reported)
        port = free_port()
    meaning = f"every one of {_PORTS_TRIED} free ports on {LOOPBACK} was taken by others at once"
    raise failure(layout.root, meaning)


def _forget_dead_postmaster(layout: Layout) -> None:
    """Remove the lock file of a server that is gone.

    PostgreSQL itself would believe it whenever its pid lives again as another process, which is
    usual in containers. Our own lock says that no process of that server is left.
    """
    lock_file = layout.cluster / "postmaster.pid"
    postmaster = read_postmaster(layout.cluster)
    if postmaster is not None and postmaster.answers:
        meaning = (
            f"a PostgreSQL that was started by other means (process {postmaster.pid}) serves this "
            "directory; stop it, or give its address with --database-url"
        )
        raise failure(layout.root, meaning)
    lock_file.unlink(missing_ok=True)


def _last_port(layout: Layout) -> int | None:
    """Return the port of the last run: clients of a restarted server find it again."""
    try:
        options = (layout.cluster / "postmaster.opts").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    match = re.search(r'"-p" "(\d+)"', options)
    return int(match[1]) if match else None


def _spawn(layout: Layout, programs: Programs, *, port: int) -> subprocess.Popen[bytes]:
    """Start the server's process, and let it inherit the lock that says it is alive."""
    alive = locks.open_lock(layout.alive_lock)
    with (
        locks.closing(alive),
        layout.start_log.open("wb") as start_log,
        address_of(layout.cluster, programs.account) as address,
    ):
        # Nothing runs there, so only a look by `running` in this very moment can be in the way.
        if not locks.locks_alone_within(alive, timeout_s=_LEFTOVERS_TIMEOUT_S):
            raise failure(layout.root, _LEFTOVERS)
        child = programs.spawn(
            "postgres",
            *("-D", address.path),
            *("-p", str(port)),
            *("-c", f"listen_addresses={LOOPBACK}"),
            *("-c", "unix_socket_directories="),
            output=start_log,
            inherit=(*address.descriptors, alive),
        )
    _children.add(child)
    return child


def _await_ready(
    layout: Layout, child: subprocess.Popen[bytes], *, timeout_s: float
) -> Postmaster | None:
    """Wait until the server we started takes connections; None when it ended instead."""
    deadline = time.monotonic() + timeout_s
    while child.poll() is None:
        postmaster = read_postmaster(layout.cluster)
        if postmaster is not None and postmaster.pid == child.pid and postmaster.is_ready:
            return postmaster
        if time.monotonic() > deadline:
            meaning = f"PostgreSQL has not become ready within {timeout_s:.0f} s; see data/log"
            raise failure(layout.root, meaning)
        time.sleep(locks.POLL_INTERVAL_S)
    # Its log collector writes the reasons down after it.
    has_ended(layout, timeout_s=_LEFTOVERS_TIMEOUT_S)
    return None


def _log_sizes(layout: Layout) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (layout.cluster / "log").glob("*.log")}


def _written_since(layout: Layout, sizes_before: dict[Path, int]) -> str:
    """Return what PostgreSQL wrote to its logs since the sizes were taken."""
    written = layout.start_log.read_bytes()
    for path in (layout.cluster / "log").glob("*.log"):
        written += path.read_bytes()[sizes_before.get(path, 0) :]
    return written.decode(errors="replace")
