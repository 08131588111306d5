"""Clients of the operator, which hold scopes of staff."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Clients of the operator"

# The operator is partner 0, as everywhere, and has no row in `partner`. With a null instead, the
# foreign keys of secrets and keys (client_no, partner_no) would hold nothing; so the number stays,
# and a column made from it, null for the operator alone, refers to the partner.
OPERATOR_CLIENTS = """
ALTER TABLE client DROP CONSTRAINT a_client_belongs_to_a_partner;
ALTER TABLE client
    ADD COLUMN referred_partner int4 GENERATED ALWAYS AS (nullif(partner_no, 0)) STORED
        CONSTRAINT a_client_belongs_to_a_partner REFERENCES partner (no),
    ADD CONSTRAINT the_operator_has_no_tills CHECK (store_no IS NULL OR partner_no > 0),
    ADD CONSTRAINT a_client_holds_scopes_of_its_side CHECK (
        CASE partner_no
            WHEN 0 THEN scopes <@ ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read']
            ELSE NOT scopes && ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read']
        END
    );
"""


async def forwards() -> MigrationManager:
    """Let a client be the operator's; clients there are stay what they are."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(OPERATOR_CLIENTS)

    manager.add_raw(run)
    return manager
