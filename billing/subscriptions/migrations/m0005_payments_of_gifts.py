"""Gifts are found by their payment, for when that is given back."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "Gifts by payment"

PAYMENTS = "CREATE INDEX gifts_by_payment ON gift (payment) WHERE payment IS NOT NULL"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(PAYMENTS)

    manager.add_raw(run)
    return manager
