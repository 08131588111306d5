"""Rights that posting does not need: merges and suspensions are not done at a till."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Posting neither merges nor suspends"

RIGHTS = """
REVOKE UPDATE (expiry_suspended_until, merged_into) ON holder FROM coalition_poster;
REVOKE UPDATE (moved) ON debt FROM coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(RIGHTS)

    manager.add_raw(run)
    return manager
