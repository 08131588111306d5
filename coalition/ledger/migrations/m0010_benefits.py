"""Points that the operator gives for a membership."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0010"
VERSION = "1.38.0"
DESCRIPTION = "Postings of benefits"

POSTINGS = """
ALTER TABLE posting
    DROP CONSTRAINT a_posting_has_a_known_kind,
    ADD CONSTRAINT a_posting_has_a_known_kind CHECK (kind BETWEEN 1 AND 11);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(POSTINGS)

    manager.add_raw(run)
    return manager
