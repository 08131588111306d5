"""Money of gifts is booked, and its refunds and disputes are followed as Stripe has them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0011"
VERSION = "1.38.0"
DESCRIPTION = "Money of gifts"

# What a gift cost is booked for who bought it, who need not have a membership.
ENTRIES = """
ALTER TABLE membership_entry
    ALTER COLUMN membership_id DROP NOT NULL,
    ADD COLUMN gift_id uuid,
    ADD CONSTRAINT an_entry_is_for_a_membership_or_a_gift
        CHECK ((membership_id IS NULL) <> (gift_id IS NULL))
"""

# A payment as it was fetched last: fetches count, and a picture is applied only over an older one.
GIFTS = """
ALTER TABLE gift
    ADD COLUMN fetch_no int8 NOT NULL DEFAULT 0,
    ADD COLUMN applied_no int8 NOT NULL DEFAULT 0,
    ADD COLUMN picture bytea,
    ADD COLUMN applied_at timestamptz,
    ADD CONSTRAINT what_is_applied_of_a_gift_was_fetched CHECK (applied_no <= fetch_no),
    ADD CONSTRAINT a_picture_of_a_gift_is_applied
        CHECK ((picture IS NULL) = (applied_at IS NULL)),
    DROP CONSTRAINT a_gift_has_a_known_state,
    ADD CONSTRAINT a_gift_has_a_known_state CHECK (
        state IN ('open', 'paid', 'redeemed', 'expired', 'refunded', 'disputed', 'lost')
    )
"""

# Since when what was given is not paid for any more, and whether that is for good.
GROUNDS = """
ALTER TABLE membership_ground
    ADD COLUMN unpaid_from timestamptz,
    ADD COLUMN unpaid_for_good bool NOT NULL DEFAULT false;
GRANT UPDATE (unpaid_from, unpaid_for_good) ON membership_ground TO CURRENT_USER
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (ENTRIES, GIFTS, GROUNDS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
