"""What the coalition speaks to people who have chosen no language."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "The language of the coalition"

# Everybody was spoken to in English before.
SQL = """
ALTER TABLE coalition
    ADD COLUMN language text NOT NULL DEFAULT 'en',
    ADD CONSTRAINT a_coalition_speaks_a_language CHECK (language ~ '^[a-z]{2}$');
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="federation", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
