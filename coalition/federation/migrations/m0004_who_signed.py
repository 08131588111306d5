"""Partners read their contracts, and not who of the staff signed them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Who signed contracts"

# A column that is added later is granted when a path of partners reads it.
SQL = """
REVOKE SELECT ON contract FROM coalition_tenant;
GRANT SELECT (
    no, partner_no, version, valid_from, timezone, issues, accepts, currency, issue_price,
    redemption_price, service_fee_per_point, service_fee_percent, fixed_fee_minor,
    minimum_fee_minor, volume_steps, vat, mode, prefunded_share, payment, payment_days, calendar,
    cut_off_grace_hours, breakage_share, credit_mode, credit_limit_minor, low_water_minor,
    on_default, point_currency_no, expiry_rule, expiry_months, inactivity_months, clock_no,
    expiry_notice_days, refund_order, return_grace_days, reversal_policy, recover_percent,
    signed_at
) ON contract TO coalition_tenant;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="federation", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
