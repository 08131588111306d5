"""Whether anything of a lot has expired, found by its key."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Expired postings by lot"

# Only what books points as expired is in it, so tills write nothing more. Who reverses an issue
# asks it: points that have expired are owed by nobody, also where their lot lives again.
EXPIRED = "CREATE INDEX posting_of_expired_lots ON posting (bucket, lot) WHERE kind = 4"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(EXPIRED)

    manager.add_raw(run)
    return manager
