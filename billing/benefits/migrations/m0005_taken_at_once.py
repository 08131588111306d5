"""An entitlement whose payment went back in the second in which it came holds for no time."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "Entitlements that were taken back at once"

# It stays known, so that what was given by the month for it goes back too.
ENTITLEMENTS = """
ALTER TABLE benefit_entitlement
    DROP CONSTRAINT an_entitlement_ends_after_it_begins,
    ADD CONSTRAINT an_entitlement_ends_after_it_begins
        CHECK (ends > begins OR (taken_back AND ends = begins))
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="benefits", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(ENTITLEMENTS)

    manager.add_raw(run)
    return manager
