"""What is shared by who pays for it is a ground too."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Plans that are shared"

SHARED = """
ALTER TABLE benefit_entitlement DROP CONSTRAINT an_entitlement_has_a_ground;
ALTER TABLE benefit_entitlement ADD CONSTRAINT an_entitlement_has_a_ground
    CHECK (ground IN ('trial', 'paid', 'grace', 'gift', 'comped', 'sponsored', 'shared'));
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="benefits", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SHARED)

    manager.add_raw(run)
    return manager
