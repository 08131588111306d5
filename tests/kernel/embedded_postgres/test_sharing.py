"""Several processes and one data directory: owners share the server, the last one out stops it."""

import os
import signal
from pathlib import Path

import pytest

from coalition.kernel.embedded_postgres import EmbeddedPostgresError, running, start
from tests.kernel.embedded_postgres.queries import execute, fetch_value
from tests.kernel.embedded_postgres.service import Service


async def test_a_server_outlives_its_killed_service_and_the_next_one_adopts_it(
    directory: Path,
) -> None:
    with Service(directory) as killed:
        answer = killed.answer
        await execute(answer["url"], "CREATE TABLE kept AS SELECT 'yes' AS word")
        killed.signal(signal.SIGKILL)
    assert running(directory) is not None
    adopting = start(directory, durable=False)
    assert adopting.was_running
    assert (adopting.pid, adopting.url) == (answer["pid"], answer["url"])
    assert await fetch_value(adopting.url, "SELECT word FROM kept") == "yes"
    adopting.stop()
    assert running(directory) is None


def test_two_services_that_start_at_once_share_one_server(directory: Path) -> None:
    with Service(directory) as one, Service(directory) as other:
        assert one.answer["pid"] == other.answer["pid"]
        assert sorted([one.answer["was_running"], other.answer["was_running"]]) == [False, True]
        starter, joiner = (one, other) if other.answer["was_running"] else (other, one)
        assert starter.tell("stop") == 0
        assert running(directory) is not None, "the other service still lives"
        assert joiner.tell("stop") == 0
        assert running(directory) is None


def test_ctrl_c_on_the_service_does_not_reach_the_server(directory: Path) -> None:
    with Service(directory) as service:
        pid = service.answer["pid"]
        service.signal(signal.SIGINT)
        assert service.process.returncode != 0
        left = running(directory)
        assert left is not None
        assert left.pid == pid
    start(directory, durable=False).stop()
    assert running(directory) is None


def test_a_guest_joins_without_owning(directory: Path) -> None:
    assert running(directory) is None
    assert not directory.exists(), "a look leaves no trace"
    owner = start(directory, durable=False)
    with running(directory) or pytest.fail("nothing to join") as guest:
        assert guest == owner or (guest.url, guest.pid) == (owner.url, owner.pid)
    assert running(directory) is not None, "a guest's stop does nothing"
    owner.stop()
    assert running(directory) is None


def test_stop_may_be_repeated_and_counts_once(directory: Path) -> None:
    first, second = start(directory, durable=False), start(directory, durable=False)
    first.stop()
    first.stop()
    assert running(directory) is not None
    second.stop()
    second.stop()
    assert running(directory) is None


def test_stop_after_the_server_was_killed_is_quiet(directory: Path) -> None:
    server = start(directory, durable=False)
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert running(directory) is None


def test_a_forked_child_neither_stops_nor_keeps_what_its_parent_owns(directory: Path) -> None:
    with start(directory, durable=False) as server:
        stopping = os.fork()
        if stopping == 0:
            server.stop()
            os._exit(0)
        assert os.waitpid(stopping, 0) == (stopping, 0)
        assert running(directory) is not None
        staying = os.fork()
        if staying == 0:
            signal.pause()
    try:
        assert running(directory) is None
        start(directory, durable=False).stop()
    finally:
        os.kill(staying, signal.SIGKILL)
        os.waitpid(staying, 0)


def test_a_durable_service_does_not_share_a_throw_away_server(directory: Path) -> None:
    with start(directory, durable=False):
        with pytest.raises(EmbeddedPostgresError, match="without durability"):
            start(directory)
        assert running(directory) is not None
    with start(directory) as durable, start(directory, durable=False) as sharing:
        assert sharing.pid == durable.pid
