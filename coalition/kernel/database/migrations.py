"""Migrations: forward only, once, under a lock, each with its record in one transaction.

The files are Piccolo migration modules made of raw SQL. Piccolo's own command takes no lock and
records a migration after its commit; this runner takes one, records within the transaction, and
imports by real module names.
"""

import contextlib
import importlib
import io
import pkgutil
from collections.abc import Sequence
from types import ModuleType

from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import AppConfig

from coalition.kernel.database.engine import Engine, bound_engine

# Any number will do as long as it is ours alone; this is "coalition" in ASCII, shortened.
_LOCK_KEY = 0x636F616C6974


def _modules(app: AppConfig) -> dict[str, str]:
    """Return the modules of the migrations of `app` by their ids, in order.

    A file begins with its migration's id, so that nobody imports what ran long ago.
    """
    package = importlib.import_module(app.resolved_migrations_folder_path)
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return {name.partition("_")[0]: f"{package.__name__}.{name}" for name in names}


async def pending_migrations(apps: Sequence[AppConfig]) -> list[str]:
    """Return the migrations of `apps` that the bound database has not had, as "app/id"."""
    Migration._meta.db = bound_engine()  # noqa: SLF001 - Piccolo's own way to set a table's engine
    if not await Migration.table_exists().run():
        ran: set[tuple[str, str]] = set()
    else:
        rows = await Migration.select(Migration.app_name, Migration.name).run()
        ran = {(row["app_name"], row["name"]) for row in rows}
    return [
        f"{app.app_name}/{migration}"
        for app in apps
        for migration in _modules(app)
        if (app.app_name, migration) not in ran
    ]


async def migrate(engine: Engine, apps: Sequence[AppConfig]) -> list[str]:
    """Bring the database of `engine` up to date with `apps` in their order; return what was run.

    Several processes may call it at once: one works, the others wait and find nothing to do. A
    migration that fails leaves no trace of itself; the ones before it stand.
    """
    assert engine is bound_engine(), "the database that was opened last is the one to migrate"
    Migration._meta.db = engine  # noqa: SLF001 - Piccolo's own way to set a table's engine
    lock_holder = await engine.get_new_connection()
    try:
        await lock_holder.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        await Migration.create_table(if_not_exists=True).run()  # type: ignore[no-untyped-call]  # Piccolo's
        done = []
        pending = set(await pending_migrations(apps))
        for app in apps:
            for migration, module in _modules(app).items():
                name = f"{app.app_name}/{migration}"
                if name in pending:
                    await _run(engine, app, importlib.import_module(module))
                    done.append(name)
        return done
    finally:
        await lock_holder.close()


async def _run(engine: Engine, app: AppConfig, module: ModuleType) -> None:
    # Piccolo prints its progress; standard output belongs to the commands that answer with JSON.
    with contextlib.redirect_stdout(io.StringIO()):
        async with engine.begin("SET LOCAL lock_timeout = '10s';"):
            manager = await module.forwards()
            await manager.run()
            await Migration.insert(Migration(name=module.ID, app_name=app.app_name)).run()
