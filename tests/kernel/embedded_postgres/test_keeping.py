"""A server that ends without having been told to is started again by whoever keeps it up."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from coalition.kernel.embedded_postgres import EmbeddedServer, kept_up, running, start
from coalition.kernel.embedded_postgres.layout import layout_of
from tests.kernel.embedded_postgres.queries import execute, fetch_value

PATIENCE_S = 30.0


async def test_a_killed_server_is_back_on_its_port_with_all_that_was_committed(
    directory: Path,
) -> None:
    with start(directory) as server, kept_up(server):
        await execute(server.url, "CREATE TABLE kept AS SELECT 1 AS number")
        os.kill(server.pid, signal.SIGKILL)
        revived = _another(directory, server)
        assert revived.port == server.port
        assert await fetch_value(server.url, "SELECT number FROM kept") == 1
    assert running(directory) is None


def test_a_server_that_cannot_start_is_tried_again_until_it_can(directory: Path) -> None:
    with start(directory, durable=False) as server, kept_up(server):
        control = layout_of(directory).cluster / "global" / "pg_control"
        hidden = control.rename(control.with_suffix(".hidden"))
        os.kill(server.pid, signal.SIGKILL)
        start_log = layout_of(directory).start_log
        before = start_log.stat().st_mtime_ns
        _wait_until(lambda: start_log.stat().st_mtime_ns > before)
        hidden.rename(control)
        assert _another(directory, server).port == server.port


def test_a_server_that_runs_and_one_that_was_let_go_are_left_alone(directory: Path) -> None:
    with start(directory, durable=False) as server:
        assert not server.revive()
        guest = running(directory)
        assert guest is not None
    assert not server.revive()
    assert not guest.revive()
    assert running(directory) is None


def _another(directory: Path, server: EmbeddedServer) -> EmbeddedServer:
    """Return the server that runs in place of the one that was killed."""
    _wait_until(lambda: (found := running(directory)) is not None and found.pid != server.pid)
    revived = running(directory)
    assert revived is not None
    return revived


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
