"""A scratch database for one story: made for it, used by it alone, and gone afterwards."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from coalition.kernel import embedded_postgres
from coalition.kernel.database import Engine, migrate, open_database
from server.apps import APPS
from server.place import Place

PREFIX: Final = "coalition_scenario_"
"""How the names of scratch databases begin on a server that others use as well."""

_POOL: Final = 4


@contextmanager
def server_for(place: Place) -> Iterator[str | None]:
    """Yield the address of the server of `place` when it names one, else None.

    A data directory that is there lends its embedded server; nothing in it is touched.
    """
    if place.database_url is not None:
        yield place.database_url
    elif place.data is not None:
        with place.opened() as settings:
            yield settings.database_url
    else:
        yield None


@asynccontextmanager
async def database(server_url: str | None) -> AsyncIterator[Engine]:
    """Open a migrated database of our own, beside that of `server_url` or on a server of our own.

    It is removed when the block ends, however it ends. Raises what starting and opening raise.
    """
    if server_url is not None:
        async with _beside(server_url) as url, _opened(url) as engine:
            yield engine
        return
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        # Starting takes a while and waits: it must not keep the loop from hearing Ctrl-C.
        server = await asyncio.to_thread(
            embedded_postgres.start, Path(folder) / "data", durable=False, log=lambda _: None
        )
        with server:
            async with _opened(server.url) as engine:
                yield engine


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Engine]:
    engine = await open_database(url, apps=APPS, pool_size=_POOL)
    try:
        await migrate(engine, APPS)
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def _beside(server_url: str) -> AsyncIterator[str]:
    name = PREFIX + secrets.token_hex(8)
    await _execute(server_url, f"CREATE DATABASE {name}")
    try:
        # What is thrown away need not survive a crash.
        await _execute(server_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        # Shielded, so that a second Ctrl-C does not leave it behind.
        await asyncio.shield(_execute(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
