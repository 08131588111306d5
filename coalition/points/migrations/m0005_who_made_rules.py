"""Partners read their base earning rules, and not who of the staff made them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "Who made base earning rules"

# A column that is added later is granted when a path of partners reads it.
SQL = """
REVOKE SELECT ON earning_rule FROM coalition_tenant;
GRANT SELECT (no, partner_no, currency, points, per_minor, rounding, valid_from, made_at)
    ON earning_rule TO coalition_tenant;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="points", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
