"""Lets the role of postings see whether a client is revoked, and nothing else of it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Whether the sender of a batch is revoked"

# A batch of many lines is worked off long after its token was looked at.
SQL = """
GRANT SELECT (no, state) ON client TO coalition_poster;
CREATE POLICY all_partners ON client FOR SELECT TO coalition_poster USING (true);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
