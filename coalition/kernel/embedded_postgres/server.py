"""Start, adopt, join and stop the PostgreSQL server of a data directory.

Who may do what:
- `start` makes the caller an owner. The first owner starts the server, later ones share it, and an
  owner that finds a server whose service was killed adopts it.
- `stop` ends ownership. The last owner out stops the server; before that it stays up.
- A killed owner is no owner any more: the system itself drops its lock.
- An owner may `revive` a server that ended without having been told to.
- `running` joins as a guest: its `stop` does nothing, and the server does not wait for guests.
"""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from coalition.kernel.embedded_postgres import launch, locks
from coalition.kernel.embedded_postgres.accounts import account_for
from coalition.kernel.embedded_postgres.binaries import find_binaries, programs_for
from coalition.kernel.embedded_postgres.clusters import (
    configure_cluster,
    is_durable,
    make_cluster,
)
from coalition.kernel.embedded_postgres.failures import explained, failure
from coalition.kernel.embedded_postgres.layout import Layout, cluster_version, layout_of
from coalition.kernel.embedded_postgres.postmaster import Postmaster, read_postmaster

# Recovery after a crash reads up to 8 GB of log; a shutdown writes up to 1 GB of buffers.
_START_TIMEOUT_S: Final = 600.0
_STOP_TIMEOUT_S: Final = 120.0
_END_TIMEOUT_S: Final = 10.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server of one data directory; as a context manager it stops at the end."""

    url: str = field(repr=False)
    """`postgresql://user:password@127.0.0.1:port/coalition`; a secret."""
    port: int
    pid: int
    data_directory: Path
    was_running: bool
    """Whether it ran already when we came: shared with another owner, adopted, or joined."""
    _ownership: "_Ownership | None" = field(repr=False, compare=False)

    def stop(self) -> None:
        """Let go of the server, and stop it (fast) when no other owner is left. May be repeated."""
        if self._ownership is not None:
            with explained(self.data_directory):
                self._ownership.release()

    def revive(self, *, log: Callable[[str], None] = _logger.info) -> bool:
        """Start the server again if all its processes have ended; whether they had.

        Costs next to nothing while it runs. It comes back on its port, with `pid` out of date.
        Raises `EmbeddedPostgresError`, also when another program has taken the port meanwhile:
        only a new `start` tells the new address.
        """
        layout = layout_of(self.data_directory)
        with explained(self.data_directory):
            if locks.is_held(layout.alive_lock):
                return False
            with locks.alone(layout.starting_lock, timeout_s=_START_TIMEOUT_S):
                if self._ownership is None or not self._ownership.stands:
                    return False
                if launch.await_running(layout, timeout_s=_START_TIMEOUT_S) is not None:
                    return False
                revived = _bring_up(layout, durable=is_durable(layout), log=log)
            if revived.port != self.port:
                meaning = f"it was ended and its port {self.port} is taken since; start again"
                raise failure(layout.root, meaning)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    data_directory: Path,
    *,
    durable: bool = True,
    log: Callable[[str], None] = _logger.info,
) -> EmbeddedServer:
    """Own the server of a data directory: make, start, share or adopt it, whichever is needed.

    Returns when it takes connections. `durable=False` is for databases that may be lost, in tests.
    `log` is told in a sentence what happens. Raises `EmbeddedPostgresError`.
    """
    with explained(data_directory):
        layout = layout_of(data_directory)
        data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        layout.root.mkdir(mode=0o711, exist_ok=True)
        with locks.alone(layout.starting_lock, timeout_s=_START_TIMEOUT_S):
            ownership = _Ownership(layout)
            try:
                found = launch.await_running(layout, timeout_s=_START_TIMEOUT_S)
                if found is not None:
                    _require_durability(layout, durable=durable)
                    log(f"PostgreSQL is running already on port {found.port}; sharing it")
                postmaster = found or _bring_up(layout, durable=durable, log=log)
            except BaseException:
                ownership.give_up()
                raise
        return _server(data_directory, layout, postmaster, ownership, was_running=found is not None)


def running(data_directory: Path) -> EmbeddedServer | None:
    """Join the server of a data directory as a guest, if one is running and takes connections.

    Raises `EmbeddedPostgresError` when the directory is another user's.
    """
    with explained(data_directory):
        layout = layout_of(data_directory)
        if not locks.is_held(layout.alive_lock):
            return None
        postmaster = read_postmaster(layout.cluster)
        if postmaster is None or not (postmaster.is_ready and postmaster.answers):
            return None
        return _server(data_directory, layout, postmaster, None, was_running=True)


def _server(
    data_directory: Path,
    layout: Layout,
    postmaster: Postmaster,
    ownership: "_Ownership | None",
    *,
    was_running: bool,
) -> EmbeddedServer:
    return EmbeddedServer(
        url=layout.url(postmaster.port),
        port=postmaster.port,
        pid=postmaster.pid,
        data_directory=data_directory,
        was_running=was_running,
        _ownership=ownership,
    )


def _bring_up(layout: Layout, *, durable: bool, log: Callable[[str], None]) -> Postmaster:
    """Start a server that is not running, making its cluster when there is none."""
    account = account_for(layout.cluster)
    version = cluster_version(layout)
    programs = programs_for(find_binaries(version=version), account)
    if version is None:
        log(f"making a PostgreSQL {programs.binaries.version} database in {layout.root}")
        make_cluster(layout, programs, durable=durable)
    configure_cluster(layout, programs, durable=durable)
    postmaster = launch.launch(layout, programs, timeout_s=_START_TIMEOUT_S)
    log(f"PostgreSQL {programs.binaries.version} is up on port {postmaster.port}")
    return postmaster


def _require_durability(layout: Layout, *, durable: bool) -> None:
    if durable and not is_durable(layout):
        meaning = (
            "the server that is running there was started without durability, for tests; stop it "
            "and start again, or choose another directory"
        )
        raise failure(layout.root, meaning)


class _Ownership:
    """One owner's share in the `owners` lock; the last share to go stops the server."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._process = os.getpid()
        self._lock: int | None = locks.open_lock(layout.owners_lock)
        # Nobody holds it alone now: that happens only under the starting lock, which we hold.
        assert locks.locks_together(self._lock), "an owner is stopping outside the starting lock"

    @property
    def stands(self) -> bool:
        """Whether the share was not given up yet."""
        return self._lock is not None

    def release(self) -> None:
        """Give up the share, stopping the server if it is the last.

        A process forked from the owner shares the owner's lock: it only closes its copy.
        """
        if self._lock is None:
            return
        if os.getpid() != self._process:
            os.close(self._lock)
            self._lock = None
            return
        with locks.alone(self._layout.starting_lock, timeout_s=_START_TIMEOUT_S):
            try:
                if locks.locks_alone(self._lock):
                    _shut_down(self._layout)
            finally:
                self.give_up()

    def give_up(self) -> None:
        """Give up the share and leave the server as it is."""
        if self._lock is not None:
            locks.unlock(self._lock)
            os.close(self._lock)
            self._lock = None


def _shut_down(layout: Layout) -> None:
    """Stop the server and wait for the last of its processes; nothing to do when it is gone."""
    for how, timeout_s in ((signal.SIGINT, _STOP_TIMEOUT_S), (signal.SIGQUIT, _END_TIMEOUT_S)):
        postmaster = read_postmaster(layout.cluster)
        is_alive = postmaster is not None and postmaster.answers
        if postmaster is not None and is_alive and locks.is_held(layout.alive_lock):
            postmaster.shut_down(how)
        if launch.has_ended(layout, timeout_s=timeout_s if is_alive else _END_TIMEOUT_S):
            return
    meaning = "PostgreSQL did not stop; see its log in data/log and end its processes"
    raise failure(layout.root, meaning)
