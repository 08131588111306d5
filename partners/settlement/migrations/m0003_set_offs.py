"""What of a partner in default's later credits went to those who claim from it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Set-offs of claims"

# `claim_cycle` and `claim_version` name the default that made the claim, `cycle` the one that pays.
SQL = """
CREATE TABLE clearing_set_off (
    cycle uuid NOT NULL REFERENCES clearing_cycle (id),
    claim_cycle uuid NOT NULL,
    claim_version int4 NOT NULL,
    creditor_no int4 NOT NULL,
    defaulter_no int4 NOT NULL,
    amount_minor int8 NOT NULL,
    CONSTRAINT a_cycle_pays_a_claim_once
        PRIMARY KEY (cycle, claim_cycle, claim_version, creditor_no),
    FOREIGN KEY (claim_cycle, claim_version, creditor_no)
        REFERENCES clearing_claim (cycle, version, creditor_no),
    CONSTRAINT a_set_off_is_of_some_money CHECK (amount_minor > 0)
);
CREATE INDEX clearing_set_off_of_a_claim
    ON clearing_set_off (claim_cycle, claim_version, creditor_no);
REVOKE UPDATE, DELETE, TRUNCATE ON clearing_set_off FROM CURRENT_USER;
GRANT UPDATE (version) ON clearing_claim TO CURRENT_USER;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="settlement", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
