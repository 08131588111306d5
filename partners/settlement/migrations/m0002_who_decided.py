"""Partners read their statements and adjustments, and not who of the staff decided them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Who decided statements"

# A column that is added later is granted when a path of partners reads it.
SQL = """
REVOKE SELECT ON statement, settlement_adjustment FROM coalition_tenant;
GRANT SELECT (
    id, partner_no, period_no, state, sealed_at, closed_at, approved_at, number, charges, digest
) ON statement TO coalition_tenant;
GRANT SELECT (
    id, partner_no, period_no, origin_no, contract_no, currency, vat_code, vat_rate, amount_minor,
    reason, statement_line, made_at
) ON settlement_adjustment TO coalition_tenant;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="settlement", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
