"""More ways for points to end and to be taken back; point currencies of partners and rates."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Expiry and reversal policies, point currencies and rates"

CURRENCIES = """
ALTER TABLE point_currency
    ADD COLUMN partner_no int4,
    ADD CONSTRAINT a_point_currency_belongs_to_a_partner_or_to_all
        FOREIGN KEY (partner_no) REFERENCES partner (no),
    ADD CONSTRAINT the_coalition_s_own_currency_is_nobody_s CHECK (no <> 1 OR partner_no IS NULL);

CREATE TABLE exchange_rate (
    no int4 PRIMARY KEY,
    from_no int2 NOT NULL,
    to_no int2 NOT NULL,
    from_points int4 NOT NULL,
    to_points int4 NOT NULL,
    valid_from timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    CONSTRAINT a_rate_is_from_a_point_currency
        FOREIGN KEY (from_no) REFERENCES point_currency (no),
    CONSTRAINT a_rate_is_to_a_point_currency FOREIGN KEY (to_no) REFERENCES point_currency (no),
    CONSTRAINT a_rate_is_between_two_point_currencies CHECK (from_no <> to_no),
    CONSTRAINT a_rate_exchanges_some_points CHECK (from_points > 0 AND to_points > 0),
    CONSTRAINT a_rate_is_not_retroactive CHECK (valid_from >= made_at),
    CONSTRAINT there_is_one_rate_at_a_time UNIQUE (from_no, to_no, valid_from)
);
REVOKE UPDATE, DELETE, TRUNCATE ON exchange_rate FROM CURRENT_USER;
GRANT SELECT ON exchange_rate TO coalition_tenant, coalition_poster;
"""

CONTRACTS = """
ALTER TABLE contract
    ADD COLUMN recover_percent int4 NOT NULL DEFAULT 100,
    ADD COLUMN point_currency_no int2 NOT NULL DEFAULT 1,
    ADD COLUMN inactivity_months int4,
    ADD COLUMN clock_no int2 NOT NULL DEFAULT 0,
    ADD COLUMN expiry_notice_days int4[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT an_expiry_rule_is_known,
    ADD CONSTRAINT an_expiry_rule_is_known
        CHECK (expiry_rule IN ('never', 'end_of_month', 'months', 'end_of_year')),
    DROP CONSTRAINT an_expiry_has_months_unless_never,
    ADD CONSTRAINT an_expiry_has_months_unless_never CHECK (
        CASE expiry_rule WHEN 'never' THEN expiry_months IS NULL
        WHEN 'end_of_year' THEN expiry_months IS NOT NULL AND expiry_months BETWEEN 0 AND 600
        ELSE expiry_months IS NOT NULL AND expiry_months BETWEEN 1 AND 600 END
    ),
    DROP CONSTRAINT a_reversal_policy_is_known,
    ADD CONSTRAINT a_reversal_policy_is_known
        CHECK (reversal_policy IN ('refuse', 'debt', 'recover')),
    ADD CONSTRAINT a_debt_is_recovered_by_a_percentage CHECK (recover_percent BETWEEN 1 AND 100),
    ADD CONSTRAINT a_partner_issues_in_a_point_currency
        FOREIGN KEY (point_currency_no) REFERENCES point_currency (no),
    ADD CONSTRAINT inactivity_is_some_months CHECK (inactivity_months BETWEEN 1 AND 600),
    ADD CONSTRAINT a_clock_runs_only_with_inactivity
        CHECK ((inactivity_months IS NULL) = (clock_no = 0));
"""

# Members of these tiers keep their points however long; it is the coalition's promise, not one
# partner's.
COALITION = """
ALTER TABLE coalition ADD COLUMN expiry_suspended_tiers text[] NOT NULL DEFAULT '{}';
"""


async def forwards() -> MigrationManager:
    """Add the columns and tables; contracts that are signed keep their terms."""
    manager = MigrationManager(migration_id=ID, app_name="federation", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(CURRENCIES + CONTRACTS + COALITION)

    manager.add_raw(run)
    return manager
