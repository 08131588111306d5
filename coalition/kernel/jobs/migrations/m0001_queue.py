"""The tables of the job queue: pgqueuer's own schema, installed under our migration lock."""

from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "The job queue"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="jobs", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await Queries(AsyncpgDriver(connection)).install()

    manager.add_raw(run)
    return manager
