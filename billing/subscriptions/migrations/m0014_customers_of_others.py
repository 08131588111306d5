"""A customer that is a member's here and not at Stripe is among what no look explains."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0014"
VERSION = "1.38.0"
DESCRIPTION = "Customers that are somebody else's at Stripe"

CUSTOMERS = """
ALTER TABLE membership_unexplained
    DROP CONSTRAINT what_is_unexplained_is_of_a_known_kind,
    ADD CONSTRAINT what_is_unexplained_is_of_a_known_kind CHECK (
        kind IN ('foreign', 'gone', 'price', 'invoice', 'payment', 'entry', 'customer'));
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(CUSTOMERS)

    manager.add_raw(run)
    return manager
