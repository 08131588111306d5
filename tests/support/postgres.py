"""One throw-away PostgreSQL server for all test processes, a fresh migrated database for each test.

The first process to arrive migrates a template; a clone of it costs about twenty milliseconds. Most
of a clone are its hundreds of files, so they lie in memory where the system offers a folder there:
on some disks a file made soon after others were deleted is dear (docs/adr/0060).
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from coalition.kernel import database, embedded_postgres
from coalition.kernel.embedded_postgres import EmbeddedPostgresError, launch, locks
from coalition.kernel.embedded_postgres.layout import layout_of
from server.apps import APPS
from tests.support.folders import IN_MEMORY, make_folder, remove_what_killed_processes_left

TEMPLATE = "template1"
"""What every new database is a copy of, unless it is said otherwise: here it has all migrations."""

EMPTY = "template0"
"""What has nothing in it."""

_NAME = f"coalition-tests-{os.geteuid()}-"
_PATIENCE_S = 60.0

# Cloning and dropping look through all shared buffers and end with a checkpoint: both stay small.
# No test waits for a vacuum, and a password is not what keeps anybody out of this server.
_SETTINGS = (
    "ALTER SYSTEM SET shared_buffers = '64MB'",
    "ALTER SYSTEM SET max_wal_size = '256MB'",
    "ALTER SYSTEM SET wal_compression = off",
    "ALTER SYSTEM SET autovacuum = off",
    "ALTER SYSTEM SET scram_iterations = 1",
)


def url_of(server_url: str, name: str) -> str:
    """Return the address of database `name` on the server of `server_url`."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


class _Operator:
    """This process's standing connection to a server, on an event loop of its own."""

    def __init__(self, server_url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(server_url))

    def execute(self, statement: str) -> None:
        self._runner.run(self._connection.execute(statement))

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


_operators: dict[str, _Operator] = {}
"""The operator of each server that this process uses, by the server's address."""


@contextmanager
def test_server(shared: Path) -> Iterator[str]:
    """Yield the address of the server of all who share a folder; the last of them removes it."""
    shared.mkdir(parents=True, exist_ok=True)
    with _alone():
        place = _place(shared)
        server = _start(place)
    _operators[server.url] = _Operator(server.url)
    try:
        yield server.url
    finally:
        _operators.pop(server.url).close()
        with _alone():
            server.stop()
            _remove_if_ended(place)
        if not server.was_running:
            _await_the_others(place)
        # Also of servers that tests killed: no child is left of which nobody knows the end.
        with _alone():
            launch.reap()


def create_database(server_url: str, *, template: str = TEMPLATE) -> str:
    """Clone the template, or PostgreSQL's own without anything; return the address of the clone."""
    name = f"test_{secrets.token_hex(6)}"
    _operators[server_url].execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return url_of(server_url, name)


def drop_database(server_url: str, url: str) -> None:
    """Drop a clone, whoever is still connected to it."""
    name = urlsplit(url).path[1:]
    _operators[server_url].execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes, of other runs too, from beginning or ending with a server."""
    with Path(tempfile.gettempdir(), f"{_NAME}lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _place(shared: Path) -> Path:
    """Return where the server lies, as the first to ask decided: in memory if there is enough."""
    decided = shared / "server.place"
    if not decided.exists():
        _remove_what_killed_runs_left()
        remove_what_killed_processes_left()
        decided.write_text(str(make_folder(_NAME)))
    return Path(decided.read_text())


def _remove_what_killed_runs_left() -> None:
    for left in IN_MEMORY.glob(f"{_NAME}*/"):
        if _is_up(left):
            # Ends a server without an owner; of one that has owners, this is one more and goes.
            with suppress(EmbeddedPostgresError):
                embedded_postgres.start(left, durable=False).stop()
        _remove_if_ended(left)


def _is_up(place: Path) -> bool:
    """Tell whether any process of the server lives, however busy the machine is."""
    return locks.is_held(layout_of(place).alive_lock)


def _remove_if_ended(place: Path) -> None:
    if not _is_up(place):
        shutil.rmtree(place)


def _await_the_others(place: Path) -> None:
    """Stay until the last has stopped what this process started: a parent sees its child end."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (not _is_up(place) or time.monotonic() > deadline):
        time.sleep(0.05)


def _start(place: Path) -> embedded_postgres.EmbeddedServer:
    """Start the server or share it; whoever starts it makes the template."""
    made = place / "template.made"
    if not made.exists():
        with embedded_postgres.start(place, durable=False) as server:
            asyncio.run(_execute(server.url, *_SETTINGS))
    server = embedded_postgres.start(place, durable=False)
    if not made.exists():
        password = urlsplit(server.url).password
        asyncio.run(_execute(server.url, f"ALTER ROLE CURRENT_USER PASSWORD '{password}'"))
        asyncio.run(_migrate(url_of(server.url, TEMPLATE)))
        made.touch()
    return server


async def _migrate(url: str) -> None:
    engine = await database.open_database(url, apps=APPS)
    try:
        await database.migrate(engine, APPS)
    finally:
        await engine.close()
    # Leaves the catalogue's cache in the template, so that no clone has to build it first.
    await _execute(url, "SELECT 1")
