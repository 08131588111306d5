"""Look at and signal the main process of a PostgreSQL: its lock file, its port, its end."""

import os
import secrets
import signal
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# PostgreSQL protocol, "SSLRequest": any living server answers one byte before it asks who we are.
_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_PROBE_TIMEOUT_S: Final = 2.0
_NEVER_OUTGOING: Final = range(20_000, 32_000)
_PORTS_TRIED: Final = 20
_LINES_WITH_STATUS: Final = 8


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says of a running (or killed) server."""

    pid: int
    port: int
    is_ready: bool

    @property
    def answers(self) -> bool:
        """Whether a PostgreSQL speaks on that port: the process in the file may be long dead."""
        try:
            with socket.create_connection((LOOPBACK, self.port), _PROBE_TIMEOUT_S) as probe:
                probe.sendall(_SSL_REQUEST)
                return probe.recv(1) in {b"N", b"S"}
        except OSError:
            return False

    def shut_down(self, how: signal.Signals) -> None:
        """Ask it to end: SIGINT disconnects everybody and writes all down, SIGQUIT just ends."""
        try:
            # We started it as the leader of a session. A process that is none has taken over the
            # pid of a server that is gone, and is not ours to signal.
            if os.getsid(self.pid) == self.pid:
                os.kill(self.pid, how)
        except ProcessLookupError:
            return


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Read the lock file of a cluster; None when there is none or it is half written."""
    try:
        text = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    lines = text.splitlines()
    if len(lines) < _LINES_WITH_STATUS or not (lines[0].isdigit() and lines[3].isdigit()):
        return None
    return Postmaster(pid=int(lines[0]), port=int(lines[3]), is_ready=lines[7].strip() == "ready")


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment.

    Preferably none of those that systems give to outgoing connections: while a server is down, one
    of these, or a client's own attempt to reach it, could take its port and keep it from coming
    back.
    """
    for _ in range(_PORTS_TRIED):
        port = secrets.choice(_NEVER_OUTGOING)
        try:
            with socket.create_server((LOOPBACK, port)):
                return port
        except OSError:
            continue
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
