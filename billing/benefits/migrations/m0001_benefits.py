"""Entitlements as they were applied last, monthly points that were given, uses at tills."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Entitlements, grants and uses of benefits"

# What a membership entitles a member to, as it was applied last. It follows what is known of the
# payments, so it may change; what was given by it is in the other tables, which only grow.
ENTITLEMENTS = """
CREATE TABLE benefit_entitlement (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    no int4 NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    plan_no int4 NOT NULL,
    ground text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    source text NOT NULL,
    taken_back bool NOT NULL,
    PRIMARY KEY (bucket, member_id, membership_id, no),
    CONSTRAINT an_entitlement_is_of_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id),
    CONSTRAINT an_entitlement_ends_after_it_begins CHECK (ends > begins),
    CONSTRAINT an_entitlement_has_a_ground
        CHECK (ground IN ('trial', 'paid', 'grace', 'gift', 'comped', 'sponsored'))
);
"""

# `months_from` is where the months of the membership are counted from, once they are; `due_at` when
# the next one begins or something is to be taken back, and null while nothing is.
MONTHS = """
CREATE TABLE benefit_schedule (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    months_from timestamptz,
    due_at timestamptz,
    PRIMARY KEY (bucket, member_id, membership_id),
    CONSTRAINT a_schedule_is_of_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id)
);
CREATE INDEX benefit_schedule_due ON benefit_schedule (due_at) WHERE due_at IS NOT NULL;
"""

# The higher of two plans in one month gives what the lower has not given yet, so a plan gives a
# benefit once a month however often it is changed to. Each funder's share is a grant of its own.
GRANTS = """
CREATE TABLE benefit_grant (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    month int4 NOT NULL,
    no int4 NOT NULL,
    plan_no int4 NOT NULL,
    benefit text NOT NULL,
    funder_no int4 NOT NULL,
    points int4 NOT NULL,
    posting uuid NOT NULL,
    granted_at timestamptz NOT NULL,
    taken_back_at timestamptz,
    PRIMARY KEY (bucket, member_id, membership_id, month, no),
    CONSTRAINT a_grant_is_of_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id),
    CONSTRAINT a_grant_gives_points CHECK (points > 0),
    CONSTRAINT months_of_a_membership_count_from_zero CHECK (month >= 0),
    CONSTRAINT a_grant_is_taken_back_later CHECK (taken_back_at >= granted_at)
);
CREATE UNIQUE INDEX a_benefit_is_granted_once_a_month
    ON benefit_grant (bucket, member_id, membership_id, month, plan_no, benefit, funder_no)
    WHERE taken_back_at IS NULL;
REVOKE UPDATE, TRUNCATE ON benefit_grant FROM CURRENT_USER;
GRANT UPDATE (taken_back_at) ON benefit_grant TO CURRENT_USER;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="benefits", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(ENTITLEMENTS)
            await connection.execute(MONTHS)
            await connection.execute(GRANTS)

    manager.add_raw(run)
    return manager
