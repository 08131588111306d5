"""The table of idempotency claims."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Idempotency claims"

# The bucket comes from the claim's own digest: a key is unique for its client, across members.
SQL = """
CREATE TABLE idempotency_claim (
    bucket int2 NOT NULL,
    digest uuid NOT NULL,
    body_hash uuid NOT NULL,
    status int2 NOT NULL,
    media_type text NOT NULL,
    body bytea NOT NULL,
    claimed_at timestamptz NOT NULL,
    CONSTRAINT a_key_has_one_answer PRIMARY KEY (bucket, digest)
);
CREATE INDEX idempotency_claim_by_age ON idempotency_claim USING brin (claimed_at);
GRANT SELECT, INSERT ON idempotency_claim TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="idempotency", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
