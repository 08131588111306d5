"""Campaigns of prices rest, and go on."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0009"
VERSION = "1.38.0"
DESCRIPTION = "Pauses of campaigns"

# Who rested it before, and who let it go on, stands in the audit log.
PAUSES = """
ALTER TABLE price_campaign
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_by text,
    ADD CONSTRAINT a_campaign_is_paused_by_somebody
        CHECK ((paused_at IS NULL) = (paused_by IS NULL));
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(PAUSES)

    manager.add_raw(run)
    return manager
