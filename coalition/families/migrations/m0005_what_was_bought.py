"""What of limits a redemption or a hold has used, so that what comes back gives it back."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "Redemptions that limits count, and what of them came back"

# By the posting or the hold, in its bucket; only what rules limit is there. Of a hold that was
# captured what is left is told by the posting.
BOUGHT = """
CREATE TABLE family_redemption (
    bucket int2 NOT NULL,
    act uuid NOT NULL,
    is_hold bool NOT NULL,
    member_id uuid NOT NULL,
    group_id uuid NOT NULL,
    day date NOT NULL,
    points int8 NOT NULL,
    returned int8 NOT NULL,
    PRIMARY KEY (bucket, act),
    CONSTRAINT a_redemption_has_a_holder
        FOREIGN KEY (bucket, member_id) REFERENCES holder (bucket, id),
    CONSTRAINT no_more_of_a_redemption_comes_back_than_was_counted
        CHECK (points > 0 AND returned BETWEEN 0 AND points)
) WITH (fillfactor = 80);
CREATE INDEX holds_that_limits_count ON family_redemption (bucket, act)
    WHERE is_hold AND returned < points;
"""

RIGHTS = """
GRANT SELECT, INSERT ON family_redemption TO coalition_poster;
GRANT UPDATE (returned) ON family_redemption TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="families", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (BOUGHT, RIGHTS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
