"""What no look at Stripe explains: kept, counted once, and set aside by staff with a reason."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0012"
VERSION = "1.38.0"
DESCRIPTION = "What reconciliations cannot explain"

# `explained_at` is when a whole reconciliation found it no more; what comes again then is news.
UNEXPLAINED = """
CREATE TABLE membership_unexplained (
    id text NOT NULL,
    kind text NOT NULL,
    customer_id text,
    member_id uuid,
    told text NOT NULL,
    found_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    explained_at timestamptz,
    set_aside_at timestamptz,
    set_aside_by text,
    reason text,
    PRIMARY KEY (id, kind),
    CONSTRAINT what_is_unexplained_is_of_a_known_kind
        CHECK (kind IN ('foreign', 'gone', 'price', 'invoice', 'payment', 'entry')),
    CONSTRAINT what_is_set_aside_is_so_by_somebody_for_a_reason CHECK (
        (set_aside_at IS NULL) = (set_aside_by IS NULL)
        AND (set_aside_at IS NULL) = (reason IS NULL)
        AND reason <> ''
    ),
    CONSTRAINT what_is_seen_was_found CHECK (seen_at >= found_at)
);
CREATE INDEX unexplained_that_waits ON membership_unexplained (found_at)
    WHERE explained_at IS NULL AND set_aside_at IS NULL;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(UNEXPLAINED)

    manager.add_raw(run)
    return manager
