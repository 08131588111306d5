"""Opens the database of a command, with every migration it needs."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import uvloop

from coalition.kernel.database import (
    Engine,
    migrate,
    open_database,
    pending_migrations,
    transaction,
)
from coalition.kernel.settings import Settings
from server import distribution, house_clock
from server.apps import APPS
from server.exits import UNAVAILABLE, Stopped
from server.place import Place

Result = TypeVar("Result")

_FIRST_LEDGER_MIGRATION = "ledger/m0001"


@asynccontextmanager
async def opened(settings: Settings, *, pool_size: int = 2) -> AsyncIterator[Engine]:
    """Open the database of `settings` for as long as the block, whatever its migrations."""
    engine = await open_database(
        settings.database_url,
        apps=APPS,
        pool_size=pool_size,
        statement_cache_size=settings.statement_cache_size,
    )
    try:
        yield engine
    finally:
        await engine.close()


async def bring_up_to_date(engine: Engine) -> list[str]:
    """Run the migrations that `engine` lacks and return them; a new Citus database is spread."""
    done = await migrate(engine, APPS)
    if _FIRST_LEDGER_MIGRATION in done and engine.spreads:
        async with transaction() as connection:
            await distribution.let_nodes_in(connection)
            await distribution.distribute(connection)
    return done


async def require_migrations(engine: Engine, settings: Settings) -> None:
    """Have every migration run: by ourselves on an embedded database, else by who is asked to."""
    if settings.data_directory is not None:
        await bring_up_to_date(engine)
    elif missing := await pending_migrations(APPS):
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        message = f"the database lacks {len(missing)} migrations ({shown}); run `coalition migrate`"
        raise Stopped(message, exit_code=UNAVAILABLE)


def do(
    place: Place, work: Callable[[Settings], Awaitable[Result]], *, makes: bool = False
) -> Result:
    """Run `work` on the open, migrated database of `place` and return what it returns."""

    async def run(settings: Settings) -> Result:
        async with opened(settings) as engine:
            await require_migrations(engine, settings)
            return await work(settings)

    with place.opened(makes=makes) as settings:
        if told := house_clock.told():
            sys.stderr.write(told + "\n")
        return uvloop.run(run(settings))
