"""Staff who write plans and grant memberships, and who approve them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0007"
VERSION = "1.38.0"
DESCRIPTION = "Scopes of memberships"

SCOPES = """
ALTER TABLE client
    DROP CONSTRAINT a_client_holds_scopes_of_its_side,
    ADD CONSTRAINT a_client_holds_scopes_of_its_side CHECK (
        NOT 'member' = ANY (scopes) AND CASE partner_no
            WHEN 0 THEN scopes <@ ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read', 'rules:read', 'rules:prepare', 'rules:approve',
                'families:read', 'families:decide', 'memberships:read', 'memberships:prepare',
                'memberships:approve']
            ELSE NOT scopes && ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read', 'rules:read', 'rules:prepare', 'rules:approve',
                'families:read', 'families:decide', 'memberships:read', 'memberships:prepare',
                'memberships:approve']
        END
    );
"""


async def forwards() -> MigrationManager:
    """Let clients of the operator hold the scopes of memberships, and nobody else."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SCOPES)

    manager.add_raw(run)
    return manager
