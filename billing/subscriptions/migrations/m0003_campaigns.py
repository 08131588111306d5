"""Campaigns by which prices change, and what each member was told and has agreed to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Campaigns of prices"

CAMPAIGNS = """
CREATE TABLE price_campaign (
    no int4 NOT NULL,
    code text NOT NULL,
    document jsonb NOT NULL,
    moves jsonb NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    stopped_at timestamptz,
    stopped_by text,
    PRIMARY KEY (no),
    CONSTRAINT a_campaign_has_a_code_of_its_own UNIQUE (code),
    CONSTRAINT a_campaign_takes_two_persons CHECK (prepared_by <> approved_by),
    CONSTRAINT a_campaign_is_stopped_by_somebody
        CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
);
"""

# `acts` counts what was begun at Stripe, each under its own key; `doing` is what was begun and of
# which nothing is known yet. `look_at` is when to look next, null once all is done.
CHANGES = """
CREATE TABLE price_change (
    bucket int2 NOT NULL,
    campaign_no int4 NOT NULL,
    subscription text NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    from_price int4 NOT NULL,
    to_price int4 NOT NULL,
    country text NOT NULL,
    text_version text NOT NULL,
    wants_consent bool NOT NULL,
    told_at timestamptz NOT NULL,
    applies_at timestamptz NOT NULL,
    agreed_at timestamptz,
    state text NOT NULL,
    reason text NOT NULL,
    acts int4 NOT NULL DEFAULT 0,
    doing text,
    look_at timestamptz,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, campaign_no, subscription),
    CONSTRAINT a_price_changes_for_a_membership
        FOREIGN KEY (bucket, membership_id) REFERENCES membership (bucket, id),
    CONSTRAINT a_price_change_has_a_known_state
        CHECK (state IN ('told', 'scheduled', 'ending', 'done', 'kept', 'left')),
    CONSTRAINT a_price_change_that_is_over_is_not_looked_at
        CHECK ((look_at IS NULL) = (state IN ('done', 'kept', 'left'))),
    CONSTRAINT nobody_is_told_after_the_price CHECK (told_at <= applies_at),
    CONSTRAINT consent_is_asked_for_before_it_counts
        CHECK (state NOT IN ('scheduled') OR NOT wants_consent OR agreed_at IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX price_changes_that_are_due ON price_change (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX price_changes_of_a_member ON price_change (bucket, member_id);
CREATE INDEX memberships_at_a_price ON membership (price_no) WHERE ended_at IS NULL;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (CAMPAIGNS, CHANGES):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
