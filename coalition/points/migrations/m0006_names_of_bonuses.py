"""What a member reads of a bonus, beside the source that it was given for."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0006"
VERSION = "1.38.0"
DESCRIPTION = "Names of bonuses"

NAMES = "ALTER TABLE earning_bonus ADD COLUMN name text"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="points", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(NAMES)

    manager.add_raw(run)
    return manager
