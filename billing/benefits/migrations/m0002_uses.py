"""What members had of their plans at tills, in money."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Uses of benefits at tills"

# A use is on one receipt of a partner, once for each benefit, whichever member it names: the claim
# lies in a bucket of its own digest. `compensations` are the facts by which others pay for it.
USES = """
CREATE TABLE benefit_use (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    partner_no int4 NOT NULL,
    receipt text NOT NULL,
    benefit text NOT NULL,
    membership_id uuid NOT NULL,
    plan_no int4 NOT NULL,
    saved_minor int4 NOT NULL,
    currency text NOT NULL,
    store_no int4,
    used_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    compensations uuid[] NOT NULL,
    returned_at timestamptz,
    PRIMARY KEY (bucket, member_id, partner_no, receipt, benefit),
    CONSTRAINT a_use_is_of_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id),
    CONSTRAINT a_use_saves_money CHECK (saved_minor > 0)
);
REVOKE UPDATE, TRUNCATE ON benefit_use FROM CURRENT_USER;
GRANT UPDATE (returned_at) ON benefit_use TO CURRENT_USER;

CREATE TABLE benefit_use_claim (
    bucket int2 NOT NULL,
    digest uuid NOT NULL,
    member_id uuid NOT NULL,
    PRIMARY KEY (bucket, digest)
);
REVOKE UPDATE, TRUNCATE ON benefit_use_claim FROM CURRENT_USER;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="benefits", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(USES)

    manager.add_raw(run)
    return manager
