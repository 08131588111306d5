"""A right that posting needs: what a merged member would owe goes over to the survivor at once."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0006"
VERSION = "1.38.0"
DESCRIPTION = "What is owed for what a merged member bought goes over at once"

RIGHTS = "GRANT UPDATE (moved) ON debt TO coalition_poster"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(RIGHTS)

    manager.add_raw(run)
    return manager
