"""What was asked of a subscription is found by it: whether its member ended it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Intents of a subscription"

INDEX = """
CREATE INDEX stripe_intents_of_a_subscription ON stripe_intent ((request ->> 'subscription'))
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="gateway", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(INDEX)

    manager.add_raw(run)
    return manager
