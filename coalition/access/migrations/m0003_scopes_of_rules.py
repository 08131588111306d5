"""Staff who write the rules of families and transfers, and who approve them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0003"
VERSION = "1.38.0"
DESCRIPTION = "Scopes of rule sets"

SCOPES = """
ALTER TABLE client
    DROP CONSTRAINT a_client_holds_scopes_of_its_side,
    ADD CONSTRAINT a_client_holds_scopes_of_its_side CHECK (
        CASE partner_no
            WHEN 0 THEN scopes <@ ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read', 'rules:read', 'rules:prepare', 'rules:approve']
            ELSE NOT scopes && ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read', 'rules:read', 'rules:prepare', 'rules:approve']
        END
    );
"""


async def forwards() -> MigrationManager:
    """Let clients of the operator hold the scopes of rules, and nobody else."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SCOPES)

    manager.add_raw(run)
    return manager
