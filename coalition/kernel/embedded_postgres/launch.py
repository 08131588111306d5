"""Launch PostgreSQL and wait until it takes connections, or explain why it does not."""

import re
import subprocess
import time
from pathlib import Path
from typing import Final

from coalition.kernel.embedded_postgres import locks
from coalition.kernel.embedded_postgres.accounts import Account
from coalition.kernel.embedded_postgres.binaries import Binaries
from coalition.kernel.embedded_postgres.clusters import Layout, address_of
from coalition.kernel.embedded_postgres.failures import failure, failure_from_log
from coalition.kernel.embedded_postgres.postmaster import (
    LOOPBACK,
    Postmaster,
    free_port,
    read_postmaster,
)

_PORTS_TRIED: Final = 10
# How long the leftovers of a killed server (its busy backends) may take to notice and end.
_LEFTOVERS_TIMEOUT_S: Final = 20.0

# Our children, kept so that they can be reaped whenever they end: a server may outlive its owner.
_children: list[subprocess.Popen[bytes]] = []


def reap() -> None:
    """Take note of children that ended, so that none stays behind as a zombie."""
    _children[:] = [child for child in _children if child.poll() is None]


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
            meaning = (
                "processes of an earlier PostgreSQL still run on it and do not answer; end them "
                "and start again"
            )
            raise failure(layout.root, meaning)
        time.sleep(locks.POLL_INTERVAL_S)
    return None


def launch(
    layout: Layout, binaries: Binaries, account: Account, *, timeout_s: float
) -> Postmaster:
    """Start the server on its last port or a free one; returns when it takes connections."""
    _forget_dead_postmaster(layout)
    port = _last_port(layout) or free_port()
    for _ in range(_PORTS_TRIED):
        outcome = _try_launch(layout, binaries, account, port=port, timeout_s=timeout_s)
        if isinstance(outcome, Postmaster):
            return outcome
        if "could not create any TCP/IP sockets" not in outcome:
            raise failure_from_log(layout.root, outcome)
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


def _try_launch(
    layout: Layout, binaries: Binaries, account: Account, *, port: int, timeout_s: float
) -> Postmaster | str:
    """Start the server on one port; what it wrote when it ended instead."""
    log_sizes = _log_sizes(layout)
    alive = locks.open_lock(layout.alive_lock)
    with (
        layout.start_log.open("wb") as start_log,
        address_of(layout.cluster, account) as (address, inherited),
        locks.closing(alive),
    ):
        if not locks.locks_alone(alive):
            meaning = "another process has just started a server there; start again to share it"
            raise failure(layout.root, meaning)
        child = account.spawn(
            [
                binaries.program("postgres"),
                *("-D", address),
                *("-p", str(port)),
                *("-c", f"listen_addresses={LOOPBACK}"),
                *("-c", "unix_socket_directories="),
            ],
            output=start_log,
            inherit=(*inherited, alive),
        )
    _children.append(child)
    deadline = time.monotonic() + timeout_s
    while child.poll() is None:
        postmaster = read_postmaster(layout.cluster)
        if postmaster is not None and postmaster.pid == child.pid and postmaster.is_ready:
            return postmaster
        if time.monotonic() > deadline:
            meaning = f"PostgreSQL has not become ready within {timeout_s:.0f} s; see data/log"
            raise failure(layout.root, meaning, reported=_written(layout, log_sizes))
        time.sleep(locks.POLL_INTERVAL_S)
    reap()
    return _written(layout, log_sizes)


def _log_sizes(layout: Layout) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (layout.cluster / "log").glob("*.log")}


def _written(layout: Layout, sizes_before: dict[Path, int]) -> str:
    """Return what PostgreSQL wrote to its logs since the sizes were taken."""
    written = layout.start_log.read_bytes()
    for path in (layout.cluster / "log").glob("*.log"):
        written += path.read_bytes()[sizes_before.get(path, 0) :]
    return written.decode(errors="replace")
