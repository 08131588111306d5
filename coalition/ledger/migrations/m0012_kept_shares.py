"""Points that one holder has and another brought may be kept from ending by the other's tier."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0012"
VERSION = "1.38.0"
DESCRIPTION = "Shares of contributors whose expiry is suspended"

# It lies with the holder, beside the lots that it is about; `follows` is whose tiers count. Only
# holders that are marked are ever asked for one.
SHARES = """
CREATE TABLE kept_share (
    bucket int2 NOT NULL,
    holder uuid NOT NULL,
    contributor uuid NOT NULL,
    follows uuid NOT NULL,
    until date,
    PRIMARY KEY (bucket, holder, contributor),
    CONSTRAINT a_kept_share_has_a_holder FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id)
);
CREATE INDEX shares_that_follow_a_member ON kept_share (follows);
ALTER TABLE holder ADD COLUMN keeps_shares bool NOT NULL DEFAULT false;
"""

RIGHTS = "GRANT SELECT ON kept_share TO coalition_poster"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (SHARES, RIGHTS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
