"""What members and staff do with memberships: orders, trials, receipts, withdrawals, gifts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Orders, trials taken, receipts, withdrawals and gifts"

# `held_until` ends an act whose process has died; the same key may go on at once.
ACTS = """
CREATE TABLE membership_act (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    begun_at timestamptz NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id)
) WITH (fillfactor = 80);

CREATE TABLE member_at_stripe (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    customer_id text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, customer_id),
    CONSTRAINT a_customer_at_stripe_is_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id)
);
"""

# What was shown before an order is kept word for word, each text once.
ORDERS = """
CREATE TABLE disclosure_text (
    digest bytea PRIMARY KEY,
    version text NOT NULL,
    language text NOT NULL,
    shown text NOT NULL,
    first_shown_at timestamptz NOT NULL
);

CREATE TABLE membership_order (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    price_no int4 NOT NULL,
    country text NOT NULL,
    language text NOT NULL,
    disclosure bytea NOT NULL,
    disclosure_version text NOT NULL,
    trial_days int4 NOT NULL,
    trial_digests bytea[] NOT NULL,
    state text NOT NULL,
    checkout_id text,
    url text,
    begun_at timestamptz NOT NULL,
    expires_at timestamptz,
    settled_at timestamptz,
    subscription text,
    PRIMARY KEY (bucket, id),
    CONSTRAINT an_order_is_of_a_member
        FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id),
    CONSTRAINT an_order_has_a_known_state
        CHECK (state IN ('begun', 'open', 'complete', 'expired', 'trial_refused')),
    CONSTRAINT an_open_order_can_be_paid
        CHECK (state <> 'open' OR (checkout_id IS NOT NULL AND url IS NOT NULL)),
    CONSTRAINT an_order_is_settled_once
        CHECK ((settled_at IS NULL) = (state IN ('begun', 'open')))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX one_open_order_per_member ON membership_order (bucket, member_id)
    WHERE state IN ('begun', 'open');
CREATE INDEX orders_of_a_member ON membership_order (bucket, member_id, begun_at);
"""

# Whoever had a trial is known by digests of the member, the e-mail address, the card and each group
# of its family, so that a trial is had once by any of them.
TRIALS = """
CREATE TABLE trial_taken (
    bucket int2 NOT NULL,
    digest bytea NOT NULL,
    kind text NOT NULL,
    order_id uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, digest),
    CONSTRAINT a_trial_is_known_by_a_known_kind
        CHECK (kind IN ('member', 'email', 'household', 'card'))
);
"""

RECEIPTS = """
CREATE TABLE membership_receipt (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    facts text NOT NULL,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_receipt_belongs_to_a_membership
        FOREIGN KEY (bucket, membership_id) REFERENCES membership (bucket, id),
    CONSTRAINT an_act_has_one_receipt UNIQUE (bucket, member_id, key)
);
REVOKE UPDATE, DELETE, TRUNCATE ON membership_receipt FROM CURRENT_USER;

CREATE TABLE membership_withdrawal (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    declared_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    currency text NOT NULL,
    paid_minor int8 NOT NULL,
    days_minor int8 NOT NULL,
    use_minor int8 NOT NULL,
    refund_minor int8 NOT NULL,
    confirmed_at timestamptz,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_withdrawal_is_from_a_membership
        FOREIGN KEY (bucket, membership_id) REFERENCES membership (bucket, id),
    CONSTRAINT a_withdrawal_gives_back_no_more_than_was_paid
        CHECK (refund_minor BETWEEN 0 AND paid_minor)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX one_withdrawal_per_membership
    ON membership_withdrawal (bucket, membership_id);
"""

# A gift is found by the digest of its code, in the bucket of that. The code itself follows from the
# gift's id and our key, so that who bought it can be shown it again.
GIFTS = """
CREATE TABLE gift (
    bucket int2 NOT NULL,
    digest bytea NOT NULL,
    id uuid NOT NULL,
    bought_by uuid NOT NULL,
    plan_no int4 NOT NULL,
    months int4 NOT NULL,
    amount_minor int8 NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    checkout_id text,
    url text,
    payment text,
    made_at timestamptz NOT NULL,
    paid_at timestamptz,
    valid_until timestamptz,
    redeemed_by uuid,
    redeemed_at timestamptz,
    PRIMARY KEY (bucket, digest),
    CONSTRAINT a_gift_is_of_some_months CHECK (months BETWEEN 1 AND 36),
    CONSTRAINT a_gift_has_a_known_state
        CHECK (state IN ('open', 'paid', 'redeemed', 'expired', 'refunded')),
    CONSTRAINT a_paid_gift_has_a_payment CHECK (state NOT IN ('paid', 'redeemed')
        OR (payment IS NOT NULL AND paid_at IS NOT NULL AND valid_until IS NOT NULL)),
    CONSTRAINT a_redeemed_gift_was_redeemed_by_somebody
        CHECK (state <> 'redeemed' OR (redeemed_by IS NOT NULL AND redeemed_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX gifts_of_who_bought_them ON gift (bought_by, made_at);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (ACTS, ORDERS, TRIALS, RECEIPTS, GIFTS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
