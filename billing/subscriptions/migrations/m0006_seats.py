"""Seats of plans: who shares the plan of whom."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0006"
VERSION = "1.38.0"
DESCRIPTION = "Seats of plans"

# A seat lies with who pays (`paid_by` is its membership), since that is where seats are counted: by
# their numbers, of which each is held once. `membership_id` is of the membership that it gives.
SEATS = """
CREATE TABLE membership_seat (
    bucket int2 NOT NULL,
    paid_by uuid NOT NULL,
    id uuid NOT NULL,
    no int4 NOT NULL,
    payer uuid NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz,
    why text,
    PRIMARY KEY (bucket, paid_by, id),
    CONSTRAINT a_seat_is_paid_by_a_membership
        FOREIGN KEY (bucket, paid_by) REFERENCES membership (bucket, id),
    CONSTRAINT seats_count_from_one CHECK (no >= 1),
    CONSTRAINT nobody_shares_its_own_plan CHECK (payer <> member_id),
    CONSTRAINT a_seat_ends_after_it_begins CHECK (ends >= begins),
    CONSTRAINT a_seat_ends_for_a_reason CHECK (
        (ends IS NULL) = (why IS NULL)
        AND why IN ('given_up', 'taken_back', 'left_family', 'left')
    )
);
CREATE UNIQUE INDEX a_seat_is_held_once ON membership_seat (bucket, paid_by, no)
    WHERE ends IS NULL;
CREATE INDEX seats_of_a_membership ON membership_seat (membership_id);
CREATE INDEX seats_of_a_member ON membership_seat (member_id) WHERE ends IS NULL;
CREATE INDEX seats_paid_by_a_member ON membership_seat (bucket, payer) WHERE ends IS NULL;
REVOKE UPDATE, DELETE, TRUNCATE ON membership_seat FROM CURRENT_USER;
GRANT UPDATE (ends, why) ON membership_seat TO CURRENT_USER;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SEATS)

    manager.add_raw(run)
    return manager
