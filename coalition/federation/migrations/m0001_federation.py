"""The coalition, its partners, stores and contract versions, and the counter of changes to them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Partners, stores and dated contracts"

# The counter is also the lock under which all of these small tables are written: every change
# updates it first, so numbers can be given without a sequence and a reader of version n sees every
# change up to n.
COALITION = """
CREATE TABLE catalogue_version (
    no int2 PRIMARY KEY,
    version int8 NOT NULL,
    CONSTRAINT there_is_one_catalogue CHECK (no = 1)
);
INSERT INTO catalogue_version (no, version) VALUES (1, 0);

CREATE TABLE point_currency (
    no int2 PRIMARY KEY,
    code text NOT NULL,
    name text NOT NULL,
    CONSTRAINT a_point_currency_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_point_currency_code_is_used_once UNIQUE (code),
    CONSTRAINT a_point_currency_code_is_3_to_12_capitals CHECK (code ~ '^[A-Z]{3,12}$'),
    CONSTRAINT a_point_currency_has_a_name CHECK (length(name) BETWEEN 1 AND 200)
);

CREATE TABLE coalition (
    no int2 PRIMARY KEY,
    name text NOT NULL,
    timezone text NOT NULL,
    point_currency_no int2 NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT there_is_one_coalition CHECK (no = 1),
    CONSTRAINT a_coalition_has_a_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT a_coalition_lives_in_a_timezone
        CHECK ((created_at AT TIME ZONE timezone) IS NOT NULL),
    CONSTRAINT a_coalition_has_a_point_currency
        FOREIGN KEY (point_currency_no) REFERENCES point_currency (no)
);
"""

# Number 0 is the operator, who is no partner and has no row.
PARTNERS = """
CREATE TABLE partner (
    no int4 PRIMARY KEY,
    id uuid NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT a_partner_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_partner_id_is_used_once UNIQUE (id),
    CONSTRAINT a_partner_has_a_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT a_partner_is_active_or_suspended CHECK (state IN ('active', 'suspended'))
);

CREATE TABLE store (
    no int4 PRIMARY KEY,
    id uuid NOT NULL,
    partner_no int4 NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT a_store_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_store_id_is_used_once UNIQUE (id),
    CONSTRAINT a_store_belongs_to_a_partner FOREIGN KEY (partner_no) REFERENCES partner (no),
    CONSTRAINT a_store_code_is_used_once_per_partner UNIQUE (partner_no, code),
    CONSTRAINT a_store_code_is_1_to_32_signs CHECK (code ~ '^[A-Za-z0-9._-]{1,32}$'),
    CONSTRAINT a_store_has_a_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT a_store_is_active_or_closed CHECK (state IN ('active', 'closed'))
);
"""

# One row is one dated version, written once: no statement changes it, and the owner gives up its
# own right to (a superuser keeps it). What is left is the right on the number alone, without which
# a foreign key to a contract could not lock its row.
CONTRACTS = """
CREATE TABLE contract (
    no int4 PRIMARY KEY,
    partner_no int4 NOT NULL,
    version int4 NOT NULL,
    valid_from date NOT NULL,
    timezone text NOT NULL,
    issues bool NOT NULL,
    accepts bool NOT NULL,
    currency text NOT NULL,
    issue_price numeric(18, 9) NOT NULL,
    redemption_price numeric(18, 9) NOT NULL,
    service_fee_per_point numeric(18, 9) NOT NULL,
    mode text NOT NULL,
    prefunded_share numeric(7, 6) NOT NULL,
    expiry_rule text NOT NULL,
    expiry_months int4,
    refund_order text NOT NULL,
    return_grace_days int4 NOT NULL,
    reversal_policy text NOT NULL,
    calendar text NOT NULL,
    signed_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    CONSTRAINT a_contract_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_contract_belongs_to_a_partner FOREIGN KEY (partner_no) REFERENCES partner (no),
    CONSTRAINT a_contract_version_is_numbered_once UNIQUE (partner_no, version),
    CONSTRAINT a_contract_has_one_version_per_day UNIQUE (partner_no, valid_from),
    CONSTRAINT a_contract_version_starts_at_one CHECK (version >= 1),
    CONSTRAINT a_later_contract_version_is_not_retroactive CHECK (
        version = 1 OR valid_from >= (signed_at AT TIME ZONE timezone)::date
    ),
    CONSTRAINT a_later_contract_version_has_two_persons CHECK (
        version = 1 OR prepared_by <> approved_by
    ),
    CONSTRAINT a_contract_lives_in_a_timezone CHECK ((signed_at AT TIME ZONE timezone) IS NOT NULL),
    CONSTRAINT a_partner_issues_or_accepts CHECK (issues OR accepts),
    CONSTRAINT a_contract_currency_has_three_capitals CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT an_issue_price_is_not_negative CHECK (issue_price >= 0),
    CONSTRAINT a_redemption_price_is_not_negative CHECK (redemption_price >= 0),
    CONSTRAINT a_service_fee_is_not_negative CHECK (service_fee_per_point >= 0),
    CONSTRAINT a_settlement_mode_is_known CHECK (
        mode IN ('operator_fund', 'issuer_on_redemption', 'hybrid')
    ),
    CONSTRAINT a_prefunded_share_follows_the_mode CHECK (
        CASE mode
            WHEN 'operator_fund' THEN prefunded_share = 1
            WHEN 'issuer_on_redemption' THEN prefunded_share = 0
            ELSE prefunded_share > 0 AND prefunded_share < 1
        END
    ),
    CONSTRAINT an_expiry_rule_is_known CHECK (expiry_rule IN ('never', 'end_of_month')),
    CONSTRAINT an_expiry_has_months_unless_never CHECK (
        CASE expiry_rule WHEN 'never' THEN expiry_months IS NULL
        ELSE expiry_months IS NOT NULL AND expiry_months BETWEEN 1 AND 600 END
    ),
    CONSTRAINT a_refund_order_is_known CHECK (refund_order IN ('reverse', 'proportional')),
    CONSTRAINT return_grace_is_at_most_ten_years CHECK (return_grace_days BETWEEN 0 AND 3650),
    CONSTRAINT a_reversal_policy_is_known CHECK (reversal_policy IN ('refuse')),
    CONSTRAINT a_settlement_calendar_is_known CHECK (
        calendar IN ('daily', 'weekly', 'half_monthly', 'monthly')
    )
);
REVOKE UPDATE, DELETE, TRUNCATE ON contract FROM CURRENT_USER;
GRANT UPDATE (no) ON contract TO CURRENT_USER;
"""

# The poster serves many tenants in one transaction, so it reads the terms of all of them.
RIGHTS = """
GRANT SELECT ON catalogue_version, point_currency, coalition, partner, store, contract
    TO coalition_tenant, coalition_poster;
ALTER TABLE partner ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON partner TO coalition_tenant
    USING (no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON partner TO coalition_poster USING (true);
ALTER TABLE store ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON store TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON store TO coalition_poster USING (true);
ALTER TABLE contract ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON contract TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON contract TO coalition_poster USING (true);
"""


async def forwards() -> MigrationManager:
    """Make the tables of the federation."""
    manager = MigrationManager(migration_id=ID, app_name="federation", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(COALITION + PARTNERS + CONTRACTS + RIGHTS)

    manager.add_raw(run)
    return manager
