"""The two roles below the owner: one that serves a tenant, one that posts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database.transactions import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Roles without log-in"

# Roles belong to the whole server, so another database may have made them, or be making them now.
# PostgreSQL before 16 gives no right to SET ROLE to its maker: hence the explicit grant.
SQL = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['coalition_tenant', 'coalition_poster'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        IF NOT pg_has_role(current_user, name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', name);
        END IF;
    END LOOP;
END $$;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="database", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
