"""A relationship is declared by one member and holds when the other has confirmed it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Relationships that members declare and confirm"

# There is a row for each of both, so that each finds it under its own id. `by_other` tells whose
# word is awaited. What has ended keeps whether evidence was asked for: declaring it anew does not
# make that go away. Those that there are were said by both when they joined, or to the staff.
WORDS = """
ALTER TABLE relationship
    ADD COLUMN by_other bool NOT NULL DEFAULT false,
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN ended_at timestamptz;
UPDATE relationship SET confirmed_at = declared_at;
ALTER TABLE relationship
    ADD CONSTRAINT a_relationship_that_ended_holds_no_more
        CHECK (ended_at IS NULL OR num_nonnulls(confirmed_at, proved_at) = 0);
"""


async def forwards() -> MigrationManager:
    """Let relationships be confirmed and ended."""
    manager = MigrationManager(migration_id=ID, app_name="families", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(WORDS)

    manager.add_raw(run)
    return manager
