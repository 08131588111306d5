"""Earning rules: dated, per partner and currency, never edited."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Base earning rules"

SQL = """
CREATE TABLE earning_rule (
    no int4 PRIMARY KEY,
    partner_no int4 NOT NULL,
    currency text NOT NULL,
    points int4 NOT NULL,
    per_minor int8 NOT NULL,
    rounding text NOT NULL,
    valid_from timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT an_earning_rule_belongs_to_a_partner
        FOREIGN KEY (partner_no) REFERENCES partner (no),
    CONSTRAINT a_partner_has_one_earning_rule_at_a_time UNIQUE (partner_no, currency, valid_from),
    CONSTRAINT an_earning_rule_gives_points CHECK (points > 0 AND per_minor > 0),
    CONSTRAINT an_earning_rule_names_its_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT an_earning_rule_names_its_rounding
        CHECK (rounding IN ('down', 'half_away_from_zero', 'half_even', 'up'))
);
GRANT SELECT ON earning_rule TO coalition_poster, coalition_tenant;
ALTER TABLE earning_rule ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON earning_rule TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON earning_rule TO coalition_poster USING (true);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="points", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
