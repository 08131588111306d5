"""Which version of a country's terms held when a member was told."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0008"
VERSION = "1.38.0"
DESCRIPTION = "Text versions of notices"

TEXTS = """
ALTER TABLE membership_notice ADD COLUMN text_version text;
CREATE INDEX membership_notices_by_time ON membership_notice (told_at);
CREATE INDEX price_changes_by_time ON price_change (told_at);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(TEXTS)

    manager.add_raw(run)
    return manager
