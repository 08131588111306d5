"""The table of events that wait for the relay."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "The outbox"

# Rows live for a quarter of a second, so dead ones are cleared away early and often.
SQL = """
CREATE TABLE outbox (
    id uuid NOT NULL,
    shard int2 NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL,
    CONSTRAINT an_event_has_one_id PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
GRANT INSERT ON outbox TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="outbox", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
