"""What a compensation paid goes back in parts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0014"
VERSION = "1.38.0"
DESCRIPTION = "Compensations taken back in parts"

# The parts are counted, so two who take back at once cannot both; `left_minor` is what is left of
# what they reverse, and it is never less than nothing. A compensation itself has neither.
PARTS = """
ALTER TABLE compensation DROP CONSTRAINT a_compensation_is_taken_back_once;
ALTER TABLE compensation ADD COLUMN back_no int4 NOT NULL DEFAULT 1;
ALTER TABLE compensation ADD COLUMN left_minor int4 NOT NULL DEFAULT 0;
ALTER TABLE compensation ADD CONSTRAINT parts_taken_back_are_counted
    UNIQUE (bucket, reverses, back_no);
ALTER TABLE compensation ADD CONSTRAINT no_more_is_taken_back_than_was_paid
    CHECK (left_minor >= 0 AND back_no >= 1);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(PARTS)

    manager.add_raw(run)
    return manager
