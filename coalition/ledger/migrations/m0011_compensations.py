"""Money that partners let members have for their membership, and who pays for it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0011"
VERSION = "1.38.0"
DESCRIPTION = "Compensations of partners in money"

# A fact beside the postings: it moves no points, waits for settlement as they do, and is drained
# with them, its minor units in place of points. It is in the currency of the partner's contract.
# The amount is below zero where it takes one back.
COMPENSATIONS = """
CREATE TABLE compensation (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    batch uuid NOT NULL,
    holder uuid NOT NULL,
    partner_no int4 NOT NULL,
    funder_no int4 NOT NULL,
    amount_minor int4 NOT NULL,
    receipt text NOT NULL,
    store_no int4,
    reason text NOT NULL,
    occurred_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL,
    reverses uuid,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_compensation_is_of_a_holder
        FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id),
    CONSTRAINT a_compensation_is_of_some_money CHECK (amount_minor <> 0),
    CONSTRAINT nobody_compensates_itself CHECK (funder_no <> partner_no),
    CONSTRAINT what_takes_a_compensation_back_is_below_zero
        CHECK ((reverses IS NOT NULL) = (amount_minor < 0)),
    CONSTRAINT a_compensation_is_taken_back_once UNIQUE (bucket, reverses)
);
REVOKE UPDATE, DELETE, TRUNCATE ON compensation FROM CURRENT_USER;

CREATE VIEW settled_fact AS
SELECT bucket, id, batch, points, occurred_at, partner_no, store_no, receipt FROM posting
UNION ALL
SELECT bucket, id, batch, abs(amount_minor), occurred_at, partner_no, store_no, receipt
FROM compensation;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(COMPENSATIONS)

    manager.add_raw(run)
    return manager
