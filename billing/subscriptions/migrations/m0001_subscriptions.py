"""Memberships, what stands behind them, their ledger, and subscriptions as Stripe has them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Memberships, their grounds and ledger, and pictures of subscriptions"

# A subscription as it was fetched last, found by a bucket of its own id's digest: an event names no
# member. Fetches count; a picture is applied only over an older one.
PICTURES = """
CREATE TABLE stripe_subscription (
    bucket int2 NOT NULL,
    id text NOT NULL,
    fetch_no int8 NOT NULL DEFAULT 0,
    applied_no int8 NOT NULL DEFAULT 0,
    member_id uuid,
    membership_id uuid,
    customer_id text,
    status text,
    picture bytea,
    applied_at timestamptz,
    PRIMARY KEY (bucket, id),
    CONSTRAINT what_is_applied_was_fetched CHECK (applied_no <= fetch_no),
    CONSTRAINT a_picture_is_applied CHECK ((picture IS NULL) = (applied_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX subscriptions_of_a_membership ON stripe_subscription (membership_id)
    WHERE membership_id IS NOT NULL;
"""

# `turns_at` is when the state changes by itself: a period, a grace or a pause ends. `period_start`
# and `period_end` are the billing period of what the member is entitled to now, or was last.
MEMBERSHIPS = """
CREATE TABLE membership (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    state text NOT NULL,
    ground text,
    plan_no int4 NOT NULL,
    price_no int4,
    subscription text,
    customer_id text,
    started_at timestamptz NOT NULL,
    entitled_until timestamptz,
    period_start timestamptz,
    period_end timestamptz,
    turns_at timestamptz,
    ended_at timestamptz,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_membership_is_of_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id),
    CONSTRAINT a_membership_has_a_known_state CHECK (
        state IN ('trialing', 'active', 'grace', 'paused', 'suspended', 'ended')
    ),
    CONSTRAINT a_membership_has_ended_when_it_has_ended
        CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT a_membership_holds_on_a_ground
        CHECK ((ground IS NOT NULL) = (state IN ('trialing', 'active', 'grace')))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX one_live_membership_per_member ON membership (bucket, member_id)
    WHERE ended_at IS NULL;
CREATE UNIQUE INDEX one_membership_per_subscription ON membership (bucket, subscription)
    WHERE subscription IS NOT NULL;
CREATE INDEX memberships_of_a_member ON membership (bucket, member_id);
CREATE INDEX memberships_that_turn ON membership (turns_at) WHERE turns_at IS NOT NULL;
"""

# What entitles without Stripe: months that were given, granted or paid by a partner.
GROUNDS = """
CREATE TABLE membership_ground (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    ground text NOT NULL,
    plan_no int4 NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    source text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    taken_back_at timestamptz,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_ground_belongs_to_a_membership
        FOREIGN KEY (bucket, membership_id) REFERENCES membership (bucket, id),
    CONSTRAINT a_ground_without_stripe CHECK (ground IN ('gift', 'comped', 'sponsored')),
    CONSTRAINT a_ground_ends_after_it_begins CHECK (ends > begins)
);
CREATE UNIQUE INDEX a_source_is_a_ground_once ON membership_ground (bucket, member_id, source);
CREATE INDEX grounds_of_a_membership ON membership_ground (bucket, membership_id);
REVOKE UPDATE, DELETE, TRUNCATE ON membership_ground FROM CURRENT_USER;
GRANT UPDATE (taken_back_at) ON membership_ground TO CURRENT_USER;
"""

# Money of a member at Stripe, append-only: the entries of a source (an invoice, refund or dispute)
# sum to what it comes to there, and a member's to Stripe's net.
ENTRIES = """
CREATE TABLE membership_entry (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    source text NOT NULL,
    no int4 NOT NULL,
    kind text NOT NULL,
    amount_minor int8 NOT NULL,
    tax_minor int8 NOT NULL,
    currency text NOT NULL,
    period_start timestamptz,
    period_end timestamptz,
    payment text,
    occurred_at timestamptz NOT NULL,
    booked_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, source, no),
    CONSTRAINT an_entry_belongs_to_a_membership
        FOREIGN KEY (bucket, membership_id) REFERENCES membership (bucket, id),
    CONSTRAINT an_entry_moves_money CHECK (amount_minor <> 0 OR tax_minor <> 0),
    CONSTRAINT entries_of_a_source_count_from_one CHECK (no >= 1),
    CONSTRAINT an_entry_has_a_known_kind
        CHECK (kind IN ('payment', 'refund', 'refund_failed', 'dispute', 'dispute_won'))
);
REVOKE UPDATE, DELETE, TRUNCATE ON membership_entry FROM CURRENT_USER;
"""

RECONCILIATIONS = """
CREATE TABLE membership_reconciliation (
    id uuid NOT NULL,
    begun_at timestamptz NOT NULL,
    is_whole bool NOT NULL,
    looked_at int4 NOT NULL,
    drifted int4 NOT NULL,
    repaired int4 NOT NULL,
    report jsonb NOT NULL,
    PRIMARY KEY (id)
);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (PICTURES, MEMBERSHIPS, GROUNDS, ENTRIES, RECONCILIATIONS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
