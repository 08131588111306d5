"""Classes of lots: what rules tell apart of points beyond where they came from."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0008"
VERSION = "1.38.0"
DESCRIPTION = "Lot classes: received, pooled, and where points can be spent"

# `spend_on` are the only partners at which such points pay; NULL is every one. With `at_issuer`
# they also pay at whoever issued them. A class is never changed: what was spent stays provable.
CLASSES = """
CREATE TABLE lot_class (
    no int2 PRIMARY KEY,
    received bool NOT NULL,
    pooled bool NOT NULL,
    spend_on int4[],
    at_issuer bool NOT NULL,
    CONSTRAINT each_lot_class_is_registered_once
        UNIQUE NULLS NOT DISTINCT (received, pooled, spend_on, at_issuer),
    CONSTRAINT only_bound_points_pay_at_their_issuer CHECK (spend_on IS NOT NULL OR NOT at_issuer),
    CONSTRAINT bound_points_pay_somewhere CHECK (cardinality(spend_on) > 0 OR at_issuer),
    CONSTRAINT only_bound_points_are_known_as_pooled CHECK (spend_on IS NOT NULL OR NOT pooled)
);
INSERT INTO lot_class VALUES (0, false, false, NULL, false), (1, true, false, NULL, false);
"""

RIGHTS = "GRANT SELECT ON lot_class TO coalition_poster, coalition_tenant"


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (CLASSES, RIGHTS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
