"""Passages remember whether what is spent of others' points is activity of theirs."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0009"
VERSION = "1.38.0"
DESCRIPTION = "Whether spending points of others is activity of theirs"

# Of a hold it is said when its points pass, and counts when they are redeemed.
ACTIVITY = "ALTER TABLE passage ADD COLUMN is_activity bool NOT NULL DEFAULT false"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(ACTIVITY)

    manager.add_raw(run)
    return manager
