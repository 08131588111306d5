"""Of what members were told ahead: that a trial ends, that a year renews."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Notices of ends of trials and renewals"

NOTICES = """
CREATE TABLE membership_notice (
    bucket int2 NOT NULL,
    membership_id uuid NOT NULL,
    about timestamptz NOT NULL,
    kind text NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, membership_id, about),
    CONSTRAINT a_notice_is_about_a_membership
        FOREIGN KEY (bucket, membership_id) REFERENCES membership (bucket, id),
    CONSTRAINT a_notice_has_a_known_kind CHECK (kind IN ('trial_ends', 'renews'))
);
CREATE INDEX memberships_by_end_of_period ON membership (period_end) WHERE ended_at IS NULL;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(NOTICES)

    manager.add_raw(run)
    return manager
