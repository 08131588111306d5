"""What was bought and why it earned what it did, and what capped rules have given so far."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Purchases by line, what they earned by rule, and usage of caps"

# A basket is kept where the till told its lines: all that its points depended on, so that what
# remains after a return is judged again by the same versions and as if at the same time. Its lines
# change by what was returned of them and by nothing else. `circumstances` are measures, standings,
# the numbers of the rule versions that were looked at, and where the counters of caps stood.
PURCHASES = """
CREATE TABLE purchase_basket (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    holder uuid NOT NULL,
    partner_no int4 NOT NULL,
    store_no int4,
    occurred_at timestamptz NOT NULL,
    currency text NOT NULL,
    amount_minor int8 NOT NULL,
    points int4 NOT NULL,
    base_rule_no int4,
    circumstances jsonb NOT NULL,
    PRIMARY KEY (bucket, posting),
    CONSTRAINT a_basket_has_a_holder FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id),
    CONSTRAINT a_basket_earned_points CHECK (points > 0),
    CONSTRAINT a_basket_costs_nothing_or_more CHECK (amount_minor >= 0)
);

CREATE TABLE purchase_line (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    no int2 NOT NULL,
    amount_minor int8 NOT NULL,
    category text,
    sku text,
    quantity int4 NOT NULL,
    returned int4 NOT NULL,
    PRIMARY KEY (bucket, posting, no),
    CONSTRAINT a_line_belongs_to_a_basket
        FOREIGN KEY (bucket, posting) REFERENCES purchase_basket (bucket, posting),
    CONSTRAINT a_line_is_of_some_quantity CHECK (quantity > 0),
    CONSTRAINT a_line_costs_nothing_or_more CHECK (amount_minor >= 0),
    CONSTRAINT no_more_is_returned_than_was_bought CHECK (returned BETWEEN 0 AND quantity)
) WITH (fillfactor = 80);
"""

# One row per reason of an issue that had more than its base rate, as the till was told it.
EARNINGS = """
CREATE TABLE purchase_earning (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    no int2 NOT NULL,
    rule text NOT NULL,
    rule_no int4,
    points int4 NOT NULL,
    capped int4 NOT NULL,
    explanation text NOT NULL,
    shares jsonb NOT NULL,
    PRIMARY KEY (bucket, posting, no),
    CONSTRAINT a_cap_takes_nothing_or_more CHECK (capped >= 0)
);
"""

# What a member has had of a capped rule in a period. Changed only while the holder's row is locked.
# `purchase_usage` says what of it came from which issue, as returns give it back.
USAGE = """
CREATE TABLE earning_usage (
    bucket int2 NOT NULL,
    member uuid NOT NULL,
    rule_no int4 NOT NULL,
    period text NOT NULL,
    points int8 NOT NULL,
    PRIMARY KEY (bucket, member, rule_no, period),
    CONSTRAINT usage_is_of_a_holder FOREIGN KEY (bucket, member) REFERENCES holder (bucket, id),
    CONSTRAINT usage_is_never_negative CHECK (points >= 0)
) WITH (fillfactor = 70);

CREATE TABLE purchase_usage (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    rule_no int4 NOT NULL,
    period text NOT NULL,
    member uuid NOT NULL,
    points int8 NOT NULL,
    kept int8 NOT NULL,
    PRIMARY KEY (bucket, posting, rule_no, period),
    CONSTRAINT kept_usage_was_used CHECK (kept BETWEEN 0 AND points)
) WITH (fillfactor = 80);
"""

RIGHTS = """
GRANT SELECT, INSERT ON purchase_basket, purchase_line, purchase_earning, earning_usage,
    purchase_usage TO coalition_poster;
GRANT UPDATE (returned) ON purchase_line TO coalition_poster;
GRANT UPDATE (points) ON earning_usage TO coalition_poster;
GRANT UPDATE (kept) ON purchase_usage TO coalition_poster;

GRANT SELECT ON purchase_line, purchase_earning TO coalition_tenant;
ALTER TABLE purchase_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON purchase_line TO coalition_tenant
    USING (EXISTS (
        SELECT FROM posting
        WHERE posting.bucket = purchase_line.bucket AND posting.id = purchase_line.posting));
CREATE POLICY all_partners ON purchase_line TO coalition_poster USING (true) WITH CHECK (true);
ALTER TABLE purchase_earning ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON purchase_earning TO coalition_tenant
    USING (EXISTS (
        SELECT FROM posting
        WHERE posting.bucket = purchase_earning.bucket AND posting.id = purchase_earning.posting));
CREATE POLICY all_partners ON purchase_earning TO coalition_poster USING (true) WITH CHECK (true);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="points", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(PURCHASES + EARNINGS + USAGE + RIGHTS)

    manager.add_raw(run)
    return manager
