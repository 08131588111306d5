"""What settlement needs of contracts: fees, VAT, credit; rates of money, limits at the till."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Fees, VAT, credit and money rates"

# Steps and VAT are short lists that are read whole, so they are JSON as the terms are written.
CONTRACTS = """
ALTER TABLE contract
    ADD COLUMN service_fee_percent numeric(9, 6) NOT NULL DEFAULT 0,
    ADD COLUMN fixed_fee_minor int8 NOT NULL DEFAULT 0,
    ADD COLUMN minimum_fee_minor int8 NOT NULL DEFAULT 0,
    ADD COLUMN volume_steps text NOT NULL DEFAULT '[]',
    ADD COLUMN vat text NOT NULL DEFAULT '{}',
    ADD COLUMN payment text NOT NULL DEFAULT 'net',
    ADD COLUMN payment_days int4 NOT NULL DEFAULT 30,
    ADD COLUMN cut_off_grace_hours int4 NOT NULL DEFAULT 0,
    ADD COLUMN breakage_share numeric(7, 6) NOT NULL DEFAULT 0,
    ADD COLUMN credit_mode text NOT NULL DEFAULT 'none',
    ADD COLUMN credit_limit_minor int8,
    ADD COLUMN low_water_minor int8,
    ADD COLUMN on_default text NOT NULL DEFAULT 'honour',
    ADD CONSTRAINT a_fee_percent_is_a_percentage CHECK (service_fee_percent BETWEEN 0 AND 100),
    ADD CONSTRAINT fees_per_period_are_not_negative
        CHECK (fixed_fee_minor >= 0 AND minimum_fee_minor >= 0),
    ADD CONSTRAINT a_breakage_share_is_a_share CHECK (breakage_share BETWEEN 0 AND 1),
    ADD CONSTRAINT payment_is_gross_or_net CHECK (payment IN ('gross', 'net')),
    ADD CONSTRAINT payment_is_due_within_a_year CHECK (payment_days BETWEEN 0 AND 366),
    ADD CONSTRAINT a_cut_off_grace_is_at_most_31_days
        CHECK (cut_off_grace_hours BETWEEN 0 AND 744),
    ADD CONSTRAINT a_credit_mode_is_known
        CHECK (credit_mode IN ('none', 'warn', 'block', 'prepaid')),
    ADD CONSTRAINT a_credit_limit_is_not_negative CHECK (credit_limit_minor >= 0),
    ADD CONSTRAINT a_credit_limit_goes_with_warn_and_block
        CHECK ((credit_limit_minor IS NOT NULL) = (credit_mode IN ('warn', 'block'))),
    ADD CONSTRAINT a_low_water_mark_is_not_negative CHECK (low_water_minor >= 0),
    ADD CONSTRAINT on_default_lots_are_honoured_or_suspended
        CHECK (on_default IN ('honour', 'suspend'));
"""

# One unit of `from_currency` is `rate` units of `to_currency` (major units), until the next begins.
RATES = """
CREATE TABLE money_rate (
    no int4 PRIMARY KEY,
    from_currency text NOT NULL,
    to_currency text NOT NULL,
    rate numeric(18, 9) NOT NULL,
    valid_from timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    CONSTRAINT a_money_rate_is_between_two_currencies CHECK (from_currency <> to_currency),
    CONSTRAINT a_money_rate_is_positive CHECK (rate > 0),
    CONSTRAINT a_money_rate_is_not_retroactive CHECK (valid_from >= made_at),
    CONSTRAINT a_money_rate_has_two_persons CHECK (prepared_by <> approved_by),
    CONSTRAINT there_is_one_money_rate_at_a_time UNIQUE (from_currency, to_currency, valid_from)
);
REVOKE UPDATE, DELETE, TRUNCATE ON money_rate FROM CURRENT_USER;
GRANT SELECT ON money_rate TO coalition_poster;

-- Rates are everybody's; who of the staff agreed on them is not.
GRANT SELECT (no, from_currency, to_currency, rate, valid_from) ON money_rate TO coalition_tenant;
REVOKE SELECT ON exchange_rate FROM coalition_tenant;
GRANT SELECT (no, from_no, to_no, from_points, to_points, valid_from) ON exchange_rate
    TO coalition_tenant;
"""

# What holds of a partner from a time on: that it does not pay, and what its contract then said of
# its points, or (without) that it is in default no more.
DEFAULTS = """
CREATE TABLE partner_default (
    no int4 PRIMARY KEY,
    partner_no int4 NOT NULL,
    on_default text,
    begins_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    CONSTRAINT a_default_belongs_to_a_partner FOREIGN KEY (partner_no) REFERENCES partner (no),
    CONSTRAINT points_in_default_are_honoured_or_suspended
        CHECK (on_default IN ('honour', 'suspend')),
    CONSTRAINT a_default_has_two_persons CHECK (prepared_by <> approved_by)
);
REVOKE UPDATE, DELETE, TRUNCATE ON partner_default FROM CURRENT_USER;
GRANT SELECT ON partner_default TO coalition_poster;
"""

# Written by settlement, read with the contracts at the till: whether a partner may issue now. The
# amounts are as of `judged_at`, for those who look; what is left to lease is counted afresh.
#
# A lease is money of a prepaid partner that one process may spend. `used_minor` and the row in
# `prepaid_spend` are written with the postings that cost so much at most; the row counts until
# those are drained, when the money book tells what they cost.
LIMITS = """
CREATE TABLE partner_limit (
    partner_no int4 PRIMARY KEY,
    currency text NOT NULL,
    blocked bool NOT NULL,
    is_reached bool NOT NULL,
    is_low bool NOT NULL,
    exposure_minor int8 NOT NULL,
    prepaid_minor int8 NOT NULL,
    spent_minor int8 NOT NULL,
    leased_minor int8 NOT NULL,
    judged_at timestamptz NOT NULL,
    CONSTRAINT a_limit_belongs_to_a_partner FOREIGN KEY (partner_no) REFERENCES partner (no),
    CONSTRAINT prepaid_money_is_not_negative CHECK (prepaid_minor >= 0 AND leased_minor >= 0),
    CONSTRAINT who_is_blocked_has_reached_a_limit CHECK (is_reached OR NOT blocked)
) WITH (fillfactor = 50);

CREATE TABLE prepaid_lease (
    id uuid PRIMARY KEY,
    partner_no int4 NOT NULL REFERENCES partner_limit (partner_no),
    amount_minor int8 NOT NULL,
    used_minor int8 NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    CONSTRAINT a_lease_is_never_overspent CHECK (used_minor BETWEEN 0 AND amount_minor)
) WITH (fillfactor = 50);
CREATE INDEX prepaid_lease_by_end ON prepaid_lease (expires_at);
CREATE INDEX prepaid_lease_of_a_partner ON prepaid_lease (partner_no);

CREATE TABLE prepaid_spend (
    partner_no int4 NOT NULL REFERENCES partner_limit (partner_no),
    batch uuid NOT NULL,
    amount_minor int8 NOT NULL,
    PRIMARY KEY (partner_no, batch),
    CONSTRAINT a_spend_is_of_some_money CHECK (amount_minor > 0)
);
GRANT SELECT ON partner_limit TO coalition_poster, coalition_tenant;
GRANT UPDATE (leased_minor) ON partner_limit TO coalition_poster;
GRANT SELECT, INSERT, DELETE ON prepaid_lease TO coalition_poster;
GRANT UPDATE (amount_minor, used_minor) ON prepaid_lease TO coalition_poster;
GRANT SELECT, INSERT ON prepaid_spend TO coalition_poster;
ALTER TABLE partner_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON partner_limit TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON partner_limit TO coalition_poster USING (true) WITH CHECK (true);
"""


async def forwards() -> MigrationManager:
    """Add the columns and tables; contracts that are signed keep their terms."""
    manager = MigrationManager(migration_id=ID, app_name="federation", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(CONTRACTS + RATES + DEFAULTS + LIMITS)

    manager.add_raw(run)
    return manager
