"""Versions of plans with their prices, ends of sale, and what they are called at Stripe."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Plans that members pay for"

# The document is canonical JSON text, so that what was approved can be compared byte for byte. A
# version is on sale from `valid_from` until the next one of its code is, or the code's sale ends.
PLANS = """
CREATE TABLE plan_version (
    no int4 PRIMARY KEY,
    code text NOT NULL,
    version int4 NOT NULL,
    document text NOT NULL,
    valid_from timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT a_plan_has_each_version_once UNIQUE (code, version),
    CONSTRAINT versions_of_a_plan_count_from_one CHECK (version >= 1),
    CONSTRAINT a_plan_is_never_retroactive CHECK (valid_from >= made_at),
    CONSTRAINT a_plan_takes_two_persons CHECK (prepared_by <> approved_by)
);

CREATE TABLE plan_price (
    no int4 PRIMARY KEY,
    plan_no int4 NOT NULL REFERENCES plan_version (no),
    interval text NOT NULL,
    currency text NOT NULL,
    amount_minor int8 NOT NULL,
    eligibility text,
    CONSTRAINT a_plan_has_one_price_of_a_kind
        UNIQUE NULLS NOT DISTINCT (plan_no, interval, currency, eligibility),
    CONSTRAINT a_price_is_for_a_month_or_a_year CHECK (interval IN ('month', 'year')),
    CONSTRAINT a_price_is_not_negative CHECK (amount_minor >= 0)
);

CREATE TABLE plan_sale_end (
    no int4 PRIMARY KEY,
    code text NOT NULL,
    ends_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT a_sale_never_ended_before CHECK (ends_at >= made_at),
    CONSTRAINT an_end_of_sale_takes_two_persons CHECK (prepared_by <> approved_by)
);
REVOKE UPDATE, DELETE, TRUNCATE ON plan_version, plan_price, plan_sale_end FROM CURRENT_USER;
GRANT UPDATE (no) ON plan_version TO CURRENT_USER;
"""

# A database that goes from the sandbox to the real Stripe gets further rows; the last one of a plan
# or price is what is sold under, the ones before are still understood.
AT_STRIPE = """
CREATE TABLE plan_at_stripe (
    product_id text PRIMARY KEY,
    code text NOT NULL,
    no int4 NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT products_of_a_plan_are_counted UNIQUE (code, no)
);

CREATE TABLE plan_price_at_stripe (
    price_id text PRIMARY KEY,
    price_no int4 NOT NULL REFERENCES plan_price (no),
    no int4 NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT prices_at_stripe_are_counted UNIQUE (price_no, no)
);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="plans", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (PLANS, AT_STRIPE):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
