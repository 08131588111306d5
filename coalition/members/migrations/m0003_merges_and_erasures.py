"""Into whom a member was merged, and how far the erasure of a person has come."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Merged members and erasures"

# A merged member names its survivor directly: when that one is merged in turn, all who name it are
# told the new one. The survivor's row lives in another bucket, so there can be no foreign key.
MERGES = """
ALTER TABLE member
    ADD COLUMN merged_into uuid,
    ADD CONSTRAINT only_a_closed_member_was_merged
        CHECK (merged_into IS NULL OR state = 'closed'),
    ADD CONSTRAINT nobody_is_merged_into_oneself CHECK (merged_into <> id);
CREATE INDEX members_merged_into ON member (merged_into) WHERE merged_into IS NOT NULL;
GRANT SELECT (merged_into) ON member TO coalition_tenant;
"""

# A step that is done has a row, written in the step's own transaction: an erasure that was killed
# goes on with the first step that has none.
ERASURES = """
CREATE TABLE erasure (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (bucket, member_id),
    CONSTRAINT an_erasure_is_of_a_member FOREIGN KEY (bucket, member_id)
        REFERENCES member (bucket, id)
);

CREATE TABLE erasure_step (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    step text NOT NULL,
    done_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, step),
    CONSTRAINT a_step_belongs_to_an_erasure FOREIGN KEY (bucket, member_id)
        REFERENCES erasure (bucket, member_id)
);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="members", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(MERGES + ERASURES)

    manager.add_raw(run)
    return manager
