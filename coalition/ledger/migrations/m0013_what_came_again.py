"""Points that came into a lot again, so that what was earned is told from it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0013"
VERSION = "1.38.0"
DESCRIPTION = "What of a lot was not earned, though it came in"

# Of lots that their holder brought itself: what came back of spending, of a pool and of transfers
# that were undone, and what of an issue was reversed. Few lots ever have any.
AGAIN = """
CREATE TABLE lot_again (
    bucket int2 NOT NULL,
    lot uuid NOT NULL,
    points int8 NOT NULL,
    PRIMARY KEY (bucket, lot),
    CONSTRAINT something_came_again CHECK (points > 0)
) WITH (fillfactor = 80);
GRANT SELECT, INSERT ON lot_again TO coalition_poster;
GRANT UPDATE (points) ON lot_again TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(AGAIN)

    manager.add_raw(run)
    return manager
