"""Entitlements of the past know by which price they were had, and whose plan was shared."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0013"
VERSION = "1.38.0"
DESCRIPTION = "Prices and pools of entitlements before they were kept"

# What was paid under a plan was at its price of the membership's interval and currency; once the
# membership is derived anew it is as its invoices say.
PRICES = """
UPDATE benefit_entitlement AS held
SET price_no = price.no,
    recurring_minor = CASE WHEN held.ground = 'trial' THEN NULL ELSE price.amount_minor END
FROM membership, plan_price AS now, plan_price AS price
WHERE membership.bucket = held.bucket AND membership.id = held.membership_id
  AND now.no = membership.price_no AND price.plan_no = held.plan_no
  AND price.interval = now.interval AND price.currency = now.currency
  AND (price.no = now.no OR price.plan_no <> now.plan_no AND price.eligibility IS NULL)
  AND held.ground IN ('trial', 'paid', 'grace')
"""
POOLS = """
UPDATE benefit_entitlement AS held SET payer = seat.payer, paid_by = seat.paid_by
FROM membership_seat AS seat
WHERE held.ground = 'shared' AND held.source = 'seat:' || seat.id
"""
# The worker derives each of them anew within a minute.
TURN = "UPDATE membership SET turns_at = least(turns_at, changed_at)"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statement in (PRICES, POOLS, TURN):
                await connection.execute(statement)

    manager.add_raw(run)
    return manager
