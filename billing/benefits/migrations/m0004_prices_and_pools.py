"""By which price a member was entitled, whose plan is shared, and what of a use went back."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Prices and pools of entitlements, and returns of uses"

# Figures of a past month go by the price that held then. `payer` and `paid_by` are of whoever
# shares its plan: uses of its benefits count together.
ENTITLEMENTS = """
ALTER TABLE benefit_entitlement ADD COLUMN price_no int4;
ALTER TABLE benefit_entitlement ADD COLUMN recurring_minor int8;
ALTER TABLE benefit_entitlement ADD COLUMN payer uuid;
ALTER TABLE benefit_entitlement ADD COLUMN paid_by uuid;
ALTER TABLE benefit_entitlement ADD CONSTRAINT a_shared_entitlement_has_a_payer
    CHECK ((payer IS NULL) = (paid_by IS NULL) AND (payer IS NULL OR ground = 'shared'));
ALTER TABLE benefit_use ADD COLUMN paid_by uuid;
CREATE INDEX uses_of_who_shares ON benefit_use (paid_by, benefit, used_at)
    WHERE paid_by IS NOT NULL;
CREATE INDEX entitlements_of_who_shares ON benefit_entitlement (paid_by)
    WHERE paid_by IS NOT NULL;
"""

# What a use saved goes back in parts; where nothing is left the use itself is returned.
RETURNS = """
CREATE TABLE benefit_return (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    partner_no int4 NOT NULL,
    receipt text NOT NULL,
    benefit text NOT NULL,
    no int4 NOT NULL,
    returned_minor int4 NOT NULL,
    left_minor int4 NOT NULL,
    returned_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, partner_no, receipt, benefit, no),
    CONSTRAINT a_return_is_of_a_use
        FOREIGN KEY (bucket, member_id, partner_no, receipt, benefit)
        REFERENCES benefit_use (bucket, member_id, partner_no, receipt, benefit),
    CONSTRAINT returns_of_a_use_count_from_one CHECK (no >= 1),
    CONSTRAINT a_return_takes_a_part_back CHECK (returned_minor > 0 AND left_minor > 0)
);
REVOKE UPDATE, DELETE, TRUNCATE ON benefit_return FROM CURRENT_USER;

CREATE VIEW benefit_use_now AS
SELECT used.bucket, used.member_id, used.partner_no, used.receipt, used.benefit,
       used.membership_id, used.paid_by, used.plan_no, used.currency, used.used_at,
       used.returned_at, used.compensations, used.saved_minor AS first_minor,
       coalesce(back.left_minor, used.saved_minor) AS saved_minor, coalesce(back.no, 0) AS returns
FROM benefit_use AS used
LEFT JOIN LATERAL (
    SELECT no, left_minor FROM benefit_return
    WHERE benefit_return.bucket = used.bucket AND benefit_return.member_id = used.member_id
      AND benefit_return.partner_no = used.partner_no AND benefit_return.receipt = used.receipt
      AND benefit_return.benefit = used.benefit
    ORDER BY no DESC LIMIT 1
) AS back ON true;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="benefits", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(ENTITLEMENTS)
            await connection.execute(RETURNS)

    manager.add_raw(run)
    return manager
